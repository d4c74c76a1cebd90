import { latencyPlots, latencySection } from '../latency/latency-page.ts';
import type { LatencyFigures } from '../latency/latency.ts';
import { distribution, timeline, type Travel } from '../latency/percentiles.ts';
import type { ScalePoint } from '../scale/flatness.ts';
import { scalePlots, scaleSection } from '../scale/scale-page.ts';
import type { ScaleFigures } from '../scale/scale.ts';

const FACTS = { measuredOn: '2026-01-02', machine: { cpu: 'a CPU', cores: 2, memoryGb: 24, node: 'v22' } };
const CHECKS = [{ name: 'p50', value: 1.5, unit: 'ms', target: 2, pass: true }];
const TRAVELS = Array.from({ length: 200 }, (_, i): Travel => {
  return { committedUs: i * 5_000, arrivedUs: i * 5_000 + 1_000 + i * 10 };
});

const LATENCY: LatencyFigures = {
  checks: CHECKS,
  rates: [
    { system: 'pgstream', commitsPerS: 200, reachedPerS: 199.6, ...distribution(TRAVELS), noiseCores: 0.01 },
  ],
  recovery: {
    commitsPerS: 200,
    bulkRows: 1_000_000,
    bulkSeconds: 4.56,
    limitMs: 10,
    recoveryMs: 1234.5,
    timeline: timeline(TRAVELS, 500_000, 0.1),
    noiseCores: 0.01,
  },
};

const point = (of: number, cpuUsPerRow: number): ScalePoint => ({
  of,
  cpuUsPerRow,
  rowsPerS: 300_000,
  peakRssMb: 128.4,
  rows: 1_000_000,
});
const SCALE: ScaleFigures = {
  checks: CHECKS,
  isQuick: false,
  curves: {
    rows: [point(10_000, 2.2), point(10_000_000, 2)],
    tables: [point(1, 2), point(1_000, 2.4)],
    partitions: [point(1, 2), point(48, 2.1)],
  },
  transaction: { ...point(1_000_000, 2), waitS: 1.25, smallRowsPerS: 310_000 },
  manyTables: { schemas: 1_000, tables: 5_000, initS: 20, readyS: 1.5, startS: 2.5, peakRssMb: 200 },
  noiseCores: 0.02,
};

test('a section has its figures, and shows each plot that is made for it', () => {
  const run = { ...LATENCY, ...FACTS };
  const text = latencySection(run).join('\n\n');
  expect(text).toContain('| pgstream | 200 (200 reached) | 200 | 2.0 | 2.8 | 3.0 | 3.0 | 3.0 | 0.01 |');
  expect(text).toContain('take at most 10.0 ms again: 1,235 ms');
  expect(text).toContain('| p50 | 1.50 ms | 2 ms | yes |');
  for (const [file, svg] of latencyPlots(run)) {
    expect(text).toContain(`](${file})`);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('a latency that did not come back is said in words', () => {
  const recovery = { ...LATENCY.recovery, recoveryMs: null };
  expect(latencySection({ ...LATENCY, ...FACTS, recovery }).join()).toContain('never in the time watched');
});

test('every curve of scale has its table, its steepness and its plot', () => {
  const run = { ...SCALE, ...FACTS };
  const text = scaleSection(run).join('\n\n');
  expect(text).toContain('| 10,000,000 | 2.00 | 300,000 | 128 |');
  expect(text).toContain('Dearest over cheapest: 1.20.');
  const plots = scalePlots(run);
  expect(plots).toHaveLength(3);
  for (const [file, svg] of plots) {
    expect(text).toContain(`](${file})`);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test('figures of a quick run are not for the page', () => {
  expect(() => scaleSection({ ...SCALE, ...FACTS, isQuick: true })).toThrow('--quick');
});
