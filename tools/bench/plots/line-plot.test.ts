import { linePlot, powersOfTen, ticksFromZero, type LinePlot } from './line-plot.ts';

const PLOT: LinePlot = {
  title: 'CPU & rows < 10',
  x: { name: 'rows', scale: 'log', ticks: powersOfTen([10, 1000]) },
  y: { name: 'µs', scale: 'linear', ticks: ticksFromZero([4]) },
  series: [
    {
      name: 'a row',
      points: [
        [10, 0],
        [100, 2],
        [1000, 4],
      ],
    },
  ],
  limit: { at: 2, name: 'limit' },
};

function step(from: number[] | undefined, to: number[] | undefined): number[] {
  return to!.map((place, i) => Math.round(place - from![i]!));
}

test('equal factors are equal distances on a logarithmic axis, equal differences on a linear one', () => {
  const [, points = ''] = /points="([^"]+)"/.exec(linePlot(PLOT)) ?? [];
  const [first, second, third] = points.split(' ').map((point) => point.split(',').map(Number));
  expect(step(first, second)).toEqual(step(second, third));
  const [rightwards, upwards] = step(first, second);
  expect(rightwards).toBeGreaterThan(0);
  expect(upwards).toBeLessThan(0);
});

test('the limit lies where a point of its value lies', () => {
  const svg = linePlot(PLOT);
  const [, limitY] = /y1="([\d.]+)"[^>]*stroke-dasharray/.exec(svg) ?? [];
  const [, circleY] = [...svg.matchAll(/<circle cx="[\d.]+" cy="([\d.]+)"/g)][1] ?? [];
  expect(limitY).toBe(circleY);
});

test('names are text, whatever is in them', () => {
  const svg = linePlot(PLOT);
  expect(svg).toContain('>CPU &amp; rows &lt; 10</text>');
  expect(svg).not.toContain('rows < 10');
});

test('a value of nothing has a place on a logarithmic axis', () => {
  const y = { name: 'ms', scale: 'log' as const, ticks: powersOfTen([0, 5]) };
  expect(linePlot({ ...PLOT, y })).not.toMatch(/NaN|Infinity/);
});

test('ticks are round and enclose the values', () => {
  expect(powersOfTen([3, 700]).map(({ label }) => label)).toEqual(['1', '10', '100', '1,000']);
  expect(powersOfTen([0.05, 2]).map(({ label }) => label)).toEqual(['0.01', '0.1', '1', '10']);
  expect(ticksFromZero([4]).map(({ label }) => label)).toEqual(['0', '1', '2', '3', '4']);
  expect(ticksFromZero([1.9]).map(({ label }) => label)).toEqual(['0.0', '0.5', '1.0', '1.5', '2.0']);
});
