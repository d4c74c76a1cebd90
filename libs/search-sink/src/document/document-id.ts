import { createHash } from 'node:crypto';
import { Buffer } from 'node:buffer';
import type { ColumnSpec, TableRef } from '@pgstream/wal-event';
import type { Layout } from './mapping.ts';
import type { RecordView } from './record-view.ts';

export interface IdOptions {
  readonly layout: Layout;
  /** Layout `pgstream` only: ids are `<table id>_<sha256 of the key>`. */
  readonly hashDocIds?: boolean;
  /** Ids begin with `schema.table:`, for one index that several tables share. Layout `table` only. */
  readonly tablePrefix?: boolean;
}

/** Search engines refuse longer ids. */
const MAX_ID_BYTES = 512;

/**
 * The id of a row's document, from its key columns: the same for the same row wherever it comes from.
 *
 * Layout `table`: the values joined by `,`, with `\` before `\` and `,`; `\E` is an empty string and `\N` a NULL; above
 * 512 bytes `\sha256:<hex>`. A simple key is its own text: `42`. No two keys share an id.
 * Layout `pgstream`: `<table id>_<values joined by ->`, as the original writes it; composite values that hold a `-`
 * and are neither uuid nor negative number have `\` before it, since the original's form would mix up rows there.
 */
export class DocumentIds {
  readonly #options: IdOptions;
  #columns: readonly ColumnSpec[] | undefined;
  #ref: TableRef | undefined;
  #indexes: readonly number[] = [];

  /** The id of a simple key is its text. */
  readonly #isPlain: boolean;

  constructor(options: IdOptions) {
    this.#options = options;
    this.#isPlain = options.layout === 'table' && options.tablePrefix !== true;
  }

  /** `undefined` where the table has no key, or the record does not carry every column of it. */
  documentId(reader: RecordView, which: 'columns' | 'identity'): string | undefined {
    const { count, columns, starts, ends } = reader[which];
    if (count < 0) return undefined;
    this.#compile(reader.ref, columns);
    const indexes = this.#indexes;
    if (indexes.length === 0) return undefined;
    const plain =
      this.#isPlain && indexes.length === 1 ? integerAt(reader, which, indexes[0] ?? 0) : undefined;
    if (plain !== undefined) return plain;
    const texts: (string | null)[] = [];
    for (const index of indexes) texts.push(keyText(reader.bytes, starts[index] ?? 0, ends[index] ?? 0));
    return idOf(reader.ref, texts, this.#options);
  }

  #compile(ref: TableRef, columns: readonly ColumnSpec[]): void {
    if (columns === this.#columns && ref === this.#ref) return;
    const indexes = ref.keyColumnIds.map((id) => columns.findIndex((column) => column.id === id));
    this.#indexes = indexes.includes(-1) ? [] : indexes;
    this.#columns = columns;
    this.#ref = ref;
  }
}

/** See {@link DocumentIds}; `values` are the key's texts in key order. */
export function idOf(ref: TableRef, values: readonly (string | null)[], options: IdOptions): string {
  if (options.layout === 'pgstream') return compatibleId(ref, values, options.hashDocIds === true);
  const prefix = options.tablePrefix === true ? `${nameOf(ref.schema)}.${nameOf(ref.table)}:` : '';
  const id = prefix + (values.length === 1 ? escaped(values[0] ?? null) : values.map(escaped).join(','));
  return isTooLong(id) ? `${prefix}\\sha256:${sha256(id)}` : id;
}

function nameOf(name: string): string {
  return name.replaceAll(/[\\.:]/g, String.raw`\$&`);
}

function escaped(text: string | null): string {
  if (text === null) return '\\N';
  if (text === '') return '\\E';
  return text.includes('\\') || text.includes(',') ? text.replaceAll(/[\\,]/g, String.raw`\$&`) : text;
}

function compatibleId(ref: TableRef, values: readonly (string | null)[], hashed: boolean): string {
  const texts = values.map((value) => value ?? '');
  const signs = !texts.includes('');
  const plain =
    texts.length === 1 || texts.every((text) => isPlainPart(text) || (signs && /^-\d+$/.test(text)));
  const key = plain
    ? texts.join('-')
    : texts.map((text) => text.replaceAll(/[\\-]/g, String.raw`\$&`)).join('-');
  const id = `${ref.tableId}_${key}`;
  return hashed || isTooLong(id) ? `${ref.tableId}_${sha256(key)}` : id;
}

function isPlainPart(text: string): boolean {
  return !/[\\-]/.test(text) || /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(text);
}

function isTooLong(id: string): boolean {
  return id.length * 3 > MAX_ID_BYTES && Buffer.byteLength(id) > MAX_ID_BYTES;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function integerAt(record: RecordView, which: 'columns' | 'identity', index: number): string | undefined {
  const { bytes, [which]: values } = record;
  const start = values.starts[index] ?? 0;
  const end = values.ends[index] ?? 0;
  return isInteger(bytes, start, end) ? bytes.toString('latin1', start, end) : undefined;
}

/** A number without fraction or exponent, as most keys are: nothing of it is escaped or too long. */
function isInteger(bytes: Buffer, start: number, end: number): boolean {
  if (end - start > 20) return false;
  for (let i = start; i < end; i += 1) {
    const byte = bytes[i] ?? 0;
    if ((byte < 0x30 || byte > 0x39) && (byte !== 0x2d || i > start)) return false;
  }
  return end > start;
}

/** The text of a raw JSON scalar; `null` for null. Equal texts of a number and a string are the same key. */
function keyText(bytes: Buffer, start: number, end: number): string | null {
  if (bytes[start] !== 0x22) {
    const literal = bytes.toString('latin1', start, end);
    return literal === 'null' ? null : literal;
  }
  for (let i = start + 1; i < end - 1; i += 1) {
    const byte = bytes[i] ?? 0;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON string
    if (byte === 0x5c || byte > 0x7f) return JSON.parse(bytes.toString('utf8', start, end)) as string;
  }
  return bytes.toString('latin1', start + 1, end - 1);
}
