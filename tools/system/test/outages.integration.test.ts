import { setTimeout as pause } from 'node:timers/promises';
import { ResourceWatch, Workload } from '@pgstream/test-kit';
import type { RunningService } from '../../product/product.ts';
import { compareWithIndex, compareWithLog } from '../agreement.ts';
import { OwnServers } from '../own-servers.ts';
import { System } from '../system.ts';

const OUTAGE_MS = 30_000;
const SEED = Date.now() % 1_000_000;
const SCHEMAS = 6;

let servers: OwnServers;
let system: System;
let services: RunningService[];
let memory: ResourceWatch;

function workload(round: number): Workload {
  const { sql, prefix } = system;
  return new Workload({ sql, prefix, schemas: SCHEMAS, seed: SEED + 100 * round, pauseMs: 500 });
}

beforeAll(async () => {
  console.log(`seed ${SEED}`);
  servers = await OwnServers.start();
  system = await System.open(servers.endpoints, 'out', { PGSTREAM_POSTGRES_SLOT_POLL_INTERVAL: '1s' });
  services = [
    await system.product.start('wal-producer', 'producer'),
    await system.product.start('search-indexer', 'indexer-1'),
    await system.product.start('search-indexer', 'indexer-2'),
  ];
  memory = new ResourceWatch(() => services.map(({ name, child }) => ({ name, pid: child.pid ?? -1 })));
  await workload(0).prepare();
  await system.untilIndexed();
}, 240_000);

afterAll(async () => {
  memory.close();
  await system.close();
  await servers.close();
}, 120_000);

/** All processes that were started still run: nobody restarted anything. */
async function agreement(): Promise<unknown> {
  await system.untilIndexed(240_000);
  for (const { child, name } of services) {
    if (child.exitCode !== null)
      throw new Error(`${name} ended with ${child.exitCode}\n${system.logOf(name)}`);
  }
  const index = await compareWithIndex(system);
  const log = await compareWithLog(system);
  return {
    documents: index.documents - index.rows,
    index: index.indexDifferences,
    log: log.differences,
    disorder: log.disorder,
    bloated: [...memory.samples.keys()].filter((name) => memory.peakMib(name) >= 250),
  };
}

const AGREED = { documents: 0, index: [], log: [], disorder: [], bloated: [] };

test('OpenSearch stops for half a minute under load', async () => {
  const load = workload(1);
  load.start();
  await pause(2_000);
  await servers.stopSearch();
  await pause(OUTAGE_MS);
  await servers.startSearch();
  await pause(1_000);
  await load.stop();
  const from = Date.now();
  expect(await agreement()).toEqual(AGREED);
  console.log(`OpenSearch: ${load.committed} transactions, agreed ${Date.now() - from} ms after`);
}, 400_000);

test('Kafka is killed and comes back after half a minute under load', async () => {
  const load = workload(2);
  load.start();
  await pause(2_000);
  await servers.stopKafka();
  await pause(OUTAGE_MS);
  await servers.startKafka();
  await pause(1_000);
  await load.stop();
  const from = Date.now();
  expect(await agreement()).toEqual(AGREED);
  console.log(`Kafka: ${load.committed} transactions, agreed ${Date.now() - from} ms after`);
}, 400_000);

test('PostgreSQL ends in the orderly way while Kafka is away', async () => {
  const load = workload(4);
  load.start();
  await pause(1_000);
  await servers.stopKafka();
  await pause(1_000);
  const from = Date.now();
  await servers.stopPostgres('SIGINT');
  const tookMs = Date.now() - from;
  await servers.startPostgres();
  await servers.startKafka();
  await pause(1_000);
  await load.stop();
  expect(await agreement()).toEqual(AGREED);
  expect(tookMs).toBeLessThan(10_000); // of 15 s, after which it is killed
}, 400_000);

test('PostgreSQL is stopped at once under load, twice, and recovers', async () => {
  const load = workload(3);
  load.start();
  for (let round = 0; round < 2; round++) {
    await pause(2_000);
    await servers.stopPostgres();
    await pause(2_000);
    await servers.startPostgres();
  }
  await pause(2_000);
  await load.stop();
  expect(await agreement()).toEqual(AGREED);
  const peaks = [...memory.samples.keys()].map((name) => `${name} ${Math.round(memory.peakMib(name))} MiB`);
  console.log(peaks.join(', '));
}, 400_000);
