import { checksOf, figureOf } from './compare-checks.ts';
import type { Drained } from './compare-drain.ts';

const drained = (system: string, changes: Partial<Drained> = {}): Drained => ({
  system,
  load: 'narrow',
  round: 1,
  rowsPerS: 100_000,
  cpuS: 2,
  postgresCpuS: 3,
  brokerCpuS: 0.3,
  peakRssMb: 120,
  logBytes: 1_000,
  noise: 0.01,
  ...changes,
});

const passed = (drains: readonly Drained[]) =>
  Object.fromEntries(checksOf(drains).map(({ name, pass }) => [name, pass]));

const GOOD = [
  drained('pgstream', { rowsPerS: 300_000 }),
  drained('pgstream, no zstd', { rowsPerS: 250_000, logBytes: 20_000 }),
  drained('Debezium tuned', { rowsPerS: 43_000 }),
  drained('reference reader', { rowsPerS: 170_000 }),
];

test('a run within every target passes every check', () => {
  expect(passed(GOOD)).toEqual({
    'narrow: rate against Debezium tuned': true,
    "narrow: rate against the reference reader's on narrow rows": true,
    'narrow: producer CPU per row': true,
    'narrow: producer peak RSS': true,
    'narrow: rate with zstd against without': true,
    'narrow: log without zstd against with': true,
  });
});

test.each([
  ['narrow: rate against Debezium tuned', 'Debezium tuned', { rowsPerS: 50_100 }],
  ["narrow: rate against the reference reader's on narrow rows", 'reference reader', { rowsPerS: 177_000 }],
  ['narrow: producer CPU per row', 'pgstream', { rowsPerS: 300_000, cpuS: 3.1 }],
  ['narrow: producer peak RSS', 'pgstream', { rowsPerS: 300_000, peakRssMb: 141 }],
  ['narrow: rate with zstd against without', 'pgstream, no zstd', { rowsPerS: 300_001, logBytes: 20_000 }],
  ['narrow: log without zstd against with', 'pgstream, no zstd', { rowsPerS: 250_000, logBytes: 7_999 }],
])('%s fails when it is missed', (name, system, changes) => {
  const drains = GOOD.map((one) => (one.system === system ? drained(system, changes) : one));
  expect(Object.entries(passed(drains)).filter(([, pass]) => !pass)).toEqual([[name, false]]);
});

test.each([
  [154_800, true],
  [154_600, false],
])('%i wide rows/s beside 170,000 narrow ones of the reference: %s', (rowsPerS, pass) => {
  // 1.7 * 142 / 265 are 0.91, of 170,000 154,700
  const drains = [
    drained('pgstream', { load: 'wide', rowsPerS }),
    drained('reference reader', { rowsPerS: 170_000 }),
  ];
  expect(passed(drains)["wide: rate against the reference reader's on narrow rows"]).toBe(pass);
});

test('what did not take part is not judged', () => {
  expect(Object.keys(passed([drained('pgstream')]))).toEqual([
    'narrow: producer CPU per row',
    'narrow: producer peak RSS',
  ]);
  expect(passed([drained('Debezium tuned')])).toEqual({});
});

test('peak memory is the worst of all rounds, noisy ones included', () => {
  const drains = [drained('pgstream'), drained('pgstream', { peakRssMb: 150, noise: 0.5 })];
  expect(passed(drains)['narrow: producer peak RSS']).toBe(false);
});

const rate = (drains: readonly Drained[]) =>
  figureOf(drains, { system: 'pgstream', load: 'narrow' }, (one) => one.rowsPerS);
const rounds = (noise: readonly number[]) =>
  [1, 2, 3].map((rowsPerS, i) => drained('pgstream', { rowsPerS, noise: noise[i] ?? 0 }));

describe('the median of a system', () => {
  test('leaves noisy rounds out', () => expect(rate(rounds([0.5, 0.05, 0.05]))).toBe(2.5));
  test('takes them where all are', () => expect(rate(rounds([0.5, 0.5, 0.5]))).toBe(2));
  test('is not there without rounds', () => expect(rate([])).toBeUndefined());
});
