import { gainOf, type WorkersRun } from './workers.ts';

const run = (workers: number, storeUsPerDoc: number, docsPerS: number, noiseCores = 0): WorkersRun => {
  return { workers, storeUsPerDoc, docsPerS, cpuUsPerDoc: 8, noiseCores };
};

test('the gain of a second worker is that of medians, of the quiet runs with the same store', () => {
  const runs = [
    run(1, 100, 90),
    run(1, 100, 110),
    run(2, 100, 180),
    run(2, 100, 200),
    run(1, 100, 10, 0.5),
    run(2, 100, 90, 0.5),
    run(1, 0, 500),
    run(2, 0, 600),
  ];
  expect(gainOf(runs, 100)).toBeCloseTo(1.9);
  expect(gainOf(runs, 0)).toBeCloseTo(1.2);
});
