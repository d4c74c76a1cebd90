import type { Check } from '../../product/screen.ts';
import { median } from '../processes.ts';
import type { Drained } from './compare-drain.ts';
import type { LoadName } from './compare-load.ts';
import { PGSTREAM, REFERENCE, TUNED_DEBEZIUM, UNPACKED_PGSTREAM } from './names.ts';

interface Targets {
  /** Times the rate of tuned Debezium. */
  readonly faster: number;
  /** Times the reference reader's rate on narrow rows: what several times the Go pgstream's best would be. */
  readonly ofReference: number;
  /** CPU of the producer, microseconds per row. */
  readonly cpuUs: number;
}

/**
 * 3, 2.7 and 1.4 times the tuned Go pgstream's rate were 265,000, 142,000 and 110,000 rows/s, where 1.7 times the reference
 * reader's rate on narrow rows was the first of them.
 */
const ofReference = (rowsPerS: number) => Math.round(170 * (rowsPerS / 265_000)) / 100;

/** The other kinds of WAL are measured for comparison. */
const TARGETS: Readonly<Partial<Record<LoadName, Targets>>> = {
  narrow: { faster: 6, ofReference: ofReference(265_000), cpuUs: 3 },
  wide: { faster: 5, ofReference: ofReference(142_000), cpuUs: 6 },
  single: { faster: 4.5, ofReference: ofReference(110_000), cpuUs: 7.5 },
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
    ...againstReference(drains, load),
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

function againstReference(drains: readonly Drained[], load: LoadName): Check[] {
  const rateOf = (system: string, on: LoadName) =>
    figureOf(drains, { system, load: on }, (one) => one.rowsPerS);
  const [ours, reference, target] = [
    rateOf(PGSTREAM, load),
    rateOf(REFERENCE, 'narrow'),
    TARGETS[load]?.ofReference,
  ];
  if (ours === undefined || reference === undefined || target === undefined) return [];
  return [atLeast(`${load}: rate against the ${REFERENCE}'s on narrow rows`, ours / reference, 'x', target)];
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
