import { Buffer } from 'node:buffer';
import * as zlib from 'node:zlib';
import { zstdCompressSync } from '../protocol/zstd.ts';
import { Unpacker } from './unpacker.ts';

const [GZIP, ZSTD] = [1, 4];
/** Rows that resemble each other, and noise: batches of very different ratios. */
const like = (bytes: number) => Buffer.alloc(bytes, 'a row of the same table, ');
const noise = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24));

afterEach(() => jest.restoreAllMocks());

test.each([
  ['zstd', ZSTD, zstdCompressSync],
  ['gzip', GZIP, zlib.gzipSync],
])('%s: what was packed, whatever the batches before were like', (_name, codec, pack) => {
  const unpacker = new Unpacker();
  const bodies = [noise(10), like(3_000_000), noise(200_000), like(100), Buffer.alloc(0), like(9_000_000)];
  for (const body of [...bodies, ...bodies.toReversed()]) {
    expect(unpacker.unpack(codec, pack(body), 7).equals(body)).toBe(true);
  }
});

test('the second of two batches that resemble each other is unpacked in one piece', () => {
  const unpacker = new Unpacker();
  const packed = zlib.gzipSync(like(1_000_000));
  const joined = jest.spyOn(Buffer, 'concat');
  unpacker.unpack(GZIP, packed, 0);
  const firstTime = joined.mock.calls.length;
  unpacker.unpack(GZIP, packed, 0);
  expect([firstTime, joined.mock.calls.length]).toEqual([1, 1]);
});

test.each([
  ['that is no zstd', ZSTD, 'KAFKA_RECORDS_CORRUPT', 'The batch at offset 7 cannot be unpacked.'],
  ['that is no gzip', GZIP, 'KAFKA_RECORDS_CORRUPT', 'The batch at offset 7 cannot be unpacked.'],
  ['of lz4', 3, 'KAFKA_CODEC_UNSUPPORTED', 'The batch at offset 7 uses codec lz4.'],
])('a batch %s is an error that names its offset', (_what, codec, code, detail) => {
  const unpack = () => new Unpacker().unpack(codec, Buffer.from('nonsense'), 7);
  expect(unpack).toThrow(expect.objectContaining({ code }));
  expect(unpack).toThrow(detail);
});
