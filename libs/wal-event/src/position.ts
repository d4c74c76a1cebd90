import { formatLsn, parseLsn, type Lsn } from './lsn.ts';

/**
 * Where a record stands in the history of its cluster. The same after any restart, and it only grows.
 *
 * `commitLsn` is the LSN of the transaction's COMMIT record (of the message itself for a message outside
 * transactions): rows may carry LSNs that go backwards between transactions, commits never do.
 * `seq` counts the changes of the transaction before any filter: rows, each table of a TRUNCATE and
 * transactional messages.
 * `sub` is 1, and 0 for a schema record that stands in front of the row which revealed it.
 */
export interface Position {
  readonly commitLsn: Lsn;
  readonly seq: number;
  readonly sub: 0 | 1;
}

/** Negative, zero or positive, as `Array.prototype.sort` wants it. */
export function comparePositions(a: Position, b: Position): number {
  if (a.commitLsn !== b.commitLsn) return a.commitLsn < b.commitLsn ? -1 : 1;
  return a.seq !== b.seq ? a.seq - b.seq : a.sub - b.sub;
}

/** `16/B374D848:12` and, in front of a row, `16/B374D848:12-`. Not sortable as text; see {@link eventId}. */
export function formatPosition(position: Position): string {
  return `${formatLsn(position.commitLsn)}:${position.seq}${position.sub === 0 ? '-' : ''}`;
}

/** @throws {RangeError} unless `text` is what {@link formatPosition} prints. */
export function parsePosition(text: string): Position {
  const [, lsn, seq, mark] = /^([^:]+):(\d{1,10})(-?)$/.exec(text) ?? [];
  if (lsn === undefined || seq === undefined) {
    throw new RangeError(`not a position: ${JSON.stringify(text)}`);
  }
  return { commitLsn: parseLsn(lsn), seq: Number(seq), sub: mark === '-' ? 0 : 1 };
}

/**
 * The identity of an event for ever: unique, the same after any restart, and sortable as text in commit order.
 * `epoch` grows when the cluster's LSNs start over (restore, other cluster, upgrade).
 */
export function eventId(epoch: number, { commitLsn, seq, sub }: Position): string {
  const [hi, lo] = [Number(commitLsn >> 32n), Number(commitLsn & 0xffff_ffffn)];
  return eventIdOfWords(epoch, { hi, lo, seq, sub });
}

/** {@link eventId} by the halves of the commit LSN, for those who read them by themselves: bigints are dear. */
export function eventIdOfWords(
  epoch: number,
  at: { readonly hi: number; readonly lo: number; readonly seq: number; readonly sub: 0 | 1 },
): string {
  const seq = String(at.seq).padStart(10, '0');
  return `${epoch}-${word(at.hi)}${word(at.lo)}-${seq}${at.sub === 0 ? '-0' : '-1'}`;
}

function word(value: number): string {
  return value.toString(16).padStart(8, '0');
}
