import { MissingToolError, readStack, startStack, stopStack, type Stack } from '@pgstream/test-kit';

const NAME = 'stack';
const USAGE = 'usage: npm run stack -- up | down | status [--json]';

/** `npm run stack`: local servers without the product, for trying things by hand. */
async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json');
  const [verb] = args.filter((arg) => arg !== '--json');
  switch (verb) {
    case 'up':
      print(readStack(NAME) ?? (await up(json)), json);
      return 0;
    case 'down':
      return down(json);
    case 'status':
      return status(json);
    case undefined:
    default:
      console.error(USAGE);
      return 78;
  }
}

async function down(json: boolean): Promise<number> {
  const stopped = await stopStack(NAME);
  const words = stopped ? 'stopped' : 'nothing was running';
  console.log(json ? JSON.stringify({ stopped }) : words);
  return 0;
}

function status(json: boolean): number {
  const stack = readStack(NAME);
  if (stack !== undefined) print(stack, json);
  else console.log(json ? JSON.stringify({ running: false }) : 'not running: npm run stack -- up');
  return stack === undefined ? 1 : 0;
}

async function up(quiet: boolean): Promise<Stack> {
  return startStack({
    name: NAME,
    postgres: [17],
    java: true,
    ports: { postgres: 25_432, kafka: 29_092, search: 29_200 },
    onStep: (text) => (quiet ? undefined : console.error(`starting ${text} …`)),
  });
}

function print(stack: Stack, json: boolean): void {
  const [postgres] = stack.postgres;
  const { kafka, search } = stack;
  if (postgres === undefined || kafka === null || search === null)
    throw new Error('the stack is not complete');
  const endpoints = {
    PGSTREAM_POSTGRES_LISTENER_URL: postgres.url,
    PGSTREAM_KAFKA_SERVERS: kafka.broker,
    PGSTREAM_OPENSEARCH_STORE_URL: search.url,
  };
  if (json) {
    console.log(JSON.stringify({ running: true, endpoints, stack }));
    return;
  }
  console.log(`PostgreSQL  ${postgres.url}`);
  console.log(`Kafka       ${kafka.broker}   TLS ${kafka.tlsBroker}   SASL ${kafka.saslBroker}`);
  console.log(`OpenSearch  ${search.url}\n`);
  console.log('Try:  npx pgstream init -c examples/pg2os.env && npx pgstream run -c examples/pg2os.env');
  console.log('Stop: npm run stack -- down');
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = 1;
}
