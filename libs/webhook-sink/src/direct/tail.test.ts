import { decodeRecord, valueAt, type RecordBatch } from '@pgstream/wal-event';
import { batchOf, change } from '../../test/records.ts';
import { reachedBefore, reachedText } from './stream-position.ts';
import { Tail } from './tail.ts';

const OUTCOME = { settled: () => {}, failed: () => {} };

const offsetsOf = ({ offsets, count }: RecordBatch) => Array.from(offsets ?? []).slice(0, count);
const seqs = (batch: RecordBatch) =>
  Array.from({ length: batch.count }, (_, i) => decodeRecord(valueAt(batch, i)).position.seq);
const positionOf = (n: number, seq: number) => {
  const { commitLsn } = change(n).position;
  return reachedText(1, { commitLsn, seq, sub: 1 });
};

test('offsets are LSNs of commits, and grow where a transaction has more changes than bytes', () => {
  const tail = new Tail(1);
  const held = tail.append(batchOf([10, 2], [20, 100], [21, 1], [50, 1]), OUTCOME);
  const offsets = offsetsOf(held.batch);
  expect([offsets[0], offsets[1], offsets[2], offsets[101], offsets[102], offsets[103]]).toEqual([
    80, 81, 160, 259, 260, 400,
  ]);
  expect([tail.end, held.endOffset]).toEqual([401, 401]);
});

test('offsets go on behind those that earlier processes have used', () => {
  const tail = new Tail(1000);
  expect(offsetsOf(tail.append(batchOf([10, 2]), OUTCOME).batch)).toEqual([1000, 1001]);
});

test('what comes again over another connection is offered to nobody, and settles with what it repeats', () => {
  const tail = new Tail(1);
  const first = tail.append(batchOf([10, 3]), OUTCOME);
  const again = tail.append(batchOf([10, 3], [11, 1]), OUTCOME);
  expect([again.firstNew, offsetsOf(again.batch)]).toEqual([3, [82, 82, 82, 88]]);
  const all = tail.append(batchOf([11, 1]), OUTCOME);
  expect([all.firstNew, all.endOffset, first.endOffset]).toEqual([1, 89, 83]);
});

test('a position says where to go on, to the record, also inside a transaction', () => {
  const tail = new Tail(1);
  tail.append(batchOf([10, 3]), OUTCOME);
  tail.append(batchOf([11, 2]), OUTCOME);
  expect(tail.firstAfter(positionOf(10, 1))).toBe(82);
  expect(tail.firstAfter(reachedBefore(1, 88n))).toBe(88);
  expect(tail.firstAfter(positionOf(11, 1))).toBe(tail.end);
  expect([tail.reachedAt(82), tail.reachedAt(88), tail.reachedAt(tail.end)]).toEqual([
    positionOf(10, 1),
    positionOf(10, 2),
    positionOf(11, 1),
  ]);
  expect(tail.reachedAt(80)).toBeUndefined();
  tail.leave();
  expect([tail.start, tail.reachedAt(80)]).toEqual([83, positionOf(10, 2)]);
});

test('it is read from any offset in pieces, which outlive the batches', () => {
  const tail = new Tail(1);
  tail.append(batchOf([10, 3]), OUTCOME);
  tail.append(batchOf([11, 2]), OUTCOME);
  const whole = tail.chunk(81, 1_000_000);
  expect([seqs(whole.batch), offsetsOf(whole.batch), whole.nextOffset]).toEqual([
    [1, 2, 0, 1],
    [81, 82, 88, 89],
    90,
  ]);
  const piece = tail.chunk(81, 1);
  expect([offsetsOf(piece.batch), piece.nextOffset]).toEqual([[81], 82]);
  expect(tail.chunk(90, 1_000_000)).toMatchObject({ batch: { count: 0 }, nextOffset: 90 });
});

test('points in the stream sort as it runs, over epochs too', () => {
  const { commitLsn } = change(1).position;
  const at = (epoch: number, seq: number) => reachedText(epoch, { commitLsn, seq, sub: 1 });
  const points = [reachedBefore(9, 8n), at(9, 2), at(9, 10), reachedBefore(10, 1n), at(10, 0)];
  expect(points.toSorted()).toEqual(points);
});
