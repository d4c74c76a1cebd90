import { Buffer } from 'node:buffer';
import { ColumnPaths, emptyColumnValues, parseJson, parseText, type ColumnValues } from './column-path.ts';
import { Literal, scalarEnd, viewOf } from './json-bytes.ts';
import { KnownTables, type KnownTable } from './known-tables.ts';
import { formatLsnWords } from './lsn.ts';
import { eventIdOfWords } from './position.ts';
import { RecordFormatError } from './record-format-error.ts';
import type { TableRef } from './table.ts';

const ACTION_HEAD = new Literal('{"action":"');
const TIMESTAMP = new Literal('","timestamp":');
const COMMIT_LSN = new Literal(',"commit_lsn":"');
const EPOCH = new Literal('","epoch":');
const XID = new Literal(',"xid":');
const LSN = new Literal(',"lsn":"');
const SEQ = new Literal('","seq":');
const SCHEMA = new Literal(',"schema":');
const TABLE = new Literal(',"table":');
const COLUMNS = new Literal(',"columns":');
const IDENTITY = new Literal(',"identity":');
const PREFIX = new Literal(',"prefix":');
const CONTENT = new Literal(',"content":');
const METADATA = new Literal(',"metadata":{"schema_id":null,"table_pgstream_id":');
const KEY_IDS = new Literal(',"id_col_pgstream_id":');
const UNCHANGED = new Literal(',"unchanged":');
const SUB = new Literal(',"sub":0');
const SNAPSHOT = new Literal(',"snapshot":true');
const NONE: readonly string[] = [];

/**
 * Reads records from their bytes without an object per record or value: a flyweight whose fields hold the last
 * record read. Tables and columns are interned, so that equal shapes are the same objects and can key caches.
 *
 * It reads what {@link RecordEncoder} writes, member for member; anything else is a {@link RecordFormatError}.
 */
export class RecordReader {
  bytes: Buffer = Buffer.alloc(0);
  view = viewOf(this.bytes);
  /** {@link ACTION} */
  action = 0;
  commitLsnHi = 0;
  commitLsnLo = 0;
  epoch = 0;
  xid = 0;
  seq = 0;
  sub: 0 | 1 = 1;
  snapshot = false;
  ref: TableRef = { schema: '', table: '', tableId: '', keyColumnIds: NONE };
  /** Names of TOASTed columns that did not change and were not sent. */
  unchanged: readonly string[] = NONE;
  /** The new row; `count` is -1 for D, T and M. */
  readonly columns: ColumnValues = emptyColumnValues();
  /** The old key or row; `count` is -1 without one. */
  readonly identity: ColumnValues = emptyColumnValues();
  /** Of a message, decoded; `''` for other records. */
  prefix = '';
  content = '';
  timestampStart = 0;
  timestampEnd = 0;
  lsnHi = 0;
  lsnLo = 0;
  readonly #paths = new ColumnPaths();
  readonly #tables = new KnownTables();
  #table: KnownTable | undefined;
  #at = 0;
  #limit = 0;

  get commitLsn(): bigint {
    return (BigInt(this.commitLsnHi) << 32n) | BigInt(this.commitLsnLo);
  }

  get lsn(): bigint {
    return (BigInt(this.lsnHi) << 32n) | BigInt(this.lsnLo);
  }

  /** As `formatLsn` prints it. */
  get lsnText(): string {
    return formatLsnWords(this.lsnHi, this.lsnLo);
  }

  /** See `eventId`. */
  get eventId(): string {
    const { commitLsnHi: hi, commitLsnLo: lo, seq, sub } = this;
    return eventIdOfWords(this.epoch, { hi, lo, seq, sub });
  }

  /**
   * Reads the record `bytes[start, end)`.
   * @throws {RecordFormatError}
   */
  read(bytes: Buffer, start: number, end: number): void {
    this.#open(bytes, start, end);
    this.#head();
    const headFrom = this.#at;
    const table = this.#tableNames();
    const headTo = this.#at;
    this.#at = this.#paths.read(this, this.#at, end, this.columns);
    this.#expect(IDENTITY, 'identity');
    this.#at = this.#paths.read(this, this.#at, end, this.identity);
    this.#message();
    this.#metadata(table, headFrom, headTo);
    this.#tail();
  }

