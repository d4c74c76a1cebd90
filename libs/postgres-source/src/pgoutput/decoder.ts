import { Buffer } from 'node:buffer';
import type { RowEvent } from '@pgstream/wal-event';
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
  begin(commitLsn: bigint, commitTimeUs: bigint, xid: number): void;
  commit(commitLsn: bigint, endLsn: bigint): void;
  relation(message: RelationMessage): void;
  type(message: TypeMessage): void;
  row(row: DecodedRow): void;
  truncate(relationOids: readonly number[], lsnHi: number, lsnLo: number): void;
  message(message: LogicalMessage): void;
}

/** Bytes of XLogData in front of the message: kind, start, end of WAL, send time. */
export const HEADER = 25;

const NO_FRAME = Buffer.alloc(0);

/**
 * Decodes XLogData frames of pgoutput, protocol version 1. Rows stay in the frame: the handler gets offsets.
 * Anything that is not the documented form throws `PG_PROTOCOL`, always before the handler is called.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export class PgoutputDecoder {
  readonly #handler: PgoutputHandler;
  readonly #row: MutableRow = {
    action: 0,
    relationOid: 0,
    lsnHi: 0,
    lsnLo: 0,
    seq: 0,
    frame: NO_FRAME,
    newTuple: -1,
    oldTuple: -1,
    oldKind: 0,
    columnCount: 0,
  };

  constructor(handler: PgoutputHandler) {
    this.#handler = handler;
  }

  /** @param frame one CopyData payload that begins with `w`; it may be reused as soon as this returns. */
  // oxlint-disable-next-line complexity -- one jump per kind of message of the protocol
  decode(frame: Buffer): void {
    switch (frame[HEADER] ?? 0) {
      case 0x49: // I
        return this.#insert(frame);
      case 0x55: // U
        return this.#update(frame);
      case 0x44: // D
        return this.#delete(frame);
      case 0x42: // B
        return this.#begin(frame, new FrameReader(frame, HEADER + 1));
      case 0x43: // C
        return this.#commit(new FrameReader(frame, HEADER + 1));
      case 0x52: // R
        return this.#relation(frame, new FrameReader(frame, HEADER + 1));
      case 0x59: // Y
        return this.#type(new FrameReader(frame, HEADER + 1));
      case 0x54: // T
        return this.#truncate(frame, new FrameReader(frame, HEADER + 1));
      case 0x4d: // M
        return this.#message(new FrameReader(frame, HEADER + 1));
      case 0x4f: // O: where a replicated transaction came from; nothing of ours depends on it
        return this.#origin(new FrameReader(frame, HEADER + 1));
      default:
        throw malformed('an unknown kind of message', frame, HEADER);
    }
  }

  #begin(frame: Buffer, reader: FrameReader): void {
    const commitLsn = reader.uint64();
    const commitTimeUs = reader.int64();
    const xid = reader.uint32();
    reader.end();
    if (commitTimeUs > LAST_US || commitTimeUs < FIRST_US) {
      throw malformed('a commit time outside the calendar', frame, HEADER + 9);
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

  #relation(frame: Buffer, reader: FrameReader): void {
    const oid = reader.uint32();
    // pg_catalog travels as an empty name
    const schema = reader.text() || 'pg_catalog';
    const table = reader.text();
    const replicaIdentity = IDENTITIES.get(reader.uint8());
    if (replicaIdentity === undefined) throw malformed('an unknown replica identity', frame, HEADER + 1);
    const count = reader.uint16();
    const columns: RelationColumn[] = [];
    for (let i = 0; i < count; i++) {
      const key = (reader.uint8() & 1) === 1;
      columns.push({ key, name: reader.text(), typeOid: reader.uint32(), typeModifier: reader.int32() });
    }
    reader.end();
    this.#handler.relation({ oid, schema, table, replicaIdentity, columns });
  }

  #truncate(frame: Buffer, reader: FrameReader): void {
    const count = reader.uint32();
    reader.uint8(); // cascade, restart identity: the cascaded tables are listed, sequences are not replicated
    if (count * 4 > frame.length) throw malformed('more relations than bytes', frame, HEADER + 1);
    const oids = Array.from({ length: count }, () => reader.uint32());
    reader.end();
    this.#handler.truncate(oids, frame.readUInt32BE(1), frame.readUInt32BE(5));
  }

  #message(reader: FrameReader): void {
    const transactional = (reader.uint8() & 1) === 1;
    const lsn = reader.uint64();
    const prefix = reader.text();
    const content = reader.sized(reader.uint32());
    reader.end();
    this.#handler.message({ transactional, lsn, prefix, content });
  }

  #insert(frame: Buffer): void {
    if (frame[HEADER + 5] !== 0x4e) throw malformed('an insert without its new row', frame, HEADER + 5);
    const row = this.#open(frame, 0x49);
    row.newTuple = HEADER + 6;
    this.#finish(this.#tuple(frame, HEADER + 6));
  }

  #update(frame: Buffer): void {
    const row = this.#open(frame, 0x55);
    let at = HEADER + 5;
    const kind = frame[at];
    let oldCount = -1;
    if (kind === 0x4b || kind === 0x4f) {
      row.oldKind = kind;
      row.oldTuple = at + 1;
      at = this.#tuple(frame, at + 1);
      oldCount = row.columnCount;
    }
    if (frame[at] !== 0x4e) throw malformed('an update without its new row', frame, at);
    row.newTuple = at + 1;
    const end = this.#tuple(frame, at + 1);
    if (oldCount >= 0 && oldCount !== row.columnCount) {
      throw malformed('old and new row of different width', frame, at);
    }
    this.#finish(end);
  }

  #delete(frame: Buffer): void {
    const kind = frame[HEADER + 5];
    if (kind !== 0x4b && kind !== 0x4f) throw malformed('a delete without its old row', frame, HEADER + 5);
    const row = this.#open(frame, 0x44);
    row.oldKind = kind;
    row.oldTuple = HEADER + 6;
    this.#finish(this.#tuple(frame, HEADER + 6));
  }

  #open(frame: Buffer, action: number): MutableRow {
    if (frame.length < HEADER + 8) throw malformed('a row cut short', frame, frame.length);
    const row = this.#row;
    row.action = action;
    row.frame = frame;
    row.lsnHi = frame.readUInt32BE(1);
    row.lsnLo = frame.readUInt32BE(5);
    row.relationOid = frame.readUInt32BE(HEADER + 1);
    row.newTuple = -1;
    row.oldTuple = -1;
    row.oldKind = 0;
    return row;
  }

  #finish(end: number): void {
    const row = this.#row;
    if (end !== row.frame.length) throw malformed('bytes after the row', row.frame, end);
    this.#handler.row(row);
  }

  /** The end of the TupleData at `at`; every value lies inside the frame. */
  #tuple(frame: Buffer, at: number): number {
    const size = frame.length;
    if (at + 2 > size) throw malformed('a row cut short', frame, at);
    const count = ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
    let o = at + 2;
    for (let i = 0; i < count; i++) {
      const kind = frame[o++];
      if (kind === 0x6e || kind === 0x75) continue; // n: NULL, u: unchanged TOAST
      if (kind !== 0x74 || o + 4 > size) throw malformed('not a value', frame, o - 1); // t: text
      o += 4 + frame.readUInt32BE(o);
    }
    if (o > size) throw malformed('a value past the end', frame, o);
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
