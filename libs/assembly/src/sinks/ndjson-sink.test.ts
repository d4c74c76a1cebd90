import { Buffer } from 'node:buffer';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  encodeRecord,
  parseLsn,
  RecordBatchBuilder,
  type ChangeRecord,
  type RecordBatch,
} from '@pgstream/wal-event';
import { FileSink, StreamSink } from './ndjson-sink.ts';

const dir = mkdtempSync(join(tmpdir(), 'ndjson-'));
afterAll(() => rmSync(dir, { recursive: true }));

const table = { schema: 'app', table: 't', tableId: 'x', keyColumnIds: [] };

function record(seq: number): ChangeRecord {
  return {
    action: 'M',
    timestamp: '2026-11-21 09:14:10.325235+00',
    position: { commitLsn: parseLsn('0/64'), seq, sub: 1 },
    epoch: 1,
    xid: 7,
    lsn: parseLsn('0/60'),
    schema: '',
    table: '',
    columns: null,
    identity: null,
    message: { prefix: 'p', content: `${seq}`.repeat(50) },
    tableId: '',
    keyColumnIds: null,
    unchanged: [],
    snapshot: false,
  };
}

function batch(...seqs: number[]): RecordBatch {
  const builder = new RecordBatchBuilder(16);
  builder.epoch = 1;
  for (const seq of seqs) {
    const value = encodeRecord(record(seq));
    builder.reserve(value.length);
    value.copy(builder.bytes, builder.length);
    const entry = { action: 0x4d, commitLsn: 0x64n, seq, sub: 1, commitTimeMs: 0, table } as const;
    builder.push(entry, builder.length + value.length);
  }
  return builder;
}

async function write(sink: FileSink | StreamSink, ...seqs: number[]): Promise<number> {
  let settled = 0;
  await sink.write(batch(...seqs), { settled: () => (settled += 1), failed: () => {} });
  return settled;
}

const seqsIn = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).seq);

test('a file gets each record once, over restarts and repetitions', async () => {
  const path = join(dir, 'once.ndjson');
  const first = await FileSink.open(path);
  expect(await write(first, 0, 1, 2)).toBe(1);
  await first.close();
  const second = await FileSink.open(path);
  expect(await write(second, 1, 2, 3)).toBe(1);
  expect(await write(second, 2, 3)).toBe(1);
  await second.close();
  expect(seqsIn(readFileSync(path, 'utf8'))).toEqual([0, 1, 2, 3]);
});

test('a line that a crash cut in half is removed, however long the one before it is', async () => {
  const path = join(dir, 'torn.ndjson');
  writeFileSync(path, '');
  appendFileSync(path, Buffer.concat([encodeRecord(record(0)), Buffer.from('\n')]));
  const long = { ...record(1), message: { prefix: 'p', content: 'x'.repeat(200_000) } };
  appendFileSync(path, Buffer.concat([encodeRecord(long), Buffer.from('\n')]));
  appendFileSync(path, encodeRecord(record(2)).subarray(0, 40));
  const sink = await FileSink.open(path);
  await write(sink, 0, 1, 2, 3);
  await sink.close();
  expect(seqsIn(readFileSync(path, 'utf8'))).toEqual([0, 1, 2, 3]);
});

test.each(['dear diary\n', 'dear diary', '{}\nnotes'])(
  'a file of something else (%j) is left alone',
  async (text) => {
    const path = join(dir, 'foreign.txt');
    writeFileSync(path, text);
    await expect(FileSink.open(path)).rejects.toBeInstanceOf(Error);
    expect(readFileSync(path, 'utf8')).toBe(text);
  },
);

test('a batch settles when the stream has taken it', async () => {
  const out = new PassThrough({ highWaterMark: 1 });
  const sink = new StreamSink(out);
  let done = false;
  const writing = write(sink, 0, 1).then(() => (done = true));
  await new Promise((resolve) => setImmediate(resolve));
  const text = String(out.read());
  await writing;
  expect(done).toBe(true);
  expect(seqsIn(text)).toEqual([0, 1]);
});
