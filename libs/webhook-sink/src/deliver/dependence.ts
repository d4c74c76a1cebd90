import { Buffer } from 'node:buffer';
import { hash, randomInt } from 'node:crypto';
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
  /**
   * The rows that it touches: events that share one come one after the other. Each is a number made from its key, 30 bits
   * wide. Two rows of a window that have the same one by chance wait for each other, also where one of them is refused and
   * tried again: they are as late as one row's events would be, and otherwise nothing comes of it.
   */
  readonly rows: readonly number[];
  /** It waits for everything before it, and everything behind it waits for it. */
  readonly isBarrier: boolean;
}

/** Characters of a key that is not hashed. */
const MAX_KEY_TEXT = 256;
/** https://www.rfc-editor.org/rfc/rfc9923, but from a basis that nobody can choose keys by. */
const [FNV_BASIS, FNV_PRIME] = [randomInt(2 ** 32), 0x01000193];
/** So that V8 keeps the number in the pointer. */
const ROW_BITS = 0x3fffffff;
const COMMA = 0x2c;

const NO_KEYS: readonly string[] = [];
const ALONE: Dependence = { rows: [], isBarrier: false };
const BARRIER: Dependence = { rows: [], isBarrier: true };

/** @param value a record of the log, whose bytes stay as they are. */
export function dependenceOf(value: Buffer, ordering: Ordering): Dependence {
  if (ordering === 'none') return ALONE;
  const record = ordering === 'partition' ? undefined : rowRecord(value);
  if (record === undefined) return BARRIER;
  const rows = eachRow(record, rowNumber);
  return rows.length === 0 ? BARRIER : { rows, isBarrier: false };
}

/** The rows by which `dependenceOf` lets it wait, each as a text of its own: what the store knows them by. */
export function keysOf(value: Buffer, ordering: Ordering): readonly string[] {
  const record = ordering === 'key' ? rowRecord(value) : undefined;
  return record === undefined ? NO_KEYS : eachRow(record, rowKey);
}

/** `undefined` for what is about more than rows. */
function rowRecord(value: Buffer): RecordReader | undefined {
  const record = readRecord(value);
  return record.action === ACTION.truncate || record.action === ACTION.message ? undefined : record;
}

interface Row {
  readonly ref: TableRef;
  readonly values: ColumnValues;
  readonly bytes: Buffer;
  /** Of the columns of its key, in the order of the key. */
  readonly places: readonly number[];
}

/** The rows that it touches: a changed key touches two. Where the old key was not sent, it is the new one. */
function eachRow<Name>(record: RecordReader, nameOf: (row: Row) => Name): readonly Name[] {
  const { ref, columns, identity, bytes } = record;
  // Rows without a key cannot be told apart, so the table is one row.
  if (ref.keyColumnIds.length === 0) return [nameOf({ ref, values: columns, bytes, places: [] })];
  const [nowAt, beforeAt] = [placesOf(ref, columns), placesOf(ref, identity)];
  const now = nowAt === undefined ? undefined : nameOf({ ref, values: columns, bytes, places: nowAt });
  if (beforeAt === undefined) return now === undefined ? [] : [now];
  const before = nameOf({ ref, values: identity, bytes, places: beforeAt });
  return now === undefined || before === now ? [before] : [now, before];
}

function rowKey({ ref, values: { starts, ends }, bytes, places }: Row): string {
  let values = '';
  for (const place of places) {
    const text = bytes.toString('utf8', starts[place], ends[place]);
    values += `${values === '' ? '' : ','}${isNumber(text) ? `{"raw":"${text}"}` : text}`;
  }
  return keyText(ref.tableId, values);
}

/** By its bytes: a text for each row costs as much as the list that it stands in. */
function rowNumber({ ref, values: { starts, ends }, bytes, places }: Row): number {
  let number = tableNumber(ref);
  for (const place of places) {
    const end = ends[place] ?? 0;
    for (let i = starts[place] ?? end; i < end; i++) number = Math.imul(number ^ (bytes[i] ?? 0), FNV_PRIME);
    number = Math.imul(number ^ COMMA, FNV_PRIME);
  }
  return number & ROW_BITS;
}

/** The same for all versions of a table, whose key is the same row. */
const tableNumbers = new WeakMap<TableRef, number>();

function tableNumber(ref: TableRef): number {
  let known = tableNumbers.get(ref);
  if (known === undefined) {
    known = FNV_BASIS;
    for (const byte of Buffer.from(`${ref.tableId},`)) known = Math.imul(known ^ byte, FNV_PRIME);
    tableNumbers.set(ref, known);
  }
  return known;
}

interface KeyPlaces {
  readonly ids: readonly string[];
  readonly places: readonly number[] | undefined;
}

/** By the shape of a row, where its key stands. */
const known = new WeakMap<readonly ColumnSpec[], KeyPlaces>();

/** `undefined` where the row does not say its whole key. */
function placesOf(
  { keyColumnIds: ids }: TableRef,
  { count, columns }: ColumnValues,
): readonly number[] | undefined {
  if (count < 0) return undefined;
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
 * A JSON array, or for what is long its hash. The store knows hashes of these texts, so they are for ever: numbers stand
 * in them as `{"raw":"1"}`.
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
