import { treeCpuS } from './noise.ts';
import { stolenCpuS } from './processes.ts';

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

test('what the host took is the eighth figure of the first line', () => {
  expect(stolenCpuS('cpu  100 1 20 3000 5 0 7 250 0 0\ncpu0 50 0 10 1500 2 0 3 125 0 0\n')).toBe(2.5);
});
