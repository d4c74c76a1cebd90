/** Cores that others may keep busy, the host's other guests included, in a round that counts. */
export const NOISY_CORES = 0.05;

export interface RoundsWanted {
  /** So many quiet rounds are wanted … */
  readonly quiet: number;
  /** … and so many are made at most. */
  readonly most: number;
}

export interface RoundCounts {
  readonly made: number;
  /** In which others had too much of the machine. Left out, unless all were. */
  readonly noisy: number;
}

/** What was measured in one round, and the cores that others had meanwhile. */
export interface Round<T> {
  readonly figures: T;
  readonly noiseCores: number;
}

export interface QuietRounds<T> extends RoundCounts {
  readonly counted: readonly T[];
  /** Quiet or not, in their order. */
  readonly rounds: ReadonlyArray<Round<T>>;
}

/** A figure that knows how quiet its round was. */
export interface InRound {
  readonly noiseCores: number;
}

/**
 * Rounds until enough of them were quiet. What is asked for is a ratio of two turns of a round: on a machine that is shared,
 * somebody else may have half of it in one of them.
 * @param noise begins to listen; cores that others kept busy since.
 */
export async function quietRounds<T>(
  noise: () => { cores(): number },
  once: (round: number) => Promise<T>,
  wanted: RoundsWanted = { quiet: 5, most: 10 },
): Promise<QuietRounds<T>> {
  const rounds: Array<Round<T>> = [];
  let quiet = 0;
  while (quiet < wanted.quiet && rounds.length < wanted.most) {
    const others = noise();
    // oxlint-disable-next-line no-await-in-loop -- one system at a time
    const figures = await once(rounds.length);
    const noiseCores = others.cores();
    rounds.push({ figures, noiseCores });
    if (isQuiet({ noiseCores })) quiet++;
    console.error(`  others had ${noiseCores.toFixed(2)} cores${isQuiet({ noiseCores }) ? '' : ': noisy'}`);
  }
  const counted = quietOf(rounds).map(({ figures }) => figures);
  return { counted, rounds, made: rounds.length, noisy: rounds.length - quiet };
}

/** As {@link quietRounds}, where a round brings several figures: all of them, in their order. */
export async function figuresOfRounds<T extends object>(
  noise: () => { cores(): number },
  once: (round: number) => Promise<readonly T[]>,
  wanted: RoundsWanted,
): Promise<Array<T & InRound>> {
  const { rounds } = await quietRounds(noise, once, wanted);
  return rounds.flatMap(({ figures, noiseCores }) => figures.map((one) => ({ ...one, noiseCores })));
}

/** Those of quiet rounds, in their order; all of them where no round was quiet. */
export function quietOf<T extends InRound>(all: readonly T[]): readonly T[] {
  const quiet = all.filter(isQuiet);
  return quiet.length > 0 ? quiet : all;
}

export function isQuiet({ noiseCores }: InRound): boolean {
  return noiseCores <= NOISY_CORES;
}
