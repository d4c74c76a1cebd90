import type { ResourceSample } from '@pgstream/test-kit';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Least-squares slope of the resident size in MiB per hour; `null` for fewer than two samples. */
export function slopeMibPerHour(samples: readonly ResourceSample[]): number | null {
  const n = samples.length;
  if (n < 2) return null;
  const meanMs = samples.reduce((sum, { atMs }) => sum + atMs, 0) / n;
  const meanMib = samples.reduce((sum, { rssMib }) => sum + rssMib, 0) / n;
  let [covariance, variance] = [0, 0];
  for (const { atMs, rssMib } of samples) {
    covariance += (atMs - meanMs) * (rssMib - meanMib);
    variance += (atMs - meanMs) ** 2;
  }
  return variance === 0 ? null : (covariance / variance) * HOUR_MS;
}

/** Growth over the run in MiB: the slope behind the first third, in which caches fill, times its length. */
export function growthMib(samples: readonly ResourceSample[]): number {
  const settled = samples.slice(Math.floor(samples.length / 3));
  const slope = slopeMibPerHour(settled) ?? 0;
  const [first, last] = [settled[0]?.atMs ?? 0, settled.at(-1)?.atMs ?? 0];
  return (slope * (last - first)) / HOUR_MS;
}

/** The last sample of each minute, to a tenth of a MiB: as much as a plot can show. */
export function byMinute(samples: readonly ResourceSample[]): Array<[minute: number, mib: number]> {
  const points = new Map<number, number>();
  for (const { atMs, rssMib } of samples)
    points.set(Math.floor(atMs / MINUTE_MS), Math.round(rssMib * 10) / 10);
  return [...points];
}
