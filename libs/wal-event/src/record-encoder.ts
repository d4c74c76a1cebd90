import { Buffer } from 'node:buffer';
import { Literal, putRange, type Viewed } from './json-bytes.ts';
import { escapedSize } from './json-text.ts';
import { putValue } from './put-value.ts';
import { ACTION, type RecordBatchBuilder } from './record-batch.ts';
import type { MessageEvent, RowEvent, TransactionHead, TruncateEvent } from './source-events.ts';
import { KIND, metadataOf, type TableTemplate } from './table-template.ts';
import type { TableRef } from './table.ts';
import { TransactionBytes } from './transaction-bytes.ts';

const MS_2000 = 946_684_800_000;
const NULL = new Literal('null');
const IDENTITY = new Literal('],"identity":');
const NO_COLUMNS = new Literal('null,"identity":');
const UNCHANGED = new Literal(',"unchanged":[');
/** Frames up to this many bytes are given the largest room their values could need; longer ones are measured. */
const MEASURE_ABOVE = 4096;
/** Of PostgreSQL: a table cannot have more columns. Room is made for more where they come all the same. */
const MAX_COLUMNS = 1600;

/**
 * Writes records as JSON bytes straight from pgoutput frames, without an object per row or column.
 * {@link encodeRecord} is the slow, obvious twin that must give the same bytes.
 * @see https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html (TupleData)
 */
export class RecordEncoder {
  readonly #epoch: number;
  readonly #transaction: TransactionBytes;
  #commitLsn = 0n;
  #commitTimeMs = 0;
  /** The key columns of the row and where their values were written, to repeat them as the identity of an update. */
  #keyCount = 0;
  #keyPlaces = new Uint32Array(MAX_COLUMNS);
  #keyStarts = new Uint32Array(MAX_COLUMNS);
  #keyEnds = new Uint32Array(MAX_COLUMNS);
  /** The columns of the row that were not sent. */
  #unchangedCount = 0;
  #unchanged = new Uint32Array(MAX_COLUMNS);
  readonly #entry = { action: 0, commitLsn: 0n, seq: 0, sub: 1 as 0 | 1, commitTimeMs: 0, table: NO_TABLE };

  constructor(epoch: number) {
    this.#epoch = epoch;
    this.#transaction = new TransactionBytes(epoch);
  }

  begin({ commitLsn, commitTimeUs, xid }: TransactionHead): void {
    this.#commitLsn = commitLsn;
    this.#commitTimeMs = MS_2000 + Math.floor(commitTimeUs / 1000);
    this.#transaction.begin(commitLsn, commitTimeUs, xid);
  }

