import { treeCpuS } from './noise.ts';

test('what descends from the bench or its servers is no noise, by whomever it was started', () => {
  const all = new Map([
    [1, { parent: 0, cpuS: 1_000 }],
    [10, { parent: 1, cpuS: 1 }],
    [11, { parent: 10, cpuS: 2 }],
    [12, { parent: 11, cpuS: 4 }],
    [20, { parent: 1, cpuS: 8 }],
    [21, { parent: 20, cpuS: 16 }],
    [30, { parent: 1, cpuS: 32 }],
    [31, { parent: 30, cpuS: 64 }],
  ]);
  expect(treeCpuS(all, [10, 20])).toBe(1 + 2 + 4 + 8 + 16);
});
