import type { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import {
  ACTION,
  type ColumnSpec,
  type ColumnValues,
  type RecordReader,
  type TableRef,
} from '@pgstream/wal-event';
import type { Ordering } from '../subscription.ts';
import { readRecord } from '../wire/read-record.ts';

/** What an event has to wait for within its lane. */
export interface Dependence {
  /** The rows that it touches: events that share one come one after the other. */
  readonly keys: readonly string[];
  /** It waits for everything before it, and everything behind it waits for it. */
  readonly isBarrier: boolean;
}

/** Characters of a key that is not hashed. */
const MAX_KEY_TEXT = 256;

const ALONE: Dependence = { keys: [], isBarrier: false };
const BARRIER: Dependence = { keys: [], isBarrier: true };

/** @param value a record of the log, whose bytes stay as they are. */
export function dependenceOf(value: Buffer, ordering: Ordering): Dependence {
  if (ordering === 'none') return ALONE;
  if (ordering === 'partition') return BARRIER;
  const record = readRecord(value);
  if (record.action === ACTION.truncate || record.action === ACTION.message) return BARRIER;
  const keys = rowsOf(record);
  return keys.length === 0 ? BARRIER : { keys, isBarrier: false };
}

/** The rows that it touches: a changed key touches two. Where the old key was not sent, it is the new one. */
function rowsOf({ ref, columns, identity, bytes }: RecordReader): readonly string[] {
  // Rows without a key cannot be told apart, so the table is one row.
  if (ref.keyColumnIds.length === 0) return [keyText(ref.tableId, '')];
  const now = rowKey(ref, columns, bytes);
  const before = rowKey(ref, identity, bytes);
  if (now === undefined) return before === undefined ? [] : [before];
  return before === undefined || before === now ? [now] : [now, before];
}

/** `undefined` where the row does not say its whole key. */
function rowKey(ref: TableRef, row: ColumnValues, bytes: Buffer): string | undefined {
  if (row.count < 0) return undefined;
  const places = placesOf(ref, row.columns);
  if (places === undefined) return undefined;
  let values = '';
  for (const place of places) {
    const text = bytes.toString('utf8', row.starts[place], row.ends[place]);
    values += `${values === '' ? '' : ','}${isNumber(text) ? `{"raw":"${text}"}` : text}`;
  }
  return keyText(ref.tableId, values);
}

interface KeyPlaces {
  readonly ids: readonly string[];
  readonly places: readonly number[] | undefined;
}

/** By the shape of a row, where its key stands. */
const known = new WeakMap<readonly ColumnSpec[], KeyPlaces>();

function placesOf(
  { keyColumnIds: ids }: TableRef,
  columns: readonly ColumnSpec[],
): readonly number[] | undefined {
  let found = known.get(columns);
  if (found?.ids !== ids) {
    const places = ids.map((id) => columns.findIndex((column) => column.id === id));
    found = { ids, places: places.includes(-1) ? undefined : places };
    known.set(columns, found);
  }
  return found.places;
}

/** Neither a text, nor `true`, `false` or `null`. */
function isNumber(json: string): boolean {
  const first = json.charCodeAt(0);
  return first === 0x2d || (first >= 0x30 && first <= 0x39);
}

/**
 * A JSON array, or for what is long its hash: keys are held for each lane, and V8 compares long texts by their length. The
 * store knows hashes of these texts, so they are for ever: numbers stand in them as `{"raw":"1"}`.
 */
function keyText(tableId: string, values: string): string {
  const text = `[${JSON.stringify(tableId)},[${values}]]`;
  return text.length <= MAX_KEY_TEXT ? text : hashed(text);
}

/** What is kept of a key outside of the lane, in the store too, where its length and its words have no place. */
export function keyHash(key: string): string {
  return key.startsWith('[') ? hashed(key) : key;
}

function hashed(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 22);
}
