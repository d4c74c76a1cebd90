import fc from 'fast-check';
import { Watermark } from './watermark.ts';

test('a checkpoint becomes safe only when every batch before it has settled, in whatever order they settle', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ rank: fc.double({ noNaN: true }), hasCheckpoint: fc.boolean() })),
      (batches) => {
        const watermark = new Watermark<number>();
        const settle = batches.map(({ hasCheckpoint }, i) => watermark.track(hasCheckpoint ? i : undefined));
        const order = batches.map((_, i) => i).toSorted((a, b) => batches[a]!.rank - batches[b]!.rank);
        const settled = new Set<number>();
        let confirmed = -1;
        for (const i of order) {
          settle[i]!();
          settled.add(i);
          const safe = watermark.take();
          if (safe === undefined) continue;
          expect(safe).toBeGreaterThan(confirmed);
          confirmed = safe;
          for (let before = 0; before <= safe; before++) expect(settled).toContain(before);
        }
        expect(watermark.outstanding).toBe(0);
        expect(confirmed).toBe(batches.findLastIndex((batch) => batch.hasCheckpoint));
      },
    ),
  );
});

test('a batch inside a transaction confirms nothing by itself', () => {
  const watermark = new Watermark<string>();
  watermark.track(undefined)();
  expect(watermark.take()).toBeUndefined();
  const last = watermark.track('commit');
  last();
  expect(watermark.take()).toBe('commit');
  expect(watermark.take()).toBeUndefined();
});
