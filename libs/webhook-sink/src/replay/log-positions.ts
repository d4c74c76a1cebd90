import type { Lsn } from '@pgstream/wal-event';

/** A place among the commits of a source; those of a later epoch are later. */
export interface CommitPlace {
  readonly epoch: number;
  readonly commitLsn: Lsn;
}

/** What a replay asks of the log. Offsets are by partition. */
export interface LogPositions {
  /** The oldest that retention has left. */
  starts(): Promise<ReadonlyMap<number, number>>;
  /** What the next record gets. */
  ends(): Promise<ReadonlyMap<number, number>>;
  /** The first whose record was committed at `timeMs` (since 1970) or later, else the end. */
  offsetsAt(timeMs: number): Promise<ReadonlyMap<number, number>>;
  /** The first record at `offset` or behind it; `undefined` where there is none. */
  recordAt(
    partition: number,
    offset: number,
  ): Promise<(CommitPlace & { readonly offset: number }) | undefined>;
}

/** A stretch `[from, to)` of one partition. */
export interface Stretch {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** Where the commits from a place on begin in a partition. */
export interface Found {
  readonly offset: number;
  /** Whether the log still holds a commit before the place: then retention has taken none behind it. */
  readonly hasEarlier: boolean;
}

/** The first offset of `stretch` at or behind `place`, by bisection: within a partition, commits only grow. */
export async function findCommit(
  log: Pick<LogPositions, 'recordAt'>,
  { partition, from, to }: Stretch,
  place: CommitPlace,
): Promise<Found> {
  let [low, high, hasEarlier] = [from, to, false];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // oxlint-disable-next-line no-await-in-loop -- where to look next is in the answer
    const record = await log.recordAt(partition, middle);
    if (record === undefined || !isBefore(record, place)) {
      high = middle;
    } else {
      low = record.offset + 1;
      hasEarlier = true;
    }
  }
  return { offset: high, hasEarlier };
}

/** The epoch of the last record of `stretch`; `undefined` where it has none. */
export async function lastEpoch(
  log: Pick<LogPositions, 'recordAt'>,
  { partition, from, to }: Stretch,
): Promise<number | undefined> {
  let [low, high, epoch]: [number, number, number | undefined] = [from, to, undefined];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    // oxlint-disable-next-line no-await-in-loop -- as above
    const record = await log.recordAt(partition, middle);
    if (record === undefined || record.offset >= high) {
      high = middle;
    } else {
      low = record.offset + 1;
      epoch = record.epoch;
    }
  }
  return epoch;
}

function isBefore(a: CommitPlace, b: CommitPlace): boolean {
  return a.epoch === b.epoch ? a.commitLsn < b.commitLsn : a.epoch < b.epoch;
}
