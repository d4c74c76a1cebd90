import { Buffer } from 'node:buffer';
import { escapedSize, put, putHex, putInteger, putJsonString, putRange } from './json-bytes.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { ACTION, type RecordBatchBuilder } from './record-batch.ts';
import { KIND, metadataOf, type TableTemplate } from './table-template.ts';
import type { TableRef } from './table.ts';

/** The transaction whose records follow. */
export interface TransactionHead {
  /** LSN of the COMMIT record. */
  readonly commitLsn: bigint;
  /** Microseconds since 2000-01-01 UTC, as BEGIN carries it. */
  readonly commitTimeUs: bigint | number;
  readonly xid: number;
}

/** One row of pgoutput, still in its frame. Callers reuse one object. */
export interface RowEvent {
  /** {@link ACTION}: insert, update or delete. */
  readonly action: number;
  readonly lsnHi: number;
  readonly lsnLo: number;
  readonly seq: number;
  readonly frame: Buffer;
  /** Offset of the new TupleData (its column count) in `frame`, -1 without one. */
  readonly newTuple: number;
  /** Offset of the old TupleData, -1 without one. */
  readonly oldTuple: number;
  /** 0x4b `K`: only the key columns of the old tuple count; 0x4f `O`: the whole old row; 0 without one. */
  readonly oldKind: number;
}

export interface TruncateEvent {
  readonly lsnHi: number;
  readonly lsnLo: number;
  readonly seq: number;
}

export interface MessageEvent {
  readonly lsn: bigint;
  readonly seq: number;
  /** 0 for a schema record in front of the row that revealed it, otherwise 1. */
  readonly sub: 0 | 1;
  readonly prefix: string;
  readonly content: string;
  /** What routers go by: the schema a change of schema is about; empty names for other messages. */
  readonly table: TableRef;
  /** Set for a message outside transactions: it has no commit time, and its own LSN in place of a commit's. */
  readonly outsideTransaction?: boolean;
}

const MS_2000 = 946_684_800_000;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const ACTION_HEAD = Buffer.from('{"action":"');
const SEQ = Buffer.from('","seq":');
const IDENTITY = Buffer.from('],"identity":');
const NO_COLUMNS = Buffer.from('null,"identity":');
const UNCHANGED = Buffer.from(',"unchanged":[');
/** Frames up to this many bytes are given the largest room their values could need; longer ones are measured. */
const MEASURE_ABOVE = 4096;

/**
 * Writes records as JSON bytes straight from pgoutput frames, without an object per row or column.
 * {@link encodeRecord} is the slow, obvious twin that must give the same bytes.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html (TupleData)
 */
export class RecordEncoder {
  readonly #epoch: number;
  /** `","timestamp":…` up to the value of `"lsn"`: the same for all records of a transaction. */
  readonly #head = Buffer.allocUnsafeSlow(256);
  #headLength = 0;
  #commitLsn = 0n;
  #commitTimeMs = 0;
  #second = -1;
  #secondText = '';
  /** Where each key column's value was written, to repeat it as the identity of an update. */
  readonly #keyStarts: number[] = [];
  readonly #keyEnds: number[] = [];
  readonly #unchanged: number[] = [];
  readonly #entry = { action: 0, commitLsn: 0n, seq: 0, sub: 1 as 0 | 1, commitTimeMs: 0, table: NO_TABLE };

  constructor(epoch: number) {
    this.#epoch = epoch;
  }

