import fc from 'fast-check';
import { parseLsn, type Lsn } from '@pgstream/wal-event';
import { BatchCutter } from './batch-cutter.ts';
import { BatchPool, type PooledBatch } from './batch-pool.ts';

const lsn = (n: number): Lsn => parseLsn(`0/${n.toString(16)}`);
const table = { schema: 's', table: 't', tableId: 't1', keyColumnIds: [] };

function setup(batchBytes: number, budgetBytes = 64 * 1024 * 1024) {
  const pool = new BatchPool({ budgetBytes, batchBytes }, () => {});
  const cutter = new BatchCutter(pool, batchBytes);
  let n = 0;
  const record = (size: number) => {
    if (!cutter.hasRoom()) return false;
    const out = cutter.target;
    out.reserve(size);
    out.bytes.fill(n % 256, out.length, out.length + size);
    const entry = { action: 0x49, commitLsn: 1n, seq: n++, sub: 1 as const, commitTimeMs: 0, table };
    out.push(entry, out.length + size);
    return true;
  };
  return { pool, cutter, record };
}

/** The bytes of every record say which it is. */
function seqsOf(batch: PooledBatch): number[] {
  return Array.from({ length: batch.count }, (_, i) => {
    const value = batch.bytes.subarray(batch.starts[i], batch.ends[i]);
    expect(value.every((byte) => byte === batch.seqs[i]! % 256)).toBe(true);
    return batch.seqs[i]!;
  });
}

test('a batch ends at the last commit and says so; the rest waits for its own', () => {
  const { cutter, record } = setup(1000);
  record(10);
  record(10);
  cutter.boundary(lsn(100));
  record(10);
  const first = cutter.take()!;
  expect([seqsOf(first), first.checkpoint]).toEqual([[0, 1], { endLsn: lsn(100) }]);
  expect(cutter.take()).toBeUndefined();
  cutter.boundary(lsn(200));
  const second = cutter.take()!;
  expect([seqsOf(second), second.checkpoint]).toEqual([[2], { endLsn: lsn(200) }]);
});

test('a long transaction is cut inside, and its commit still finds a batch to stand behind', () => {
  const { cutter, record } = setup(1000);
  for (let i = 0; i < 20; i++) record(100);
  const cut = [cutter.take()!, cutter.take()!];
  expect(cut.map((batch) => batch.checkpoint)).toEqual([undefined, undefined]);
  cutter.boundary(lsn(300));
  const last = cutter.take()!;
  expect(last.count).toBeGreaterThan(0);
  expect(last.checkpoint).toEqual({ endLsn: lsn(300) });
  expect([...cut, last].flatMap(seqsOf)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});

test('without memory nothing is decoded until a batch comes back', () => {
  const { cutter, record } = setup(1000, 0);
  let written = 0;
  while (written < 1000 && record(100)) written++;
  expect(written).toBeLessThan(100);
  expect(cutter.hasRoom()).toBe(false);
  const batch = cutter.take()!;
  expect(cutter.hasRoom()).toBe(false);
  batch.release();
  batch.release();
  expect(cutter.hasRoom()).toBe(true);
});

test('any mix of records, commits and readers: all records in order, every commit covered in the end', () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ do: fc.constant('record' as const), size: fc.integer({ min: 1, max: 400 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'commit' as const, size: 0 }) },
    { weight: 1, arbitrary: fc.constant({ do: 'take' as const, size: 0 }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { cutter, record } = setup(1000);
      const seen: number[] = [];
      const boundaries = new Map<bigint, number>();
      let written = 0;
      let clock = 0;
      const commit = () => {
        clock++;
        boundaries.set(lsn(clock), written);
        cutter.boundary(lsn(clock));
      };
      const take = () => {
        const batch = cutter.take();
        if (batch === undefined) return false;
        seen.push(...seqsOf(batch));
        // A checkpoint covers exactly what was handed out so far
        const { endLsn } = batch.checkpoint ?? { endLsn: undefined };
        expect(endLsn === undefined ? seen.length : boundaries.get(endLsn)).toBe(seen.length);
        batch.release();
        return true;
      };
      for (const one of steps) {
        if (one.do === 'record') {
          if (record(one.size)) written++;
        } else if (one.do === 'commit') commit();
        else take();
      }
      record(1);
      written++;
      commit();
      while (take());
      expect(seen).toEqual(Array.from({ length: written }, (_, i) => i));
    }),
  );
});
