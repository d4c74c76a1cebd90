import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SegmentLog } from './segment-log.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'segments-'))));
afterEach(() => rmSync(dir, { recursive: true }));

/** A batch of `count` records, its body unreadable. */
function batch(count: number, appendMs: number, bodyBytes = 100): Buffer {
  const bytes = Buffer.alloc(61 + bodyBytes, 0xff);
  bytes.writeInt32BE(61 + bodyBytes - 12, 8);
  bytes.writeBigInt64BE(BigInt(appendMs), 35);
  bytes.writeInt32BE(count, 57);
  return bytes;
}

const write = (segment: number, ...batches: readonly Buffer[]) =>
  appendFileSync(join(dir, `${String(segment).padStart(20, '0')}.log`), Buffer.concat(batches));

test('an empty log has nothing in it', () => {
  write(0);
  expect(new SegmentLog(dir).look()).toMatchObject({ records: 0, bytes: 0, firstAppendMs: 0 });
});

test('counts records, bytes and times over segments, whatever the batches hold', () => {
  write(0, batch(3, 1_000), batch(5, 1_200, 40));
  write(8, batch(2, 1_500));
  expect(new SegmentLog(dir).look()).toEqual({
    records: 10,
    bytes: 161 + 101 + 161,
    firstRecords: 3,
    firstAppendMs: 1_000,
    lastAppendMs: 1_500,
  });
});

test('goes on where it was: more of the same segment, then the next', () => {
  const log = new SegmentLog(dir);
  write(0, batch(3, 1_000));
  expect(log.look().records).toBe(3);
  write(0, batch(4, 1_100));
  write(7, batch(1, 1_300));
  expect(log.look()).toMatchObject({ records: 8, firstAppendMs: 1_000, lastAppendMs: 1_300 });
  expect(log.look().records).toBe(8);
});

test('a header that is not whole yet is read when it is', () => {
  const log = new SegmentLog(dir);
  const whole = batch(3, 1_000);
  write(0, whole.subarray(0, 30));
  expect(log.look().records).toBe(0);
  write(0, whole.subarray(30));
  expect(log.look().records).toBe(3);
});