  begin(transaction: TransactionHead): void {
    const us = Number(transaction.commitTimeUs);
    const second = Math.floor(us / 1e6);
    this.#commitLsn = transaction.commitLsn;
    this.#commitTimeMs = MS_2000 + Math.floor(us / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(MS_2000 + second * 1000).toISOString().slice(0, 19).replace('T', ' ');
    }
    const timestamp = `${this.#secondText}${fractionOf(us - second * 1e6)}+00`;
    this.#writeHead(timestamp, transaction.commitLsn, transaction.xid);
  }

  #writeHead(timestamp: string, commitLsn: bigint, xid: number): void {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the caller names a commit's LSN
    const lsn = formatLsn(commitLsn as Lsn);
    const head = `","timestamp":"${timestamp}","commit_lsn":"${lsn}","epoch":${this.#epoch},"xid":${xid},"lsn":"`;
    this.#headLength = this.#head.write(head, 0, 'latin1');
  }

  row(out: RecordBatchBuilder, template: TableTemplate, event: RowEvent): void {
    const { frame } = event;
    const size = frame.length <= MEASURE_ABOVE ? frame.length * 6 : escapedSize(frame, 0, frame.length);
    out.reserve(2 * size + template.overhead);
    const b = out.bytes;
    let p = this.#open(b, out.length, event);
    p = put(b, p, template.head);
    this.#unchanged.length = 0;
    if (event.newTuple >= 0) {
      b[p++] = 0x5b; // [
      p = this.#tuple(b, p, template, event);
      p = put(b, p, IDENTITY);
    } else {
      p = put(b, p, NO_COLUMNS);
    }
    p = this.#identity(b, p, template, event);
    p = put(b, p, template.metadata);
    if (this.#unchanged.length > 0) p = this.#unchangedNames(b, p, template);
    b[p++] = 0x7d; // }
    this.#push(out, p, event.action, event.seq, 1, template.ref);
  }

  truncate(out: RecordBatchBuilder, template: TableTemplate, event: TruncateEvent): void {
    out.reserve(template.overhead);
    const b = out.bytes;
    let p = this.#open(b, out.length, { ...event, action: ACTION.truncate });
    p = put(b, p, template.head);
    p = put(b, p, NO_COLUMNS);
    p = put(b, p, NULL);
    p = put(b, p, template.metadata);
    b[p++] = 0x7d;
    this.#push(out, p, ACTION.truncate, event.seq, 1, template.ref);
  }

  message(out: RecordBatchBuilder, event: MessageEvent): void {
    if (event.outsideTransaction === true) {
      this.#commitLsn = event.lsn;
      this.#commitTimeMs = 0;
      this.#writeHead('', event.lsn, 0);
    }
    const prefix = JSON.stringify(event.prefix);
    const content = JSON.stringify(event.content);
    const sub = event.sub === 0 ? ',"sub":0' : '';
    const body =
      `,"schema":"","table":"","columns":null,"identity":null,"prefix":${prefix},"content":${content}` +
      `${metadataOf('', null)}${sub}}`;
    out.reserve(512 + Buffer.byteLength(body));
    const b = out.bytes;
    const lsnHi = Number(event.lsn >> 32n);
    const lsnLo = Number(event.lsn & 0xffff_ffffn);
    let p = this.#open(b, out.length, { action: ACTION.message, lsnHi, lsnLo, seq: event.seq });
    p += b.write(body, p, 'utf8');
    this.#push(out, p, ACTION.message, event.seq, event.sub, event.table);
  }

  /** From `{` to the value of `seq`. */
  #open(b: Buffer, at: number, event: { action: number; lsnHi: number; lsnLo: number; seq: number }): number {
    let p = put(b, at, ACTION_HEAD);
    b[p++] = event.action;
    this.#head.copy(b, p, 0, this.#headLength);
    p += this.#headLength;
    p = putHex(b, p, event.lsnHi);
    b[p++] = 0x2f; // /
    p = putHex(b, p, event.lsnLo);
    p = put(b, p, SEQ);
    return putInteger(b, p, event.seq);
  }

  /** All columns of the new tuple that were sent; notes the key's values and what was not sent. */
  #tuple(b: Buffer, at: number, template: TableTemplate, event: RowEvent): number {
    const { frame } = event;
    const { prefixes, isKey, kinds } = template;
    this.#keyStarts.length = 0;
    this.#keyEnds.length = 0;
    let o = event.newTuple;
    const count = ((frame[o] ?? 0) << 8) | (frame[o + 1] ?? 0);
    o += 2;
    let p = at;
    for (let i = 0; i < count; i++) {
      const kind = frame[o++];
      if (kind === 0x75) {
        this.#unchanged.push(i); // u: a TOASTed value that did not change
        continue;
      }
      if (p !== at) b[p++] = 0x2c; // ,
      p = put(b, p, prefixes[i] ?? NULL);
      const start = p;
      if (kind === 0x6e) {
        p = put(b, p, NULL);
      } else {
        const from = o + 4;
        o = from + frame.readUInt32BE(o);
        p = putValue(b, p, frame, { from, to: o, kind: kinds[i] ?? KIND.text });
      }
      if (isKey[i] === 1) {
        this.#keyStarts.push(start);
        this.#keyEnds.push(p);
      }
      b[p++] = 0x7d; // }
    }
    return p;
  }

  // oxlint-disable-next-line complexity -- hot path: one loop, no call per column
  #identity(b: Buffer, at: number, template: TableTemplate, event: RowEvent): number {
    if (event.oldTuple >= 0) return this.#oldTuple(b, at, template, event);
    if (event.action !== ACTION.update || this.#keyStarts.length === 0) return put(b, at, NULL);
    let p = at;
    b[p++] = 0x5b;
    let key = 0;
    for (let i = 0; i < template.isKey.length; i++) {
      if (template.isKey[i] !== 1 || this.#unchanged.includes(i)) continue;
      if (key > 0) b[p++] = 0x2c;
      p = put(b, p, template.prefixes[i] ?? NULL);
      p = putRange(b, p, b, { from: this.#keyStarts[key] ?? 0, to: this.#keyEnds[key] ?? 0 });
      b[p++] = 0x7d;
      key++;
    }
    b[p++] = 0x5d; // ]
    return p;
  }

  /** `K` lists every column of the table with NULL for those outside the key: absent, not NULL. */
  // oxlint-disable-next-line complexity -- hot path: one loop over the tuple
  #oldTuple(b: Buffer, at: number, template: TableTemplate, event: RowEvent): number {
    const { frame } = event;
    const keyOnly = event.oldKind === 0x4b;
    let o = event.oldTuple;
    const count = ((frame[o] ?? 0) << 8) | (frame[o + 1] ?? 0);
    o += 2;
    let p = at;
    b[p++] = 0x5b;
    const first = p;
    for (let i = 0; i < count; i++) {
      const kind = frame[o++];
      const from = o + 4;
      const hasValue = kind !== 0x6e && kind !== 0x75;
      if (hasValue) o = from + frame.readUInt32BE(o);
      if (kind === 0x75 || (keyOnly && template.isKey[i] !== 1)) continue;
      if (p !== first) b[p++] = 0x2c;
      p = put(b, p, template.prefixes[i] ?? NULL);
      p = hasValue
        ? putValue(b, p, frame, { from, to: o, kind: template.kinds[i] ?? KIND.text })
        : put(b, p, NULL);
      b[p++] = 0x7d;
    }
    b[p++] = 0x5d;
    return p;
  }

  #unchangedNames(b: Buffer, at: number, template: TableTemplate): number {
    let p = put(b, at, UNCHANGED);
    for (const [n, i] of this.#unchanged.entries()) {
      if (n > 0) b[p++] = 0x2c;
      p = put(b, p, template.names[i] ?? NULL);
    }
    b[p++] = 0x5d;
    return p;
  }

  // oxlint-disable-next-line max-params -- called once per record on the hot path
  #push(
    out: RecordBatchBuilder,
    end: number,
    action: number,
    seq: number,
    sub: 0 | 1,
    table: TableRef,
  ): void {
    const entry = this.#entry;
    entry.action = action;
    entry.commitLsn = this.#commitLsn;
    entry.seq = seq;
    entry.sub = sub;
    entry.commitTimeMs = this.#commitTimeMs;
    entry.table = table;
    out.epoch = this.#epoch;
    out.push(entry, end);
  }
}

