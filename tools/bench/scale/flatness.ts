/** One point of a curve: how much there was of what grows, and what a row cost. */
export interface ScalePoint {
  readonly of: number;
  readonly rowsPerS: number;
  readonly cpuUsPerRow: number;
  readonly peakRssMb: number;
  /** Rows that were counted. */
  readonly rows: number;
  /** Rounds, and those of them in which others had too much of the machine; one round that was not looked at has none. */
  readonly made?: number;
  readonly noisy?: number;
}

/**
 * A row may cost a quarter more at the dearest point than at the cheapest. Two runs of the same point differ by up to a seventh on
 * a quiet machine of two cores, so less would judge the machine. What grows with the size, and be it slowly,
 * would stand out all the same: each curve spans a factor of 48 or more.
 */
export const FLAT_WITHIN = 1.25;

/** The dearest row of a curve in proportion to the cheapest; 1 is perfectly flat. */
export function steepness(points: readonly ScalePoint[]): number {
  const costs = points.map(({ cpuUsPerRow }) => cpuUsPerRow);
  return Math.max(...costs) / Math.min(...costs);
}

/** Several rounds of the same point as one: the round whose cost is the median. */
export function medianRound(rounds: readonly ScalePoint[]): ScalePoint {
  const sorted = rounds.toSorted((a, b) => a.cpuUsPerRow - b.cpuUsPerRow);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new RangeError('a point without rounds');
  return { ...middle, peakRssMb: Math.max(...rounds.map(({ peakRssMb }) => peakRssMb)) };
}
