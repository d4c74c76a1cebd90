import { medianRound, steepness, type ScalePoint } from './flatness.ts';

const point = (of: number, cpuUsPerRow: number, peakRssMb = 100): ScalePoint => ({
  of,
  cpuUsPerRow,
  rowsPerS: 1e6 / cpuUsPerRow,
  peakRssMb,
  rows: 1_000,
});

test('a curve is as steep as its dearest row is dearer than its cheapest, wherever they are', () => {
  expect(steepness([point(1, 2), point(10, 2), point(100, 2)])).toBe(1);
  expect(steepness([point(1, 2), point(10, 3), point(100, 2.5)])).toBe(1.5);
  expect(steepness([point(1, 3), point(10, 2)])).toBe(1.5);
});

test('of several rounds the median one stands, with the memory of the largest', () => {
  expect(medianRound([point(1, 9, 150), point(1, 2, 120), point(1, 3, 130)])).toEqual(point(1, 3, 150));
  expect(medianRound([point(1, 4), point(1, 2)]).cpuUsPerRow).toBe(2);
});
