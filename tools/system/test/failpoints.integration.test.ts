import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAILPOINTS, type FailpointName } from '@pgstream/failure';
import { startKafka, stopKafka, type KafkaServer, waitFor, Workload } from '@pgstream/test-kit';
import type { RunningService, ServiceName } from '../../product/product.ts';
import { compareWithIndex, compareWithLog } from '../agreement.ts';
import { Shaper } from '../shaper.ts';
import { sharedServers, System } from '../system.ts';

const SEED = Date.now() % 1_000_000;

let kafka: KafkaServer;
let system: System;
const running = new Set<RunningService>();

beforeAll(async () => {
  // A killed worker keeps its partitions until its session is over: with the shortest one there is little to wait for
  kafka = await startKafka({ heapMb: 256, properties: ['group.min.session.timeout.ms=1000'] });
}, 120_000);

afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all([...running].map((service) => service.exited));
  running.clear();
  await system.close();
}, 120_000);

afterAll(async () => {
  await stopKafka(kafka, 'SIGKILL');
  rmSync(kafka.dir, { recursive: true, force: true });
}, 60_000);

/** The points whose names begin so. */
function points(...prefixes: readonly string[]): FailpointName[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the table are the names
  const names = Object.keys(FAILPOINTS) as FailpointName[];
  return names.filter((name) => prefixes.some((prefix) => name.startsWith(prefix)));
}

async function launch(
  service: ServiceName | 'cli',
  name: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningService> {
  const args = service === 'cli' ? ['run'] : [];
  const process = await system.product.withEnvironment(environment).launch(service, name, ...args);
  running.add(process);
  return process;
}

/** Starts the service once for each point, where it kills itself, and at the end to stay. */
async function killAtEach(service: ServiceName | 'cli', name: string, names: readonly FailpointName[]) {
  for (const point of names) {
    const victim = await launch(service, name, { PGSTREAM_FAILPOINTS: `${point}:kill:${hitsOf(point)}` });
    let end: number | NodeJS.Signals | undefined;
    void victim.exited.then((exit) => (end = exit));
    const visitor = point.startsWith('consumer.release') ? await rebalance(victim) : undefined;
    await waitFor(`${name} to reach ${point}`, () => end !== undefined, 30_000).catch((cause: unknown) => {
      throw new Error(`${point} was not reached\n${system.logOf(name)}`, { cause });
    });
    if (end !== 'SIGKILL') throw new Error(`${point}: ended with ${end}\n${system.logOf(name)}`);
    running.delete(victim);
    visitor?.child.kill('SIGTERM');
    await visitor?.exited;
  }
  await launch(service, name);
}

/** Where a process passes once in its life it is killed at the first pass, elsewhere in the middle of work. */
function hitsOf(point: FailpointName): number {
  const once =
    /^(letters\.|kafka\.(fenc|id)|source\.(start|checkpoint)|consumer\.(assigned|release)|search\.(gen|drop|trunc))/;
  return once.test(point) ? 0 : 2;
}

async function rebalance(victim: RunningService): Promise<RunningService> {
  await waitFor(`${victim.name} to work`, async () => (await fetch(`${victim.healthUrl}/readyz`)).ok);
  return await launch('search-indexer', 'visitor');
}

test('killed at every point of producer and indexer, tables, log and index agree', async () => {
  console.log(`seed ${SEED}`);
  const servers = { ...sharedServers(), kafkaBroker: kafka.broker };
  system = await System.open(servers, 'failpoint', { PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: '2s' });
  const { sql, prefix } = system;
  const load = new Workload({ sql, prefix, schemas: 6, seed: SEED, pauseMs: 250, writers: 2 });
  const shaper = new Shaper(sql, `${prefix}_t`);
  await load.prepare();
  await shaper.prepare();
  load.start();
  shaper.start();
  await Promise.all([
    killAtEach('wal-producer', 'producer', points('source.', 'pipeline.', 'kafka.')),
    killAtEach('search-indexer', 'indexer', points('consumer.', 'pipeline.', 'search.')),
  ]);
  await load.stop();
  await shaper.stop();
  await system.untilIndexed();
  const index = await compareWithIndex(system);
  const log = await compareWithLog(system);
  expect(index.indexDifferences).toEqual([]);
  expect(index.documents).toBe(index.rows);
  expect(log.disorder).toEqual([]);
  expect(log.differences).toEqual([]);
  expect(load.committed).toBeGreaterThan(100);
}, 240_000);

test('killed while dead letters are written, each letter is there and the slot goes on', async () => {
  const servers = { ...sharedServers(), kafkaBroker: kafka.broker };
  system = await System.open(servers, 'letters', { PGSTREAM_KAFKA_TOPIC_MAX_MESSAGE_BYTES: '100000' });
  const { sql, prefix, product } = system;
  await sql.query(
    `CREATE SCHEMA ${prefix}_s; CREATE TABLE ${prefix}_s.notes (id integer PRIMARY KEY, note text)`,
  );
  // Hexadecimal digits of hashes: compression does not make them fit
  const large = `SELECT string_agg(md5(i::text || $1), '') FROM generate_series(1, 10000) i`;
  for (const id of [1, 2, 3]) {
    await sql.query(`INSERT INTO ${prefix}_s.notes SELECT ${id}, (${large})`, [`${id}`]);
  }
  await killAtEach('wal-producer', 'producer', points('letters.'));
  await system.untilConfirmed();
  const listed: unknown = JSON.parse(product.command('dead-letters', 'ls', '--json'));
  const letters = ['3', '2', '1'].map((id) => ({ identity: `${prefix}_s.notes:${id}` }));
  expect(listed).toMatchObject({ letters });
}, 120_000);

test('killed around the sync of a file, the file holds each record once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pgstream-file-'));
  const file = join(dir, 'records.ndjson');
  system = await System.open(sharedServers(), 'file', {
    PGSTREAM_SOURCE: 'postgres',
    PGSTREAM_TARGET: 'ndjson',
    PGSTREAM_NDJSON_FILE: file,
  });
  const { sql, prefix } = system;
  const table = `${prefix}_s.counted`;
  await sql.query(`CREATE SCHEMA ${prefix}_s; CREATE TABLE ${table} (id integer PRIMARY KEY)`);
  const write = setInterval(() => {
    void sql.query(`INSERT INTO ${table} SELECT coalesce(max(id), 0) + 1 FROM ${table}`);
  }, 50);
  await killAtEach('cli', 'writer', [...points('ndjson.'), ...points('source.checkpoint', 'pipeline.')]);
  clearInterval(write);
  await system.untilConfirmed();
  const { rows } = await sql.query(`SELECT id FROM ${table} ORDER BY id`);
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  const inserts = lines.filter((line) => line.startsWith('{"action":"I"'));
  const ids = inserts.map((line) => Number(/"name":"id","type":"integer","value":(\d+)/.exec(line)?.[1]));
  expect(ids).toEqual(rows.map((row) => Number(row['id'])));
  expect(ids.length).toBeGreaterThan(10);
  rmSync(dir, { recursive: true });
}, 120_000);