  /**
   * As {@link read}, for readers that need only position, action, table and the like: in a record of the same table as
   * the last one, columns are neither read nor checked: `columns`, `identity`, `prefix`, `content` keep what they had.
   * @throws {RecordFormatError}
   */
  readHead(bytes: Buffer, start: number, end: number): void {
    this.#open(bytes, start, end);
    this.#head();
    const table = this.#table;
    // Nothing but the end of the record can stand between its metadata and its last byte: there is no quote.
    const isKnown =
      table !== undefined &&
      bytes[end - 1] === 0x7d &&
      table.head.isAt(this.view, this.#at) &&
      table.metadata.isAt(this.view, end - 1 - table.metadata.length);
    if (!isKnown) return this.read(bytes, start, end);
    this.ref = table.ref;
    this.unchanged = NONE;
    this.sub = 1;
    this.snapshot = false;
  }

  #open(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.view = viewOf(bytes);
    }
    this.#at = start;
    this.#limit = end;
  }

  #head(): void {
    this.#expect(ACTION_HEAD, 'action');
    this.action = this.bytes[this.#at++] ?? 0;
    this.#expect(TIMESTAMP, 'timestamp');
    this.timestampStart = this.#at;
    this.#at = this.#scalar();
    this.timestampEnd = this.#at;
    this.#expect(COMMIT_LSN, 'commit_lsn');
    this.commitLsnHi = this.#hex(0x2f);
    this.commitLsnLo = this.#hex(0x22);
    this.#at--;
    this.#expect(EPOCH, 'epoch');
    this.epoch = this.#integer();
    this.#expect(XID, 'xid');
    this.xid = this.#integer();
    this.#expect(LSN, 'lsn');
    this.lsnHi = this.#hex(0x2f);
    this.lsnLo = this.#hex(0x22);
    this.#at--;
    this.#expect(SEQ, 'seq');
    this.seq = this.#integer();
  }

  /** Passes `,"schema":…,"table":…,"columns":`; answers the table if it is the one of the last record. */
  #tableNames(): KnownTable | undefined {
    const table = this.#table;
    if (table !== undefined && table.head.isAt(this.view, this.#at)) {
      this.#at += table.head.length;
      return table;
    }
    this.#expect(SCHEMA, 'schema');
    this.#at = this.#scalar();
    this.#expect(TABLE, 'table');
    this.#at = this.#scalar();
    this.#expect(COLUMNS, 'columns');
    return undefined;
  }

  #message(): void {
    if (!PREFIX.isAt(this.view, this.#at)) {
      this.prefix = '';
      this.content = '';
      return;
    }
    this.#at += PREFIX.length;
    this.prefix = this.#text();
    this.#expect(CONTENT, 'content');
    this.content = this.#text();
  }

  #metadata(last: KnownTable | undefined, headFrom: number, headTo: number): void {
    if (last !== undefined && last.metadata.isAt(this.view, this.#at)) {
      this.#at += last.metadata.length;
      this.ref = last.ref;
      return;
    }
    const from = this.#at;
    this.#expect(METADATA, 'metadata');
    this.#at = this.#scalar();
    this.#expect(KEY_IDS, 'id_col_pgstream_id');
    this.#at = this.#listEnd();
    if (this.bytes[this.#at++] !== 0x7d) throw new RecordFormatError('} of metadata', this.#at - 1);
    const head = this.bytes.toString('utf8', headFrom, headTo);
    const metadata = this.bytes.toString('utf8', from, this.#at);
    this.#table = this.#tables.intern(head, metadata);
    this.ref = this.#table.ref;
  }

  #tail(): void {
    this.unchanged = NONE;
    if (UNCHANGED.isAt(this.view, this.#at)) {
      this.#at += UNCHANGED.length;
      const from = this.#at;
      this.#at = this.#listEnd();
      const list = parseJson(this.bytes.toString('utf8', from, this.#at));
      this.unchanged = Array.isArray(list) ? list.map(String) : NONE;
    }
    this.sub = this.#optional(SUB) ? 0 : 1;
    this.snapshot = this.#optional(SNAPSHOT);
    if (this.bytes[this.#at++] !== 0x7d || this.#at !== this.#limit) {
      throw new RecordFormatError('} and the end', this.#at - 1);
    }
  }

  #expect(literal: Literal, name: string): void {
    if (!literal.isAt(this.view, this.#at)) throw new RecordFormatError(`"${name}"`, this.#at);
    this.#at += literal.length;
  }

  #optional(literal: Literal): boolean {
    if (!literal.isAt(this.view, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  #scalar(): number {
    const end = scalarEnd(this.view, this.#at, this.#limit);
    if (end < 0) throw new RecordFormatError('a value', this.#at);
    return end;
  }

  #text(): string {
    const from = this.#at;
    if (this.bytes[from] !== 0x22) throw new RecordFormatError('a string', from);
    this.#at = this.#scalar();
    return parseText(this.bytes.toString('utf8', from, this.#at));
  }

  /** The end of `null` or of an array of strings. */
  #listEnd(): number {
    if (this.bytes[this.#at] === 0x6e) return this.#at + 4;
    if (this.bytes[this.#at] !== 0x5b) throw new RecordFormatError('[ or null', this.#at);
    let p = this.#at + 1;
    while (this.bytes[p] !== 0x5d) {
      p = scalarEnd(this.view, p, this.#limit);
      if (p < 0) throw new RecordFormatError('a list of strings', this.#at);
      if (this.bytes[p] === 0x2c) p++;
      else if (this.bytes[p] !== 0x5d) throw new RecordFormatError(', or ]', p);
    }
    return p + 1;
  }

  #integer(): number {
    let value = 0;
    const from = this.#at;
    for (;;) {
      const digit = (this.bytes[this.#at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9 || this.#at - from > 15) break;
      value = value * 10 + digit;
      this.#at++;
    }
    if (this.#at === from) throw new RecordFormatError('an integer', from);
    return value;
  }

  /** A 32-bit word in hex that ends with `stop`, which is passed too. */
  #hex(stop: number): number {
    let value = 0;
    const from = this.#at;
    for (;;) {
      const byte = this.bytes[this.#at++] ?? 0;
      if (byte === stop && this.#at - from > 1) return value >>> 0;
      const digit = byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
      if (digit < 0 || digit > 15 || this.#at - from > 8) throw new RecordFormatError('an LSN', from);
      value = (value << 4) | digit;
    }
  }
}
