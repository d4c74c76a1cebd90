import { Buffer } from 'node:buffer';
import { viewOf, type RowEvent } from '@pgstream/wal-event';
import { FrameReader } from './frame-reader.ts';
import { malformed } from './malformed.ts';
import type { RelationColumn, RelationMessage, TypeMessage } from './messages.ts';

/** A logical message (pg_logical_emit_message). */
export interface LogicalMessage {
  readonly transactional: boolean;
  readonly lsn: bigint;
  readonly prefix: string;
  readonly content: string;
}

/** The row in the frame under decoding: one object for all rows, valid during the call only. */
export interface DecodedRow extends RowEvent {
  readonly relationOid: number;
  /** Columns of every tuple of the row. */
  readonly columnCount: number;
}

type MutableRow = { -readonly [K in keyof DecodedRow]: DecodedRow[K] };

/** Receives the messages in the order of the stream. */
export interface PgoutputHandler {
  /** @param commitTimeUs microseconds since 2000-01-01 UTC */
  begin(commitLsn: bigint, commitTimeUs: number, xid: number): void;
  commit(commitLsn: bigint, endLsn: bigint): void;
  relation(message: RelationMessage): void;
  type(message: TypeMessage): void;
  row(row: DecodedRow): void;
  truncate(relationOids: readonly number[], lsnHi: number, lsnLo: number): void;
  message(message: LogicalMessage): void;
}

/** Bytes of XLogData in front of the message: kind, start, end of WAL, send time. */
export const HEADER = 25;
/** Offset in a frame of what follows the kind and the relation of a row. */
const BODY = HEADER + 5;
/** Kinds of a tuple: new, the key columns of the old one, the whole old one. */
const NEW = 0x4e;
const OLD_KEY = 0x4b;
const OLD_ROW = 0x4f;

const NO_BYTES = Buffer.alloc(0);

