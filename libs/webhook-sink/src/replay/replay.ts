import { parseLsn } from '@pgstream/wal-event';
import { Problem } from '../api/problems.ts';
import type { CursorStore, Rewound } from '../store/cursor-store.ts';
import { findCommit, lastEpoch, type CommitPlace, type LogPositions, type Stretch } from './log-positions.ts';

/** Where a replay begins: one of these. */
export type ReplayFrom =
  | { readonly time: string }
  | { readonly lsn: string; readonly epoch?: number | undefined }
  | { readonly offsets: readonly { readonly partition: number; readonly offset: number }[] }
  | { readonly beginning: true };

export interface ReplayOptions {
  readonly cursors: CursorStore;
  readonly positions: LogPositions;
}

/** What the log holds now, by partition. */
interface LogRange {
  readonly starts: ReadonlyMap<number, number>;
  readonly ends: ReadonlyMap<number, number>;
}

const REMEDY = 'replay from a later place, or from {"beginning": true} for what is left';

/**
 * Lets a subscription begin again at `from`, in every partition that holds something from there on: its events are
 * delivered again, with the ids that they had. One that has not come so far begins again where it is: none is moved on.
 *
 * @returns where it begins again.
 * @throws {Problem} 400, 409: retention has taken, or may have taken, events that are asked for; or a place lies ahead.
 */
export async function replay(
  subscriptionId: string,
  from: ReplayFrom,
  { cursors, positions }: ReplayOptions,
): Promise<readonly Rewound[]> {
  const [starts, ends] = await Promise.all([positions.starts(), positions.ends()]);
  const targets = await targetsOf(from, { starts, ends }, positions);
  if ('offsets' in from) await assertBehind(subscriptionId, targets, cursors);
  // What came after the look at the ends is delivered anyway.
  const wanted = [...targets].filter(([partition, offset]) => offset < (ends.get(partition) ?? 0));
  return await cursors.rewind(subscriptionId, new Map(wanted));
}

async function targetsOf(
  from: ReplayFrom,
  range: LogRange,
  log: LogPositions,
): Promise<ReadonlyMap<number, number>> {
  if ('beginning' in from) return range.starts;
  if ('offsets' in from) return checkedOffsets(from.offsets, range);
  return 'time' in from ? await timeTargets(from.time, range, log) : await lsnTargets(from, range, log);
}

function checkedOffsets(
  offsets: readonly { readonly partition: number; readonly offset: number }[],
  { starts, ends }: LogRange,
): ReadonlyMap<number, number> {
  const targets = new Map(offsets.map(({ partition, offset }) => [partition, offset]));
  if (targets.size < offsets.length) throw new Problem(400, 'from.offsets: a partition is named twice');
  for (const [partition, offset] of targets) {
    const start = starts.get(partition);
    const end = ends.get(partition);
    if (start === undefined || end === undefined) {
      throw new Problem(409, `from.offsets: the topic has no partition ${partition}`);
    }
    if (offset < start) {
      throw new Problem(
        409,
        `partition ${partition} begins at offset ${start}, ${offset} is lost: ${REMEDY}`,
      );
    }
    if (offset > end)
      throw new Problem(409, `partition ${partition} ends at offset ${end}, before ${offset}`);
  }
  return targets;
}

async function timeTargets(
  time: string,
  { starts }: LogRange,
  log: LogPositions,
): Promise<ReadonlyMap<number, number>> {
  const timeMs = Date.parse(time);
  if (Number.isNaN(timeMs)) throw new Problem(400, 'from.time: expected a time such as 2026-11-21T09:00:00Z');
  if (timeMs < 0 || timeMs > Date.now()) throw new Problem(400, `from.time: ${time} is not in the past`);
  const targets = await log.offsetsAt(timeMs);
  for (const [partition, offset] of targets)
    assertWhole(partition, starts, offset > (starts.get(partition) ?? 0));
  return targets;
}

async function lsnTargets(
  from: { readonly lsn: string; readonly epoch?: number | undefined },
  range: LogRange,
  log: LogPositions,
): Promise<ReadonlyMap<number, number>> {
  const stretches = [...range.starts].map(([partition, start]) => ({
    partition,
    from: start,
    to: range.ends.get(partition) ?? start,
  }));
  const place = await placeOf(from, stretches, log);
  if (place === undefined) return range.ends;
  const found = await Promise.all(
    stretches.map(async (stretch) => [stretch.partition, await findCommit(log, stretch, place)] as const),
  );
  for (const [partition, { hasEarlier }] of found) assertWhole(partition, range.starts, hasEarlier);
  return new Map(found.map(([partition, { offset }]) => [partition, offset]));
}

/** LSNs start over with each epoch: unless it is said which one, the newest in the log is meant. */
async function placeOf(
  { lsn, epoch }: { readonly lsn: string; readonly epoch?: number | undefined },
  stretches: readonly Stretch[],
  log: LogPositions,
): Promise<CommitPlace | undefined> {
  const commitLsn = parseLsn(lsn);
  if (epoch !== undefined) return { epoch, commitLsn };
  const epochs = await Promise.all(stretches.map((stretch) => lastEpoch(log, stretch)));
  const known = epochs.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : { epoch: Math.max(...known), commitLsn };
}

/** What is asked for is there as a whole when the log still holds something older, or has lost nothing yet. */
function assertWhole(partition: number, starts: ReadonlyMap<number, number>, hasEarlier: boolean): void {
  const start = starts.get(partition) ?? 0;
  if (hasEarlier || start === 0) return;
  throw new Problem(
    409,
    `partition ${partition} begins at offset ${start}, and the log holds nothing of it before that place: ` +
      `what was asked for may be lost to retention; ${REMEDY}`,
  );
}

/** Skipping events is no replay. */
async function assertBehind(
  subscriptionId: string,
  targets: ReadonlyMap<number, number>,
  cursors: CursorStore,
): Promise<void> {
  const rows = await cursors.ofSubscription(subscriptionId);
  const next = new Map(rows.map(({ partition, nextOffset }) => [partition, nextOffset]));
  for (const [partition, offset] of targets) {
    const cursor = next.get(partition);
    if (cursor !== undefined && offset <= cursor) continue;
    throw new Problem(
      409,
      cursor === undefined
        ? `the subscription has not begun partition ${partition} yet: it gets all of it`
        : `partition ${partition}: the subscription is at offset ${cursor}, before ${offset}; a replay only goes back`,
    );
  }
}
