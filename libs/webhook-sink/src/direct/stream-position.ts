import { eventId, type Lsn, type Position } from '@pgstream/wal-event';

const EPOCH_DIGITS = 10;

/** A point in the stream as text that sorts as the stream runs, over epochs too: the event id with a padded epoch. */
export function reachedText(epoch: number, position: Position): string {
  const digits = String(epoch);
  return `${digits.padStart(EPOCH_DIGITS, '0')}${eventId(epoch, position).slice(digits.length)}`;
}

/** The point in front of every transaction that commits at `lsn` or later. */
export function reachedBefore(epoch: number, lsn: bigint): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an LSN less one byte
  const before = (lsn > 0n ? lsn - 1n : 0n) as Lsn;
  return reachedText(epoch, { commitLsn: before, seq: 0, sub: 0 });
}