/**
 * Decodes XLogData frames of pgoutput, protocol version 1. Rows stay in the frame: the handler gets offsets.
 * Anything that is not the documented form throws `PG_PROTOCOL`, always before the handler is called.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  readonly #handler: PgoutputHandler;
  /** The frame under decoding lies in `#bytes[#from, #to)`. */
  #bytes: Buffer = NO_BYTES;
  #from = 0;
  #to = 0;
  readonly #row: MutableRow = {
    action: 0,
    relationOid: 0,
    lsnHi: 0,
    lsnLo: 0,
    seq: 0,
    bytes: NO_BYTES,
    view: viewOf(NO_BYTES),
    size: 0,
    newTuple: -1,
    oldTuple: -1,
    oldKind: 0,
    columnCount: 0,
  };

  constructor(handler: PgoutputHandler) {
    this.#handler = handler;
  }

  /**
   * @param bytes hold one CopyData payload that begins with `w`, from `from` to `to`: where it lies in the read buffer. They
   *   may be reused as soon as this returns.
   */
  // oxlint-disable-next-line complexity -- one jump per kind of message of the protocol
  decode(bytes: Buffer, from = 0, to = bytes.length): void {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    switch (to - from > HEADER ? (bytes[from + HEADER] ?? 0) : 0) {
      case 0x49: // I
        return this.#insert();
      case 0x55: // U
        return this.#update();
      case 0x44: // D
        return this.#delete();
      case 0x42: // B
        return this.#begin(this.#reader());
      case 0x43: // C
        return this.#commit(this.#reader());
      case 0x52: // R
        return this.#relation(this.#reader());
      case 0x59: // Y
        return this.#type(this.#reader());
      case 0x54: // T
        return this.#truncate(this.#reader());
      case 0x4d: // M
        return this.#message(this.#reader());
      case 0x4f: // O: where a replicated transaction came from; nothing of ours depends on it
        return this.#origin(this.#reader());
      default:
        throw this.#malformed('an unknown kind of message', HEADER);
    }
  }

  #reader(): FrameReader {
    return new FrameReader(this.#bytes, this.#from, this.#to, HEADER + 1);
  }

  /** @param at offset in the frame */
  #malformed(what: string, at: number): Error {
    return malformed(what, this.#bytes.subarray(this.#from, this.#to), at);
  }

  #begin(reader: FrameReader): void {
    const commitLsn = reader.uint64();
    const commitTimeUs = reader.int64();
    const xid = reader.uint32();
    reader.end();
    if (commitTimeUs > LAST_US || commitTimeUs < FIRST_US) {
      throw this.#malformed('a commit time outside the calendar', HEADER + 9);
    }
    this.#handler.begin(commitLsn, commitTimeUs, xid);
  }

  #commit(reader: FrameReader): void {
    reader.uint8(); // flags, unused
    const commitLsn = reader.uint64();
    const endLsn = reader.uint64();
    reader.int64();
    reader.end();
    this.#handler.commit(commitLsn, endLsn);
  }

  #origin(reader: FrameReader): void {
    reader.uint64();
    reader.text();
    reader.end();
  }

  #type(reader: FrameReader): void {
    const oid = reader.uint32();
    const schema = reader.text();
    const name = reader.text();
    reader.end();
    this.#handler.type({ oid, schema, name });
  }

  #relation(reader: FrameReader): void {
    const oid = reader.uint32();
    // pg_catalog travels as an empty name
    const schema = reader.text() || 'pg_catalog';
    const table = reader.text();
    const replicaIdentity = IDENTITIES.get(reader.uint8());
    if (replicaIdentity === undefined) throw this.#malformed('an unknown replica identity', HEADER + 1);
    const count = reader.uint16();
    const columns: RelationColumn[] = [];
    for (let i = 0; i < count; i++) {
      const key = (reader.uint8() & 1) === 1;
      columns.push({ key, name: reader.text(), typeOid: reader.uint32(), typeModifier: reader.int32() });
    }
    reader.end();
    this.#handler.relation({ oid, schema, table, replicaIdentity, columns });
  }

  #truncate(reader: FrameReader): void {
    const count = reader.uint32();
    reader.uint8(); // cascade, restart identity: the cascaded tables are listed, sequences are not replicated
    if (count * 4 > this.#to - this.#from) throw this.#malformed('more relations than bytes', HEADER + 1);
    const oids = Array.from({ length: count }, () => reader.uint32());
    reader.end();
    const [bytes, from] = [this.#bytes, this.#from];
    this.#handler.truncate(oids, bytes.readUInt32BE(from + 1), bytes.readUInt32BE(from + 5));
  }

  #message(reader: FrameReader): void {
    const transactional = (reader.uint8() & 1) === 1;
    const lsn = reader.uint64();
    const prefix = reader.text();
    const content = reader.sized(reader.uint32());
    reader.end();
    this.#handler.message({ transactional, lsn, prefix, content });
  }

  #insert(): void {
    const row = this.#open(0x49);
    const at = this.#from + BODY;
    if (this.#bytes[at] !== NEW) throw this.#malformed('an insert without its new row', BODY);
    row.newTuple = at + 1;
    this.#finish(this.#tuple(at + 1));
  }

  #update(): void {
    const row = this.#open(0x55);
    let at = this.#from + BODY;
    const kind = this.#bytes[at];
    let oldCount = -1;
    if (kind === OLD_KEY || kind === OLD_ROW) {
      row.oldKind = kind;
      row.oldTuple = at + 1;
      at = this.#tuple(at + 1);
      oldCount = row.columnCount;
    }
    if (at >= this.#to || this.#bytes[at] !== NEW) {
      throw this.#malformed('an update without its new row', at - this.#from);
    }
    row.newTuple = at + 1;
    const end = this.#tuple(at + 1);
    if (oldCount >= 0 && oldCount !== row.columnCount) {
      throw this.#malformed('old and new row of different width', at - this.#from);
    }
    this.#finish(end);
  }

  #delete(): void {
    const row = this.#open(0x44);
    const at = this.#from + BODY;
    const kind = this.#bytes[at];
    if (kind !== OLD_KEY && kind !== OLD_ROW) throw this.#malformed('a delete without its old row', BODY);
    row.oldKind = kind;
    row.oldTuple = at + 1;
    this.#finish(this.#tuple(at + 1));
  }

  #open(action: number): MutableRow {
    const [bytes, from, size] = [this.#bytes, this.#from, this.#to - this.#from];
    if (size < BODY + 3) throw this.#malformed('a row cut short', size);
    const row = this.#row;
    row.action = action;
    if (row.bytes !== bytes) {
      row.bytes = bytes;
      row.view = viewOf(bytes);
    }
    row.size = size;
    row.lsnHi = bytes.readUInt32BE(from + 1);
    row.lsnLo = bytes.readUInt32BE(from + 5);
    row.relationOid = bytes.readUInt32BE(from + HEADER + 1);
    row.newTuple = -1;
    row.oldTuple = -1;
    row.oldKind = 0;
    return row;
  }

  #finish(end: number): void {
    if (end !== this.#to) throw this.#malformed('bytes after the row', end - this.#from);
    this.#handler.row(this.#row);
  }

  /** The end of the TupleData at `at`; every value lies inside the frame. */
  #tuple(at: number): number {
    const [bytes, to] = [this.#bytes, this.#to];
    if (at + 2 > to) throw this.#malformed('a row cut short', at - this.#from);
    const count = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    let o = at + 2;
    for (let i = 0; i < count; i++) {
      const kind = bytes[o++];
      if (kind === 0x6e || kind === 0x75) continue; // n: NULL, u: unchanged TOAST
      if (kind !== 0x74 || o + 4 > to) throw this.#malformed('not a value', o - 1 - this.#from); // t: text
      o += 4 + bytes.readUInt32BE(o);
    }
    // What lies behind the frame may have looked like values up to here
    if (o > to) throw this.#malformed('a value past the end', o - this.#from);
    this.#row.columnCount = count;
    return o;
  }
}

/** What a Date can hold, 8.64e15 ms around 1970, in microseconds since 2000. */
const LAST_US = (8_640_000_000_000_000n - 946_684_800_000n) * 1000n;
const FIRST_US = (-8_640_000_000_000_000n - 946_684_800_000n) * 1000n;

const IDENTITIES: ReadonlyMap<number, RelationMessage['replicaIdentity']> = new Map([
  [0x64, 'd'],
  [0x6e, 'n'],
  [0x66, 'f'],
  [0x69, 'i'],
]);
