import { percentile } from '../../product/screen.ts';

/** When one small commit was made and when its record was read from the topic, microseconds of {@link monotonicUs}. */
export interface Travel {
  readonly committedUs: number;
  readonly arrivedUs: number;
}

export const PLOTTED_PERCENTILES = [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100] as const;

export interface Distribution {
  readonly commits: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
  /** At {@link PLOTTED_PERCENTILES}. */
  readonly curveMs: readonly number[];
}

/** A record may be read before its writer has heard of the commit: it travelled in no time. */
export function latencyMs({ committedUs, arrivedUs }: Travel): number {
  return Math.max(0, arrivedUs - committedUs) / 1000;
}

export function distribution(travels: readonly Travel[]): Distribution {
  const sorted = travels.map(latencyMs).toSorted((a, b) => a - b);
  const at = (share: number) => percentile(sorted, share);
  return {
    commits: sorted.length,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: at(100),
    curveMs: PLOTTED_PERCENTILES.map(at),
  };
}

/** So many commits in a row, nineteen of twenty at or below the limit, are a latency that is back. */
const IN_A_ROW = 50;
const SHARE_WITHIN = 0.95;

/**
 * Milliseconds from `lastRowUs` until small commits are as fast as before; 0 when they were all along.
 * @param travels in the order of their commits
 * @returns `undefined` when it never came back
 */
export function recoveryMs(
  travels: readonly Travel[],
  lastRowUs: number,
  limitMs: number,
): number | undefined {
  const isWithin = travels.map((travel) => latencyMs(travel) <= limitMs);
  const from = travels.findIndex(({ arrivedUs }) => arrivedUs >= lastRowUs);
  if (from < 0) return undefined;
  for (let i = from; i + IN_A_ROW <= travels.length; i++) {
    const within = isWithin.slice(i, i + IN_A_ROW).filter(Boolean).length;
    const arrivedUs = travels[i]?.arrivedUs ?? 0;
    if (isWithin[i] === true && within >= IN_A_ROW * SHARE_WITHIN) return (arrivedUs - lastRowUs) / 1000;
  }
  return undefined;
}

/** The slowest commit of each stretch of time: what a plot of thousands of commits can show. */
export interface Moment {
  /** Middle of the stretch, from the last row of the large transaction. */
  readonly atS: number;
  readonly worstMs: number;
}

export function timeline(travels: readonly Travel[], lastRowUs: number, stretchS: number): Moment[] {
  const worst = new Map<number, number>();
  for (const travel of travels) {
    const stretch = Math.floor((travel.committedUs - lastRowUs) / 1e6 / stretchS);
    worst.set(stretch, Math.max(worst.get(stretch) ?? 0, latencyMs(travel)));
  }
  return [...worst]
    .toSorted(([a], [b]) => a - b)
    .map(([stretch, worstMs]) => ({ atS: round((stretch + 0.5) * stretchS), worstMs: round(worstMs) }));
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
