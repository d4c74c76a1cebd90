import { figureOf, NOISY } from './compare-checks.ts';
import type { Drained } from './compare-drain.ts';
import type { LoadName } from './compare-load.ts';
import { PGSTREAM, TUNED_DEBEZIUM } from './names.ts';

const HEAD = [
  'rows/s',
  'x tuned',
  'CPU s/M',
  'PostgreSQL',
  'broker',
  'RSS MB',
  'log MB',
  'noise',
  'noisy rounds',
];

/** What was measured on one kind of WAL, ready to be printed: a row per system, its name in front. */
export interface ComparisonTable {
  readonly load: LoadName;
  readonly head: readonly string[];
  readonly rows: ReadonlyArray<readonly string[]>;
}

/** Medians over quiet rounds, the peak of memory over all, and how many rounds were noisy. */
export function comparisonTables(drains: readonly Drained[]): ComparisonTable[] {
  return [...new Set(drains.map(({ load }) => load))].map((load) => {
    const mine = drains.filter((one) => one.load === load);
    const systems = [...new Set(mine.map(({ system }) => system))];
    return { load, head: HEAD, rows: systems.map((system) => rowOf(mine, { system, load })) };
  });
}

function rowOf(drains: readonly Drained[], which: Pick<Drained, 'system' | 'load'>): string[] {
  const mine = drains.filter(({ system }) => system === which.system);
  const tuned = figureOf(drains, { ...which, system: TUNED_DEBEZIUM }, (one) => one.rowsPerS);
  const median = (figure: (one: Drained) => number) => figureOf(drains, which, figure) ?? 0;
  const rate = median((one) => one.rowsPerS);
  const noisy = mine.filter(({ noise }) => noise > NOISY).length;
  return [
    which.system,
    Math.round(rate).toLocaleString('en-US'),
    tuned === undefined ? '–' : (rate / tuned).toFixed(2),
    median((one) => one.cpuS).toFixed(2),
    median((one) => one.postgresCpuS).toFixed(2),
    orNothing(
      median((one) => one.brokerCpuS),
      2,
    ),
    orNothing(Math.max(...mine.map(({ peakRssMb }) => peakRssMb)), 0),
    orNothing(median((one) => one.logBytes) / 1e6, 1),
    `${(median((one) => one.noise) * 100).toFixed(0)} %`,
    `${noisy} of ${mine.length}`,
  ];
}

/** Why pgstream is not faster on each kind of WAL, ready to be printed. */
export const LIMITS_HEAD = [
  '',
  'PostgreSQL, µs/row',
  'rows/s that one core of it sends',
  'x tuned',
  'pgstream, of that',
  'cores in use',
];

export function limits(drains: readonly Drained[]): string[][] {
  return [...new Set(drains.map(({ load }) => load))].flatMap((load) => {
    const of = (system: string, figure: (one: Drained) => number) =>
      figureOf(drains, { system, load }, figure) ?? 0;
    const tuned = of(TUNED_DEBEZIUM, (one) => one.rowsPerS);
    const rate = of(PGSTREAM, (one) => one.rowsPerS);
    const postgresUs = of(PGSTREAM, (one) => one.postgresCpuS);
    const allUs = of(PGSTREAM, (one) => one.cpuS + one.postgresCpuS + one.brokerCpuS);
    if (tuned === 0 || postgresUs === 0) return [];
    const most = 1e6 / postgresUs;
    const share = `${((rate / most) * 100).toFixed(0)} %`;
    const cores = ((rate * allUs) / 1e6).toFixed(2);
    return [
      [
        load,
        postgresUs.toFixed(2),
        Math.round(most).toLocaleString('en-US'),
        (most / tuned).toFixed(2),
        share,
        cores,
      ],
    ];
  });
}

/** The reference has no log, no broker and no memory that anybody looked at. */
function orNothing(value: number, digits: number): string {
  return value === 0 ? '–' : value.toFixed(digits);
}
