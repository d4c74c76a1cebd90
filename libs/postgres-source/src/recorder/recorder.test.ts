import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PipelineError } from '@pgstream/failure';
import { parseLsn } from '@pgstream/wal-event';
import fc from 'fast-check';
import { FlightRecorder } from './flight-recorder.ts';
import { readRecording, writeRecording } from './recording-file.ts';
import { replayRecording } from './replay.ts';

const FIXTURE = readFileSync(join(__dirname, '../../test/fixtures/unknown-message.frames'));

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pgstream-frames-'));
});

afterEach(() => rmSync(dir, { recursive: true }));

function recorder(bytes: number): FlightRecorder {
  const made = new FlightRecorder({ bytes, dir, slot: 'a', epoch: 1, publications: ['p'] });
  const slot = { name: 'a', plugin: '', database: '', restartLsn: null, walStatus: '' };
  const confirmedFlushLsn = parseLsn('0/10');
  made.begin(
    {
      systemId: '7',
      timeline: 2,
      serverLsn: confirmedFlushLsn,
      serverVersion: 170_000,
      walSenderTimeoutMs: 0,
      slot: { ...slot, confirmedFlushLsn },
    },
    confirmedFlushLsn,
  );
  return made;
}

const relation = (table: string) =>
  ({ oid: 1, schema: 's', table, replicaIdentity: 'd', columns: [] }) as const;
const FAILURE = new PipelineError('PG_PROTOCOL', { detail: 'a row cut short.', facts: { offset: 3 } });

function bytesAfter(size: number, chunks: readonly string[]): { bytes: string; skipped: number } {
  const made = recorder(size);
  for (const chunk of chunks) made.read(Buffer.from(chunk));
  const { facts } = made.dump(FAILURE);
  const { bytes, header } = readRecording(readFileSync(String(facts['recording'])));
  return { bytes: bytes.toString(), skipped: header.skippedBytes };
}

test('a recording of the first version is read, and fails as it did', () => {
  const records: string[] = [];
  const outcome = replayRecording(readRecording(FIXTURE), (value) => records.push(value.toString()));
  expect(outcome.error?.message).toContain('PG_PROTOCOL');
  expect(outcome).toMatchObject({ reproduced: true, records: 2, transactions: 1 });
  expect(records).toEqual([
    expect.stringContaining('"type":"bigint","value":1}'),
    expect.stringContaining('"type":"text","value":"ß"}'),
  ]);
});

test('the newest bytes are kept, whatever the sizes of the reads', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.string({ unit: 'binary-ascii' })),
      (size, chunks) => {
        const all = chunks.join('');
        const { bytes, skipped } = bytesAfter(size, chunks);
        expect(bytes).toBe(all.slice(-size));
        expect(skipped).toBe(Math.max(0, all.length - size));
        for (const name of readdirSync(dir)) rmSync(join(dir, name));
      },
    ),
  );
});

test('the error names the file, which only its owner may read; the newest five stay', () => {
  const made = recorder(100);
  made.read(Buffer.from('bytes'));
  const paths: string[] = [];
  for (let i = 0; i < 7; i += 1) {
    const error = made.dump(FAILURE);
    const path = String(error.facts['recording']);
    expect(error).toMatchObject({ code: 'PG_PROTOCOL', facts: { offset: 3 } });
    expect(error.message).toContain(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    paths.push(path);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2); // names differ by the millisecond
  }
  expect(readdirSync(dir).toSorted()).toEqual(paths.slice(-5).map((path) => path.slice(dir.length + 1)));
});

test('a file that cannot be written does not hide the error', () => {
  const made = new FlightRecorder({
    bytes: 10,
    dir: join(dir, 'none'),
    slot: 'a',
    epoch: 1,
    publications: [],
  });
  made.read(Buffer.from('x'));
  expect(made.dump(FAILURE).message).toContain('a row cut short. No recording:');
});

test('relations announced before the first byte that is kept are in the header, in the shape of that time', () => {
  const made = recorder(10);
  for (const table of ['a', 'b', 'c', 'd']) {
    made.read(Buffer.from('12345'));
    made.relation(relation(table));
  }
  const { header } = readRecording(readFileSync(String(made.dump(FAILURE).facts['recording'])));
  expect(header.relations).toEqual([relation('b')]);
  expect(header.lateRelations).toEqual([relation('c')]);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['no header', Buffer.from('hello\n')],
  ['another JSON', Buffer.from('{"magic":"x"}\n')],
  ['a newer version', Buffer.from('{"magic":"pgstream-frames","version":2}\n')],
])('%s is refused', (_, file) => {
  expect(() => readRecording(file)).toThrow('RECORDING_UNREADABLE');
});

test('spoilt bytes end in a typed error or in records, never in anything else', () => {
  const { header, bytes } = readRecording(FIXTURE);
  const codes = new Set<string | undefined>();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 8 }),
      fc.nat(bytes.length),
      fc.boolean(),
      (edits, length, wrapped) => {
        const spoilt = Buffer.from(bytes.subarray(0, length));
        for (const [at, value] of edits) if (at < length) spoilt[at] = value;
        const recording = { header: { ...header, skippedBytes: wrapped ? 1 : 0 }, bytes: spoilt };
        const { error } = replayRecording(readRecording(writeRecording(recording)), () => undefined);
        codes.add(error?.code);
        return error === null || error.code === 'PG_PROTOCOL';
      },
    ),
    { numRuns: 2000 },
  );
  expect(codes).toEqual(new Set([undefined, 'PG_PROTOCOL']));
});
