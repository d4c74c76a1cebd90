import { crashLoads, killPoints } from './crash-load.ts';

test('two kills come at 25 and 60 % of the log', () => {
  expect(killPoints(1_000_000, 2)).toEqual([250_000, 600_000]);
});

test.each([1, 2, 3, 7, 50])('%d kills come one after the other and before the end', (kills) => {
  const points = killPoints(10_000, kills);
  expect(points).toHaveLength(kills);
  expect(points).toEqual([...new Set(points)].toSorted((a, b) => a - b));
  expect(points.at(-1)).toBeLessThan(9_600);
});

test('a load has every key twice and one row that ends it, whatever number was asked for', () => {
  const sizes = crashLoads(10_050).map(({ keys, rows }) => [keys, rows]);
  expect(sizes).toEqual([
    [5_100, 10_201],
    [1_005, 2_011],
  ]);
});
