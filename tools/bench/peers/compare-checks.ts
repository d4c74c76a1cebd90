import type { Check } from '../../product/screen.ts';
import { median } from '../processes.ts';
import type { Drained } from './compare-drain.ts';
import type { LoadName } from './compare-load.ts';
import { PGSTREAM, TUNED_DEBEZIUM, UNPACKED_PGSTREAM } from './names.ts';

interface Targets {
  /** Times the rate of tuned Debezium. */
  readonly faster: number;
  /** CPU of the producer, microseconds per row. */
  readonly cpuUs: number;
}

/** The other kinds of WAL are measured for comparison. */
const TARGETS: Readonly<Partial<Record<LoadName, Targets>>> = {
  narrow: { faster: 6, cpuUs: 3 },
  wide: { faster: 5, cpuUs: 6 },
  single: { faster: 4.5, cpuUs: 7.5 },
};
const MAX_RSS_MB = 140;
/** Times that the log is smaller with zstd than without. */
const MIN_SMALLER = 8;

/** Above it somebody else had so much of the machine that a rate says little. */
export const NOISY = 0.1;

/** Rounds in which nobody else worked; all of them where that was never so. */
export function quiet(drains: readonly Drained[]): readonly Drained[] {
  const calm = drains.filter(({ noise }) => noise <= NOISY);
  return calm.length > 0 ? calm : drains;
}

/** The median over the quiet rounds; `undefined` for a system that did not take part. */
export function figureOf(
  drains: readonly Drained[],
  { system, load }: { readonly system: string; readonly load: LoadName },
  figure: (one: Drained) => number,
): number | undefined {
  const mine = drains.filter((one) => one.system === system && one.load === load);
  return mine.length === 0 ? undefined : median(quiet(mine).map(figure));
}

/** Only what can be judged by the systems and loads that took part. */
export function checksOf(drains: readonly Drained[]): Check[] {
  const loads = [...new Set(drains.map(({ load }) => load))];
  return loads.flatMap((load) => [
    ...againstTuned(drains, load),
    ...ofOurs(drains, load),
    ...packing(drains, load),
  ]);
}

function againstTuned(drains: readonly Drained[], load: LoadName): Check[] {
  const ratio = ratioOf(drains, load, [PGSTREAM, TUNED_DEBEZIUM], (one) => one.rowsPerS);
  const name = `${load}: rate against ${TUNED_DEBEZIUM}`;
  const target = TARGETS[load]?.faster;
  return ratio === undefined || target === undefined ? [] : [atLeast(name, ratio, 'x', target)];
}

function ofOurs(drains: readonly Drained[], load: LoadName): Check[] {
  const cpuUs = figureOf(drains, { system: PGSTREAM, load }, (one) => one.cpuS);
  const target = TARGETS[load]?.cpuUs;
  if (cpuUs === undefined || target === undefined) return [];
  const mine = drains.filter((one) => one.system === PGSTREAM && one.load === load);
  const rssMb = Math.max(...mine.map(({ peakRssMb }) => peakRssMb));
  return [
    // seconds per million rows are microseconds per row
    atMost(`${load}: producer CPU per row`, cpuUs, 'µs', target),
    atMost(`${load}: producer peak RSS`, rssMb, 'MB', MAX_RSS_MB),
  ];
}

function packing(drains: readonly Drained[], load: LoadName): Check[] {
  const rate = ratioOf(drains, load, [PGSTREAM, UNPACKED_PGSTREAM], (one) => one.rowsPerS);
  const size = ratioOf(drains, load, [UNPACKED_PGSTREAM, PGSTREAM], (one) => one.logBytes);
  if (rate === undefined || size === undefined || TARGETS[load] === undefined) return [];
  const checks = [atLeast(`${load}: rate with zstd against without`, rate, 'x', 1)];
  return load === 'single'
    ? checks
    : [...checks, atLeast(`${load}: log without zstd against with`, size, 'x', MIN_SMALLER)];
}

// oxlint-disable-next-line max-params -- a quotient of two systems
function ratioOf(
  drains: readonly Drained[],
  load: LoadName,
  [over, under]: readonly [string, string],
  figure: (one: Drained) => number,
): number | undefined {
  const above = figureOf(drains, { system: over, load }, figure);
  const below = figureOf(drains, { system: under, load }, figure);
  return above === undefined || below === undefined ? undefined : above / below;
}

function atLeast(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value >= target };
}

function atMost(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value <= target };
}
