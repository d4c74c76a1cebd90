import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir } from './workspace.ts';
import { startKafka, type KafkaServer } from './kafka-server.ts';
import { startPostgres, type PostgresMajor, type PostgresServer } from './postgres-server.ts';
import { startSearch, type SearchServer } from './search-server.ts';
import { isAlive, stopProcess } from './server-process.ts';

/** Local servers of one purpose: `npm run stack`, the demo, a test run. */
export interface Stack {
  readonly name: string;
  readonly postgres: readonly PostgresServer[];
  readonly kafka: KafkaServer | null;
  readonly search: SearchServer | null;
}

export interface StackOptions {
  /** Names the state file and the folder of data. */
  readonly name: string;
  readonly postgres: readonly PostgresMajor[];
  /** Without Kafka and search no Java is needed. */
  readonly java: boolean;
  /** Default: with Java, a search server too. */
  readonly search?: boolean;
  /** Settings of the PostgreSQL servers that win over the usual ones. */
  readonly postgresSettings?: Readonly<Record<string, string>>;
  /** Ports taken if they are free. */
  readonly ports?: { readonly postgres?: number; readonly kafka?: number; readonly search?: number };
  readonly onStep?: (text: string) => void;
}

/** Starts the servers one after another (two cores), remembering each at once so that `stopStack` finds it. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { name, onStep = () => undefined } = options;
  await stopStack(name);
  const data = join(cacheDir(), 'data', name);
  rmSync(data, { recursive: true, force: true });
  let stack: Stack = { name, postgres: [], kafka: null, search: null };
  const note = (next: Stack) => {
    stack = next;
    writeFileSync(stateFile(name), JSON.stringify(stack, null, 2));
  };
  for (const major of options.postgres) {
    onStep(`PostgreSQL ${major}`);
    note({ ...stack, postgres: [...stack.postgres, await postgresOf(options, major, data)] });
  }
  if (!options.java) return stack;
  onStep('Kafka');
  const kafkaPort = options.ports?.kafka;
  note({
    ...stack,
    kafka: await startKafka({ dir: join(data, 'kafka'), ...(kafkaPort ? { port: kafkaPort } : {}) }),
  });
  if (options.search === false) return stack;
  onStep('OpenSearch');
  const searchPort = options.ports?.search;
  note({
    ...stack,
    search: await startSearch({ dir: join(data, 'search'), ...(searchPort ? { port: searchPort } : {}) }),
  });
  return stack;
}

function postgresOf(
  { ports, postgresSettings }: StackOptions,
  major: PostgresMajor,
  data: string,
): Promise<PostgresServer> {
  return startPostgres({
    major,
    dataDir: join(data, `postgres-${major}`),
    ...(ports?.postgres ? { port: ports.postgres } : {}),
    ...(postgresSettings === undefined ? {} : { settings: postgresSettings }),
  });
}

/** The running stack of that name, or `undefined` when there is none or a server of it is gone. */
export function readStack(name: string): Stack | undefined {
  const stack = loadState(name);
  return stack !== undefined && pidsOf(stack).every(isAlive) ? stack : undefined;
}

/** Stops what is left of the stack and removes its data. Idempotent. */
export async function stopStack(name: string): Promise<boolean> {
  const stack = loadState(name);
  if (stack === undefined) return false;
  const postgres = stack.postgres.map((server) => stopProcess(server.pid, 'SIGINT'));
  const java = [stack.kafka?.pid, stack.search?.pid].map((pid) => stopProcess(pid ?? -1, 'SIGKILL'));
  await Promise.all([...postgres, ...java]);
  rmSync(join(cacheDir(), 'data', name), { recursive: true, force: true });
  rmSync(stateFile(name), { force: true });
  return true;
}

/** The variables that tests, examples and people use. */
export function stackEnvironment(stack: Stack): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const server of stack.postgres) variables[`TEST_PG${server.major}_URL`] = server.url;
  const preferred = stack.postgres.find((server) => server.major === 17) ?? stack.postgres[0];
  if (preferred !== undefined) variables['TEST_PG_URL'] = preferred.url;
  if (stack.kafka !== null) {
    variables['TEST_KAFKA_BROKERS'] = stack.kafka.broker;
    variables['TEST_KAFKA_TLS_BROKERS'] = stack.kafka.tlsBroker;
    variables['TEST_KAFKA_SASL_BROKERS'] = stack.kafka.saslBroker;
  }
  if (stack.search !== null) variables['TEST_SEARCH_URL'] = stack.search.url;
  return variables;
}

function stateFile(name: string): string {
  return join(cacheDir(), `stack-${name}.json`);
}

function loadState(name: string): Stack | undefined {
  if (!existsSync(stateFile(name))) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by startStack
  return JSON.parse(readFileSync(stateFile(name), 'utf8')) as Stack;
}

function pidsOf(stack: Stack): number[] {
  const pids = stack.postgres.map((server) => server.pid);
  return [
    ...pids,
    ...[stack.kafka, stack.search].filter((server) => server !== null).map((server) => server.pid),
  ];
}
