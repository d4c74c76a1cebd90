import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { formatPosition, parsePosition, type Position } from '@pgstream/wal-event';

/** The newest state of a document that cannot be written at present. */
export interface ParkedState {
  readonly tableId: string;
  readonly schema: string;
  readonly table: string;
  /** `_id` of the document. */
  readonly id: string;
  /** The alias that the document is written through: it follows the table through renames and generations. */
  readonly index: string;
  readonly epoch: number;
  readonly position: Position;
  /** External version of the document: that of the change, whenever it is written. */
  readonly version: bigint;
  /** The `_source`, complete; `null` for a delete, and where the store is too small to keep it. */
  readonly document: string | null;
  readonly isDelete: boolean;
  /** The record of the change, as it came. */
  readonly record: string | null;
}

/** Why a key was parked, and how often it changed behind that. */
export interface NewEntry extends ParkedState {
  readonly code: string;
  readonly reason: string;
  /** Changes that came behind the first. */
  readonly coalesced: number;
  /** Of the change that was refused first; `position` is that of the newest. */
  readonly firstPosition: Position;
  /** Of the index when the store refused the document. */
  readonly generation: number;
}

/** What there is in the store under one parked key. */
export interface ParkedEntry extends NewEntry {
  readonly entryId: string;
  readonly parkedAt: string;
  readonly changedAt: string;
  /** How often it was written again, in vain. */
  readonly attempts: number;
  /** Of the last attempt, where it differs from the first refusal. */
  readonly lastReason: string | null;
  /** Version of the product that last tried. */
  readonly product: string;
  /** A schema change edited the document: it is newer than what the record says. */
  readonly edited: boolean;
  readonly seqNo: number;
  readonly primaryTerm: number;
}

/** What a change behind a parked key must know of it. */
export interface EntryHead {
  readonly entryId: string;
  readonly position: Position;
  readonly coalesced: number;
  /** Only where it was asked for. */
  readonly document: string | null | undefined;
  readonly seqNo: number;
  readonly primaryTerm: number;
}

/** Search engines refuse longer ids. */
const MAX_ID_BYTES = 512;

/** One entry per document, whoever parks it. Begins with the table id. */
export function entryIdOf(tableId: string, id: string): string {
  const plain = `${tableId}:${id}`;
  if (plain.length * 3 <= MAX_ID_BYTES || Buffer.byteLength(plain) <= MAX_ID_BYTES) return plain;
  return `${tableId}~${createHash('sha256').update(id).digest('hex')}`;
}

export function tableIdOfEntry(entryId: string): string {
  const end = entryId.search(/[:~]/);
  return end < 0 ? entryId : entryId.slice(0, end);
}

/** As it lies in the index. Big numbers are text: clients parse JSON numbers as doubles. */
export interface StoredEntry {
  readonly kind: 'key';
  readonly sink: 'search';
  readonly code: string;
  readonly reason: string;
  readonly schema: string;
  readonly table: string;
  readonly table_id: string;
  readonly identity: string;
  readonly index: string;
  readonly epoch: number;
  readonly first_position: string;
  readonly position: string;
  readonly commit_lsn: string;
  readonly seq: number;
  readonly version: string;
  readonly coalesced: number;
  readonly attempts: number;
  readonly last_reason: string | null;
  readonly parked_at: string;
  readonly changed_at: string;
  readonly product: string;
  readonly generation: number;
  readonly is_delete: boolean;
  readonly edited: boolean;
  readonly document: string | null;
  readonly record: string | null;
}

/** The members that a newer change of the document replaces. */
export function stateFields(state: ParkedState, isSlim: boolean): Partial<StoredEntry> {
  const { position } = state;
  return {
    schema: state.schema,
    table: state.table,
    index: state.index,
    position: formatPosition(position),
    commit_lsn: position.commitLsn.toString(),
    seq: position.seq,
    version: state.version.toString(),
    changed_at: new Date().toISOString(),
    is_delete: state.isDelete,
    edited: false,
    document: isSlim ? null : state.document,
    record: isSlim ? null : state.record,
  };
}

export function newStoredEntry(entry: NewEntry, product: string, isSlim: boolean): object {
  const now = new Date().toISOString();
  return {
    kind: 'key',
    sink: 'search',
    code: entry.code,
    reason: entry.reason,
    table_id: entry.tableId,
    identity: entry.id,
    epoch: entry.epoch,
    first_position: formatPosition(entry.firstPosition),
    coalesced: entry.coalesced,
    attempts: 0,
    last_reason: null,
    parked_at: now,
    product,
    generation: entry.generation,
    ...stateFields(entry, isSlim),
  };
}

export function entryOf(
  entryId: string,
  stored: StoredEntry,
  at: { readonly seqNo: number; readonly primaryTerm: number },
): ParkedEntry {
  return {
    entryId,
    tableId: stored.table_id,
    schema: stored.schema,
    table: stored.table,
    id: stored.identity,
    index: stored.index,
    epoch: stored.epoch,
    position: parsePosition(stored.position),
    firstPosition: parsePosition(stored.first_position),
    version: BigInt(stored.version),
    // Left out where nobody asked for them.
    document: stored.document ?? null,
    isDelete: stored.is_delete,
    record: stored.record ?? null,
    code: stored.code,
    reason: stored.reason,
    coalesced: stored.coalesced,
    generation: stored.generation,
    parkedAt: stored.parked_at,
    changedAt: stored.changed_at,
    attempts: stored.attempts,
    lastReason: stored.last_reason,
    product: stored.product,
    edited: stored.edited,
    ...at,
  };
}
