import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PipelineError } from '@pgstream/failure';
import { endpoints } from '@pgstream/test-kit';
import { decodeRecord } from '@pgstream/wal-event';
import { FlightRecorder, readRecording, replayRecording } from '../src/index.ts';
import { EditingProxy } from './editing-proxy.ts';
import { Reader } from './reader.ts';
import { SlotDatabase } from './slot-database.ts';

const { postgresUrl } = endpoints();
/** In front of the text of the row `(13, MARKER)`: I, OID, N, columns, `t`, length, `13`, `t`, length. */
const KIND_BEFORE_MARKER = 20;
const VALUE_BEFORE_MARKER = 5;

let database: SlotDatabase;
let proxy: EditingProxy;
let reader: Reader;
let dir: string;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'pgstream-frames-'));
  database = await SlotDatabase.create(postgresUrl, 'CREATE TABLE t(id bigint PRIMARY KEY, v text)');
});

afterEach(async () => {
  await reader.stop();
  await proxy.close();
  await database.drop();
  rmSync(dir, { recursive: true });
});

/** Reads through a network that overwrites one byte so far in front of the marker. */
async function readSpoilt(bytesBefore: number, ringBytes: number): Promise<void> {
  proxy = await EditingProxy.start(database.url, (chunk) => {
    const at = chunk.indexOf('MARKER');
    if (at > bytesBefore) chunk[at - bytesBefore] = 0x3f;
  });
  const { slot, publications } = database;
  const recorder = new FlightRecorder({ bytes: ringBytes, dir, slot, epoch: 1, publications });
  reader = new Reader(database, {
    connection: { connectionString: proxy.urlOf(database.url) },
    recorder,
  });
}

async function failure(): Promise<PipelineError> {
  const error = await reader.ended();
  if (error instanceof PipelineError) return error;
  throw new Error('it did not fail', { cause: error });
}

function recorded(): { path: string; records: string[]; outcome: ReturnType<typeof replayRecording> } {
  const [name = ''] = readdirSync(dir);
  const path = join(dir, name);
  const records: string[] = [];
  const outcome = replayRecording(readRecording(readFileSync(path)), (value) => {
    const { action, columns } = decodeRecord(Buffer.from(value));
    records.push(`${action} ${columns?.map(({ value: one }) => JSON.stringify(one)).join(' ')}`);
  });
  return { path, records, outcome };
}

test('a message of an unknown kind: the file shows the records before it, and the same error', async () => {
  await readSpoilt(KIND_BEFORE_MARKER, 1024 * 1024);
  await database.sql(`INSERT INTO t VALUES (1, 'first'), (2, 'ß')`);
  await database.sql(`INSERT INTO t VALUES (13, 'MARKER')`);
  const error = await failure();
  const { path, records, outcome } = recorded();
  expect(error.code).toBe('PG_PROTOCOL');
  expect(error.message).toContain(path);
  expect(error.facts).toMatchObject({ kind: '0x3f', recording: path });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(records).toEqual(['I {"raw":"1"} "first"', 'I {"raw":"2"} "ß"']);
  expect(outcome).toMatchObject({ reproduced: true, passedBytes: 0, transactions: 1 });
  expect(outcome.error?.facts).toEqual({
    kind: '0x3f',
    length: error.facts['length'],
    offset: error.facts['offset'],
  });
}, 60_000);

test('more than the ring holds: the newest bytes are decoded from their first whole message on', async () => {
  await readSpoilt(VALUE_BEFORE_MARKER, 64 * 1024);
  await database.sql(`INSERT INTO t SELECT i, 'row ' || i FROM generate_series(100, 2999) i`);
  await database.sql(`INSERT INTO t SELECT i, 'row ' || i FROM generate_series(3000, 3100) i`);
  await database.sql(`INSERT INTO t VALUES (13, 'MARKER')`);
  const error = await failure();
  const { records, outcome } = recorded();
  expect(error.message).toContain('not a value');
  expect(outcome).toMatchObject({ reproduced: true });
  expect(outcome.passedBytes).toBeGreaterThan(0);
  expect(outcome.passedBytes).toBeLessThan(200);
  expect(records.length).toBeGreaterThan(500);
  expect(records.length).toBeLessThan(3000);
  expect(records.at(-1)).toBe('I {"raw":"3100"} "row 3100"');
}, 60_000);

test('what time heals is not recorded', async () => {
  await readSpoilt(VALUE_BEFORE_MARKER, 64 * 1024);
  await database.sql(`INSERT INTO t VALUES (1, 'first')`);
  await reader.records(1);
  await database.terminateWalsender();
  await database.sql(`INSERT INTO t VALUES (2, 'second')`);
  await reader.records(2);
  expect(readdirSync(dir)).toEqual([]);
}, 60_000);
