import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, MissingToolError, requireJava, startStack, stopStack } from '@pgstream/test-kit';
import { createTenant, loadTenant, tenants } from './cities.ts';
import { direct } from './direct.ts';
import { printLag, untilCaughtUp } from './lag.ts';
import { Product, type RunningService } from '../product/product.ts';
import { Screen, seconds } from '../product/screen.ts';
import { shop } from './shop.ts';
import { killOwner, measureLatency, stopOpenSearch, type Workers } from './trials.ts';
import { verify } from './verify.ts';
import { webhooks } from './webhooks.ts';
import { World } from './world.ts';

const NAME = 'demo';
const USAGE = 'usage: npm run demo -- [--once] [--json FILE] [--direct]';
const args = process.argv.slice(2);
const once = args.includes('--once');
const jsonFile = args.includes('--json') ? args[args.indexOf('--json') + 1] : undefined;
const screen = new Screen();
const logs = join(cacheDir(), 'demo-logs');

/** The whole product on real servers: a real data set, the shop, two faults, and the proof at the end. */
async function demo(): Promise<void> {
  requireJava();
  screen.title('Servers (downloads happen once)');
  const stack = await startStack({
    name: NAME,
    postgres: [17],
    java: true,
    ports: { postgres: 25_432, kafka: 29_092, search: 29_200 },
    onStep: (text) => screen.note(`starting ${text} …`),
  });
  const world = await World.open(stack);
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  const product = new Product({ dir: logs, environment: environmentOf(world) });
  try {
    const workers = await startProduct(product);
    await load(world);
    await shop(world, screen);
    await measureLatency(world, screen);
    await killOwner(world, workers, screen, 'tenant_us');
    await stopOpenSearch(world, screen, 'tenant_it');
    await webhooks(world, product, screen);
    await screen.step('every consumer group is caught up', () => untilCaughtUp(world, 120_000));
    await printLag(world, screen);
    await verify(world, screen);
    finish();
    await stayUp(world.postgresUrl, [
      `OpenSearch  ${world.searchUrl}/_cat/indices`,
      `Kafka       ${stack.kafka?.broker ?? ''}`,
    ]);
  } finally {
    await product.stopAll();
    await world.close();
    await stopStack(NAME);
  }
}

function environmentOf(world: World): Record<string, string> {
  return {
    PGSTREAM_POSTGRES_LISTENER_URL: world.postgresUrl,
    PGSTREAM_KAFKA_SERVERS: world.stack.kafka?.broker ?? '',
    PGSTREAM_KAFKA_TOPIC_NAME: 'pgstream',
    PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: 'pgstream-search',
    PGSTREAM_OPENSEARCH_STORE_URL: world.searchUrl,
  };
}

async function startProduct(product: Product): Promise<Workers> {
  screen.title('The product: one WAL producer, two search indexers');
  await screen.step('pgstream init', async () => product.command('init') && undefined);
  await screen.step('wal-producer', async () => void (await product.start('wal-producer', 'wal-producer')));
  const indexers: RunningService[] = [];
  for (const name of ['search-indexer-1', 'search-indexer-2']) {
    await screen.step(name, async () => void indexers.push(await product.start('search-indexer', name)));
  }
  return { product, indexers };
}

async function load(world: World): Promise<void> {
  const all = tenants();
  const rows = all.reduce((sum, tenant) => sum + tenant.cities.length, 0);
  screen.title(`The world's cities (GeoNames, CC BY 4.0): ${rows} rows in ${all.length} schemas`);
  const from = performance.now();
  await screen.step('schemas and tables', async () => {
    for (const tenant of all) await createTenant(world, tenant);
  });
  const tick = screen.progress('loading', rows);
  let done = 0;
  for (const tenant of all) {
    await loadTenant(world, tenant, (n) => tick((done += n)));
  }
  await screen.step('all of them are in the index', () => untilCaughtUp(world, 300_000));
  const tookMs = performance.now() - from;
  screen.note(
    `${rows} rows from the first CREATE to the index in ${seconds(tookMs)}: ${Math.round((rows / tookMs) * 1000)} rows/s`,
  );
}

function finish(): void {
  const passed = screen.summary();
  if (jsonFile !== undefined)
    writeFileSync(jsonFile, `${JSON.stringify({ checks: screen.checks }, null, 2)}\n`);
  process.exitCode = passed ? 0 : 1;
}

async function stayUp(postgresUrl: string, more: readonly string[] = []): Promise<void> {
  if (once) return;
  console.log(`\nStill running; Ctrl-C stops it.\n  PostgreSQL  ${postgresUrl}`);
  for (const line of more) console.log(`  ${line}`);
  const alive = setInterval(() => undefined, 60_000);
  await new Promise((resolve) => process.once('SIGINT', resolve));
  clearInterval(alive);
}

async function main(): Promise<void> {
  const unknown = args.filter(
    (arg, i) => !['--once', '--json', '--direct'].includes(arg) && args[i - 1] !== '--json',
  );
  if (unknown.length > 0) {
    console.error(`unknown: ${unknown.join(' ')}\n${USAGE}`);
    process.exitCode = 78;
    return;
  }
  if (!args.includes('--direct')) return demo();
  await direct(screen, async (url) => {
    finish();
    await stayUp(url);
  });
}

try {
  await main();
  rmSync(logs, { recursive: true, force: true });
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  if (existsSync(logs)) console.error(`What the processes logged: ${logs}`);
  process.exitCode = 1;
}