  row(out: RecordBatchBuilder, template: TableTemplate, event: RowEvent): void {
    out.reserve(2 * maxSizeOf(event) + template.overhead);
    const { bytes, view } = out;
    const { action, seq } = event;
    let p = this.#transaction.write(bytes, out.length, action, event.lsnHi, event.lsnLo, seq);
    p = template.head.put(view, p);
    this.#unchangedCount = 0;
    if (event.newTuple >= 0) {
      bytes[p++] = 0x5b; // [
      p = this.#tuple(out, p, template, event);
      p = IDENTITY.put(view, p);
    } else {
      p = NO_COLUMNS.put(view, p);
    }
    if (event.oldTuple >= 0) p = putOldTuple(out, p, template, event);
    else if (action === ACTION.update && this.#keyCount > 0) p = this.#repeatKey(out, p, template);
    else p = NULL.put(view, p);
    p = template.metadata.put(view, p);
    if (this.#unchangedCount > 0) p = this.#unchangedNames(out, p, template);
    bytes[p++] = 0x7d; // }
    this.#push(out, p, action, seq, 1, template.ref);
  }

  truncate(out: RecordBatchBuilder, template: TableTemplate, event: TruncateEvent): void {
    out.reserve(template.overhead);
    const { bytes, view } = out;
    let p = this.#transaction.write(bytes, out.length, ACTION.truncate, event.lsnHi, event.lsnLo, event.seq);
    p = template.head.put(view, p);
    p = NO_COLUMNS.put(view, p);
    p = NULL.put(view, p);
    p = template.metadata.put(view, p);
    bytes[p++] = 0x7d;
    this.#push(out, p, ACTION.truncate, event.seq, 1, template.ref);
  }

  message(out: RecordBatchBuilder, event: MessageEvent): void {
    if (event.outsideTransaction === true) {
      this.#commitLsn = event.lsn;
      this.#commitTimeMs = 0;
      this.#transaction.outside(event.lsn);
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
    let p = this.#transaction.write(b, out.length, ACTION.message, lsnHi, lsnLo, event.seq);
    p += b.write(body, p, 'utf8');
    this.#push(out, p, ACTION.message, event.seq, event.sub, event.table);
  }

  /** All columns of the new tuple that were sent; notes the key's values and what was not sent. */
  // oxlint-disable-next-line complexity -- hot path: one loop over the tuple
  #tuple(out: Viewed, at: number, template: TableTemplate, event: RowEvent): number {
    const { bytes: b, view } = out;
    const { bytes, newTuple } = event;
    const { prefixes, isKey, kinds } = template;
    const count = ((bytes[newTuple] ?? 0) << 8) | (bytes[newTuple + 1] ?? 0);
    if (count > this.#keyPlaces.length) this.#makeRoom(count);
    let keys = 0;
    let o = newTuple + 2;
    let p = at;
    for (let i = 0; i < count; i++) {
      const kind = bytes[o++];
      if (kind === 0x75) {
        this.#unchanged[this.#unchangedCount++] = i; // u: a TOASTed value that did not change
        continue;
      }
      if (p !== at) b[p++] = 0x2c; // ,
      p = (prefixes[i] ?? NULL).put(view, p);
      const start = p;
      if (kind === 0x6e) {
        p = NULL.put(view, p);
      } else {
        const from = o + 4;
        o = from + event.view.getUint32(o);
        p = putValue(out, p, event, from, o, kinds[i] ?? KIND.text);
      }
      if (isKey[i] === 1) {
        this.#keyPlaces[keys] = i;
        this.#keyStarts[keys] = start;
        this.#keyEnds[keys++] = p;
      }
      b[p++] = 0x7d; // }
    }
    this.#keyCount = keys;
    return p;
  }

  /** An update that left its key alone came without an old row: the new one says which row it was. */
  #repeatKey({ bytes: b, view }: Viewed, at: number, template: TableTemplate): number {
    let p = at;
    b[p++] = 0x5b;
    for (let key = 0; key < this.#keyCount; key++) {
      if (key > 0) b[p++] = 0x2c;
      p = (template.prefixes[this.#keyPlaces[key] ?? 0] ?? NULL).put(view, p);
      p = putRange(b, p, b, this.#keyStarts[key] ?? 0, this.#keyEnds[key] ?? 0);
      b[p++] = 0x7d;
    }
    b[p++] = 0x5d; // ]
    return p;
  }

  #unchangedNames({ bytes: b, view }: Viewed, at: number, template: TableTemplate): number {
    let p = UNCHANGED.put(view, at);
    for (let n = 0; n < this.#unchangedCount; n++) {
      if (n > 0) b[p++] = 0x2c;
      p = (template.names[this.#unchanged[n] ?? 0] ?? NULL).put(view, p);
    }
    b[p++] = 0x5d;
    return p;
  }

  #makeRoom(columns: number): void {
    this.#keyPlaces = new Uint32Array(columns);
    this.#keyStarts = new Uint32Array(columns);
    this.#keyEnds = new Uint32Array(columns);
    this.#unchanged = new Uint32Array(columns);
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

function maxSizeOf({ view, size, newTuple, oldTuple }: RowEvent): number {
  if (size <= MEASURE_ABOVE) return size * 6;
  // the old row comes first
  const from = oldTuple >= 0 ? oldTuple : newTuple;
  // `size` is of the whole frame, which begins before its rows: where they end it need not reach
  return escapedSize(view, from, Math.min(from + size, view.byteLength));
}

/** `K` lists every column of the table with NULL for those outside the key: absent, not NULL. */
// oxlint-disable-next-line complexity -- hot path: one loop over the tuple
function putOldTuple(out: Viewed, at: number, template: TableTemplate, event: RowEvent): number {
  const { bytes } = event;
  const { bytes: b, view } = out;
  const keyOnly = event.oldKind === 0x4b;
  let o = event.oldTuple;
  const count = ((bytes[o] ?? 0) << 8) | (bytes[o + 1] ?? 0);
  o += 2;
  let p = at;
  b[p++] = 0x5b;
  const first = p;
  for (let i = 0; i < count; i++) {
    const kind = bytes[o++];
    const from = o + 4;
    const hasValue = kind !== 0x6e && kind !== 0x75;
    if (hasValue) o = from + event.view.getUint32(o);
    if (kind === 0x75 || (keyOnly && template.isKey[i] !== 1)) continue;
    if (p !== first) b[p++] = 0x2c;
    p = (template.prefixes[i] ?? NULL).put(view, p);
    p = hasValue ? putValue(out, p, event, from, o, template.kinds[i] ?? KIND.text) : NULL.put(view, p);
    b[p++] = 0x7d;
  }
  b[p++] = 0x5d;
  return p;
}
