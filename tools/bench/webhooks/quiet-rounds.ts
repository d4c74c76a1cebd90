/** Cores that others may keep busy, the host's other guests included, in a round that counts. */
export const NOISY_CORES = 0.05;
/** So many quiet rounds are wanted, of so many at most. */
const [WANTED, MOST] = [5, 10];

export interface RoundCounts {
  readonly made: number;
  /** In which others had too much of the machine. Left out, unless all were. */
  readonly noisy: number;
}

export interface QuietRounds<T> extends RoundCounts {
  readonly counted: readonly T[];
}

/**
 * Rounds until enough of them were quiet. What is asked for is a ratio of two turns of a round: on a machine that is shared,
 * somebody else may have half of it in one of them.
 * @param noise begins to listen; cores that others kept busy since.
 */
export async function quietRounds<T>(
  noise: () => { cores(): number },
  once: (round: number) => Promise<T>,
): Promise<QuietRounds<T>> {
  const all: T[] = [];
  const quiet: T[] = [];
  while (quiet.length < WANTED && all.length < MOST) {
    const others = noise();
    // oxlint-disable-next-line no-await-in-loop -- one system at a time
    const figures = await once(all.length);
    const cores = others.cores();
    all.push(figures);
    if (cores <= NOISY_CORES) quiet.push(figures);
    console.error(`  others had ${cores.toFixed(2)} cores${cores <= NOISY_CORES ? '' : ': noisy'}`);
  }
  const counted = quiet.length > 0 ? quiet : all;
  return { counted, made: all.length, noisy: all.length - quiet.length };
}
