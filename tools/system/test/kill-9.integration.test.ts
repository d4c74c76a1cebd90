import { setTimeout as pause } from 'node:timers/promises';
import { Random, Workload } from '@pgstream/test-kit';
import { compareWithIndex, compareWithLog } from '../agreement.ts';
import { Crew } from '../crew.ts';
import { sharedServers, System } from '../system.ts';

const SEED = Date.now() % 1_000_000;

let system: System;

beforeEach(async () => {
  console.log(`seed ${SEED}`);
  system = await System.open(sharedServers(), 'kill', { PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: '6s' });
}, 120_000);

afterEach(async () => {
  await system.close();
}, 120_000);

const CREW = [
  ['producer', 'wal-producer'],
  ['indexer-1', 'search-indexer'],
  ['indexer-2', 'search-indexer'],
] as const;

test('producer and workers are killed twenty times under load: log, index and tables agree', async () => {
  const { sql, prefix } = system;
  const random = new Random(SEED);
  const load = new Workload({ sql, prefix, schemas: 6, seed: SEED, pauseMs: 100 });
  const crew = new Crew(system);
  for (const [name, service] of CREW) await crew.start(service, name);
  await load.prepare();
  load.start();
  for (let kills = 0; kills < 20; kills++) {
    // long enough, now and then, for the group to come together again
    await pause(random.int(50, random.next() < 0.25 ? 8_000 : 1_500));
    const [name, service] = random.pick(CREW);
    await crew.replace(service, name);
  }
  await load.stop();
  await system.untilIndexed(240_000);
  expect(crew.deserters).toEqual([]);
  await expectAgreement(load.committed);
}, 400_000);

test('straight to the index: killed ten times under load, index and tables agree', async () => {
  const { sql, prefix } = system;
  const random = new Random(SEED + 1);
  const load = new Workload({ sql, prefix, schemas: 6, seed: SEED + 1, pauseMs: 100 });
  const crew = new Crew(system);
  const run = ['cli', 'direct', 'run', '--source', 'postgres', '--target', 'opensearch'] as const;
  await crew.start(...run);
  await load.prepare();
  load.start();
  for (let kills = 0; kills < 10; kills++) {
    await pause(random.int(50, 2_500));
    await crew.replace(...run);
  }
  await load.stop();
  await system.untilConfirmed(240_000);
  expect(crew.deserters).toEqual([]);
  await expectIndex(load.committed);
}, 400_000);

async function expectAgreement(committed: number): Promise<void> {
  await expectIndex(committed);
  const log = await compareWithLog(system);
  expect(log.disorder).toEqual([]);
  expect(log.differences).toEqual([]);
  console.log(`${committed} transactions, ${log.records} records in the log`);
}

async function expectIndex(committed: number): Promise<void> {
  const index = await compareWithIndex(system);
  expect(index.indexDifferences).toEqual([]);
  expect(index.documents).toBe(index.rows);
  expect(index.rows).toBeGreaterThan(0);
  expect(committed).toBeGreaterThan(100);
}