const NO_TABLE: TableRef = { schema: '', table: '', tableId: '', keyColumnIds: [] };

function putValue(
  b: Buffer,
  at: number,
  source: Buffer,
  value: { readonly from: number; readonly to: number; readonly kind: number },
): number {
  const { from, to, kind } = value;
  if (kind === KIND.text) return putJsonString(b, at, source, value);
  if (kind === KIND.number) {
    return isLiteral(source, from) ? putRange(b, at, source, value) : putJsonString(b, at, source, value);
  }
  if (kind === KIND.boolean) return put(b, at, source[from] === 0x74 ? TRUE : FALSE);
  const base64 = Buffer.from(source.toString('latin1', from + 2, to), 'hex').toString('base64');
  return at + b.write(`"${base64}"`, at, 'latin1');
}

/** Whether a number's text is a JSON literal: `NaN`, `Infinity` and `-Infinity` are not. */
function isLiteral(source: Buffer, from: number): boolean {
  const first = source[from] ?? 0;
  const digit = first === 0x2d ? (source[from + 1] ?? 0) : first;
  return digit >= 0x30 && digit <= 0x39;
}

/** `.5`, `.000012` or nothing: PostgreSQL prints no trailing zeros. */
function fractionOf(us: number): string {
  if (us === 0) return '';
  return `.${String(us).padStart(6, '0').replace(/0+$/, '')}`;
}
