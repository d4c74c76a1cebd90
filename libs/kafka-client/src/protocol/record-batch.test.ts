import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { readBatches } from './record-batch-reader.ts';
import { RecordBatchWriter, stampBatch, type BatchCodec } from './record-batch-writer.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const record = fc.record({
  key: fc.option(bytes),
  value: bytes,
  timestampMs: fc.nat({ max: 4_000_000_000_000 }),
  headers: fc.array(fc.record({ key: fc.string(), value: bytes }), { maxLength: 3 }),
});
const owner = { producerId: 2n ** 40n + 7n, producerEpoch: 32_000, baseSequence: 2 ** 31 - 5 };

interface Written {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly timestampMs: number;
  readonly headers?: readonly { readonly key: string; readonly value: Buffer }[];
}

function encoded(records: readonly Written[], codec: BatchCodec): Buffer {
  const writer = new RecordBatchWriter(64);
  for (const { key, value, timestampMs, headers = [] } of records) {
    const source = Buffer.concat([Buffer.from('<<'), value, Buffer.from('>>')]);
    writer.add(key, source, 2, 2 + value.length, timestampMs, ...(headers.length > 0 ? [headers] : []));
  }
  const batch = writer.finish(codec);
  stampBatch(batch, owner);
  return batch;
}

test.each<BatchCodec>(['none', 'zstd'])('reads back what was written, %s', (codec) => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
      const [batch] = readBatches(Buffer.from(encoded(records, codec)));
      expect(batch).toMatchObject({ producerId: owner.producerId, producerEpoch: 32_000, isControl: false });
      expect(batch!.records).toEqual(records.map((expected, i) => ({ ...expected, offset: BigInt(i) })));
    }),
  );
});

test('a retry is the same bytes', () => {
  const batch = encoded([{ key: null, value: Buffer.from('v'), timestampMs: 5 }], 'none');
  const before = Buffer.from(batch);
  stampBatch(batch, owner);
  expect(batch).toEqual(before);
});

test('a changed bit is noticed, a cut batch ignored', () => {
  const batch = Buffer.from(encoded([{ key: null, value: Buffer.from('value'), timestampMs: 5 }], 'none'));
  expect(readBatches(batch.subarray(0, batch.length - 1))).toEqual([]);
  batch[70]! ^= 1;
  expect(() => readBatches(batch)).toThrow(/corrupt/);
});

test('a writer is used again without what it held before', () => {
  const writer = new RecordBatchWriter(64);
  const add = (text: string, timestampMs: number) =>
    writer.add(null, Buffer.from(text), 0, text.length, timestampMs);
  add('first', 9_000_000);
  writer.reset();
  add('second', 5);
  add('third', 3);
  const batch = writer.finish('none');
  stampBatch(batch, owner);
  expect(
    readBatches(batch)[0]!.records.map(({ value, timestampMs }) => [value!.toString(), timestampMs]),
  ).toEqual([
    ['second', 5],
    ['third', 3],
  ]);
});
