import { growthPercent } from './outage.ts';

test('memory that is flat behind its first third has not grown, one that goes on has', () => {
  const filling = Array.from({ length: 90 }, (_, i) => 100 + Math.min(i, 29));
  expect(growthPercent(filling)).toBeCloseTo(0);
  expect(growthPercent(Array.from({ length: 90 }, (_, i) => 100 + i))).toBeGreaterThan(15);
});
