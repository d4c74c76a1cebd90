import { byMinute, growthMib, slopeMibPerHour } from './slope.ts';

const sample = (minutes: number, rssMib: number) => ({ atMs: minutes * 60_000, rssMib, descriptors: 20 });

test('a size that grows has a slope, one that swings about the same size has none', () => {
  const growing = Array.from({ length: 60 }, (_, i) => sample(i, 100 + i / 2));
  expect(slopeMibPerHour(growing)).toBeCloseTo(30);
  const swinging = Array.from({ length: 60 }, (_, i) => sample(i, 100 + 10 * (i % 2)));
  expect(Math.abs(slopeMibPerHour(swinging) ?? NaN)).toBeLessThan(1);
  expect(slopeMibPerHour([sample(0, 1)])).toBeNull();
});

test('growth leaves the first third out, in which caches fill', () => {
  const filling = Array.from({ length: 90 }, (_, i) => sample(i, Math.min(i, 30)));
  expect(growthMib(filling)).toBeCloseTo(0);
  expect(growthMib(Array.from({ length: 91 }, (_, i) => sample(i, i)))).toBeCloseTo(60);
});

test('a plot gets the last size of each minute', () => {
  const samples = [sample(0, 100), sample(0.5, 101.26), sample(1, 110), sample(3.2, 90)];
  expect(byMinute(samples)).toEqual([
    [0, 101.3],
    [1, 110],
    [3, 90],
  ]);
});
