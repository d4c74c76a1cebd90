import { readFileSync } from 'node:fs';
import { waitFor, Workload } from '@pgstream/test-kit';
import { samplesOf, type RunningService } from '../../product/product.ts';
import { compareWithIndex, compareWithLog } from '../agreement.ts';
import { HeldProxy } from '../held-proxy.ts';
import { sharedServers, System } from '../system.ts';

const SEED = Date.now() % 1_000_000;
const SESSION = { PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: '6s' };

let system: System;
/** Processes that may be paused, or have settings of their own. */
const strays = new Set<RunningService>();
let proxy: HeldProxy | undefined;

beforeEach(() => console.log(`seed ${SEED}`));

afterEach(async () => {
  for (const { child } of strays) child.kill('SIGKILL');
  strays.clear();
  await proxy?.close();
  await system.close();
}, 120_000);

function pause(service: RunningService): void {
  service.child.kill('SIGSTOP');
  strays.add(service);
}

function wake(service: RunningService): void {
  service.child.kill('SIGCONT');
}

async function walSenders(): Promise<number[]> {
  const { rows } = await system.sql.query(
    'SELECT active_pid AS pid FROM pg_replication_slots WHERE database = current_database() AND active',
  );
  return rows.map((row) => Number(row['pid']));
}

function logged(service: RunningService): string {
  return readFileSync(service.logFile, 'utf8');
}

test('a producer that wakes up after its successor began neither disorders the log nor writes into it', async () => {
  system = await System.open(sharedServers(), 'fence');
  const { sql, prefix, product } = system;
  const load = new Workload({ sql, prefix, schemas: 6, seed: SEED, pauseMs: 30, ddl: false });
  await load.prepare();
  let leader = await product.start('wal-producer', 'producer-0');
  load.start();
  for (let round = 1; round <= 3; round++) {
    await untilProduced(leader);
    const [pid] = await walSenders();
    pause(leader);
    await sql.query('SELECT pg_terminate_backend($1)', [pid]);
    const successor = await product.start('wal-producer', `producer-${round}`);
    await untilProduced(successor);
    wake(leader);
    const old = leader;
    await waitFor('the old producer to say that it gave way', () => gaveWay(old), 90_000);
    await untilProduced(successor);
    old.child.kill('SIGKILL');
    leader = successor;
  }
  await load.stop();
  await system.untilConfirmed(240_000);
  const log = await compareWithLog(system);
  expect(log.disorder).toEqual([]);
  expect(log.differences).toEqual([]);
  expect(log.records).toBeGreaterThan(100);
}, 400_000);

/** A hundred records more than now. */
async function untilProduced(service: RunningService): Promise<void> {
  const produced = async () => {
    const samples = await samplesOf(service, 'pgstream_kafka_produced_records_total');
    return [...samples.values()].reduce((sum, value) => sum + value, 0);
  };
  const before = await produced();
  await waitFor(`${service.name} to write`, async () => (await produced()) > before + 100, 120_000);
}

/** It ended and named the reason, or it waits for the slot as standby. */
function gaveWay(service: RunningService): boolean {
  if (service.child.exitCode !== null) return logged(service).includes('KAFKA_PRODUCER_FENCED');
  const roles = [...logged(service).matchAll(/"role":"(\w+)"/g)].map(([, role]) => role);
  return roles.at(-1) === 'standby';
}

test('a worker that slept past its session and past gc_deletes brings no deleted document back', async () => {
  system = await System.open(sharedServers(), 'sleep', {
    ...SESSION,
    PGSTREAM_SEARCH_INDEX_GC_DELETES: '1s',
    // tries again at once, which is the worst that it can do
    PGSTREAM_SEARCH_STORE_BACKOFF_INTERVAL: '1ms',
  });
  const { sql, prefix, product, servers } = system;
  proxy = await HeldProxy.start(servers.searchUrl);
  const table = `${prefix}_s.rows`;
  await sql.query(`CREATE SCHEMA ${prefix}_s; CREATE TABLE ${table} (id integer PRIMARY KEY, note text)`);
  await product.start('wal-producer', 'producer');
  const sleeper = await product
    .withEnvironment({ PGSTREAM_OPENSEARCH_STORE_URL: proxy.url })
    .start('search-indexer', 'sleeper');
  await sql.query(`INSERT INTO ${table} VALUES (1, 'before')`);
  await system.untilIndexed();

  proxy.hold();
  await sql.query(`INSERT INTO ${table} VALUES (2, 'written late')`);
  await waitFor('the bulk with the row', () => (proxy?.heldBulks ?? 0) > 0);
  pause(sleeper);
  proxy.loseAndPass();
  await product.start('search-indexer', 'other');
  await system.untilIndexed();
  await sql.query(`DELETE FROM ${table} WHERE id IN (1, 2)`);
  await system.untilIndexed();
  await waitFor('the index to forget its deletes', () => forgotten(table, 1), 60_000);

  wake(sleeper);
  await waitFor('the sleeper to be a member again', async () => {
    const joins = await samplesOf(sleeper, 'pgstream_rebalances_total');
    return [...joins.values()].some((value) => value >= 2);
  });
  await sql.query(`INSERT INTO ${table} VALUES (3, 'after')`);
  await system.untilIndexed();
  const found = await compareWithIndex(system);
  expect(found.indexDifferences).toEqual([]);
  expect(found.documents).toBe(1);
  sleeper.child.kill('SIGTERM');
  expect(await sleeper.exited).toBe(0);
}, 300_000);

/** A write of version 1 is taken where nothing is known of a newer delete. It is deleted again. */
async function forgotten(index: string, id: number): Promise<boolean> {
  const { searchUrl } = system.servers;
  const version = 'version_type=external_gte&refresh=true';
  const put = await fetch(`${searchUrl}/${index}/_doc/${id}?version=1&${version}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  if (put.status !== 201) return false;
  await fetch(`${searchUrl}/${index}/_doc/${id}?version=1&${version}`, { method: 'DELETE' });
  return true;
}
