import { Buffer } from 'node:buffer';
import { viewOf } from './json-bytes.ts';
import type { Lsn } from './lsn.ts';
import type { Position } from './position.ts';
import type { TableRef } from './table.ts';

/** Character codes of the record's `action`: I, U, D, T, M. */
export const ACTION = { insert: 0x49, update: 0x55, delete: 0x44, truncate: 0x54, message: 0x4d } as const;

/**
 * Records back to back, without an object per record: record `i` is `bytes[starts[i], ends[i])`.
 * Arrays may be longer than `count`. Everything is valid until the batch has settled, then it is reused.
 */
export interface RecordBatch<Checkpoint = unknown> {
  readonly lane: number;
  readonly count: number;
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  /** {@link ACTION} */
  readonly actions: Uint8Array;
  readonly commitLsns: BigUint64Array;
  readonly seqs: Uint32Array;
  /** See {@link Position.sub}. */
  readonly subs: Uint8Array;
  /** Commit time, milliseconds since 1970, UTC; 0 where there is none. */
  readonly commitTimesMs: Float64Array;
  readonly tables: readonly TableRef[];
  /** Where each record stands in its lane's log; absent for sources that have no such numbers. */
  readonly offsets?: Float64Array | undefined;
  readonly epoch: number;
  /** Present when everything of the lane up to the end of this batch may be confirmed once it has settled. */
  readonly checkpoint?: Checkpoint | undefined;
  /**
   * Whether its lane is still ours, in the ownership under which the batch was read: a lane that was lost and came
   * back is another one. Absent where lanes cannot be lost. A sink asks before each attempt to write.
   */
  isOurs?(): boolean;
  /**
   * Gives the bytes back to the source for reuse. Whoever took the batch from the source calls it once, after the
   * outcome is known or when the batch is abandoned; a source whose batches are not given back stops reading.
   */
  release?(): void;
}

export function positionAt(batch: RecordBatch, index: number): Position {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the array holds LSNs only
  const commitLsn = (batch.commitLsns[index] ?? 0n) as Lsn;
  return { commitLsn, seq: batch.seqs[index] ?? 0, sub: batch.subs[index] === 0 ? 0 : 1 };
}

/** The bytes of record `index`, as a view: valid as long as the batch is. */
export function valueAt(batch: RecordBatch, index: number): Buffer {
  return batch.bytes.subarray(batch.starts[index], batch.ends[index]);
}

/** A batch under construction. Grows when a record does not fit; reused through {@link reset}. */
export class RecordBatchBuilder<Checkpoint = unknown> implements RecordBatch<Checkpoint> {
  lane = 0;
  count = 0;
  epoch = 0;
  bytes: Buffer;
  /** Of {@link bytes}. */
  view: DataView;
  /** Bytes in use: the end of the last record. */
  length = 0;
  starts: Uint32Array;
  ends: Uint32Array;
  actions: Uint8Array;
  commitLsns: BigUint64Array;
  seqs: Uint32Array;
  subs: Uint8Array;
  commitTimesMs: Float64Array;
  readonly tables: TableRef[] = [];
  offsets: Float64Array | undefined;
  checkpoint: Checkpoint | undefined;

  constructor(byteCapacity: number, recordCapacity = 1024) {
    this.bytes = Buffer.allocUnsafeSlow(byteCapacity);
    this.view = viewOf(this.bytes);
    this.starts = new Uint32Array(recordCapacity);
    this.ends = new Uint32Array(recordCapacity);
    this.actions = new Uint8Array(recordCapacity);
    this.commitLsns = new BigUint64Array(recordCapacity);
    this.seqs = new Uint32Array(recordCapacity);
    this.subs = new Uint8Array(recordCapacity);
    this.commitTimesMs = new Float64Array(recordCapacity);
  }

  /** Notes where the record that is pushed next stands in its log. */
  markOffset(offset: number): void {
    this.offsets ??= new Float64Array(this.starts.length);
    if (this.offsets.length <= this.count) {
      this.offsets = grown(this.offsets, new Float64Array(Math.max(this.starts.length, this.count + 1) * 2));
    }
    this.offsets[this.count] = offset;
  }

  reset(): void {
    this.count = 0;
    this.length = 0;
    // not deleted: that would make every access to this object a look-up in a table
    this.checkpoint = undefined;
  }

  /** Makes room for `size` more bytes. The buffer may move: read `bytes` and `view` again afterwards. */
  reserve(size: number): void {
    const need = this.length + size;
    if (need <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(need, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.length);
    this.bytes = larger;
    this.view = viewOf(larger);
  }

  /** Notes the record whose bytes were written at `[length, end)`. */
  push(record: RecordEntry, end: number): void {
    const i = this.count;
    if (i === this.starts.length) this.#growArrays();
    this.starts[i] = this.length;
    this.ends[i] = end;
    this.actions[i] = record.action;
    this.commitLsns[i] = record.commitLsn;
    this.seqs[i] = record.seq;
    this.subs[i] = record.sub;
    this.commitTimesMs[i] = record.commitTimeMs;
    this.tables[i] = record.table;
    this.length = end;
    this.count = i + 1;
  }

  /** Moves the records from `index` on to the empty batch `to`. */
  // oxlint-disable-next-line complexity -- a default for each column that an index could miss
  moveTail(index: number, to: RecordBatchBuilder): void {
    const from = this.starts[index] ?? this.length;
    to.reserve(this.length - from);
    to.epoch = this.epoch;
    this.bytes.copy(to.bytes, 0, from, this.length);
    while (to.starts.length < this.count - index) to.#growArrays();
    for (let i = index, n = 0; i < this.count; i++, n++) {
      to.starts[n] = (this.starts[i] ?? 0) - from;
      to.ends[n] = (this.ends[i] ?? 0) - from;
      to.actions[n] = this.actions[i] ?? 0;
      to.commitLsns[n] = this.commitLsns[i] ?? 0n;
      to.seqs[n] = this.seqs[i] ?? 0;
      to.subs[n] = this.subs[i] ?? 0;
      to.commitTimesMs[n] = this.commitTimesMs[i] ?? 0;
      const table = this.tables[i];
      if (table !== undefined) to.tables[n] = table;
    }
    to.count = this.count - index;
    to.length = this.length - from;
    this.count = index;
    this.length = from;
  }

  #growArrays(): void {
    const size = this.starts.length * 2;
    this.starts = grown(this.starts, new Uint32Array(size));
    this.ends = grown(this.ends, new Uint32Array(size));
    this.actions = grown(this.actions, new Uint8Array(size));
    this.commitLsns = grown(this.commitLsns, new BigUint64Array(size));
    this.seqs = grown(this.seqs, new Uint32Array(size));
    this.subs = grown(this.subs, new Uint8Array(size));
    this.commitTimesMs = grown(this.commitTimesMs, new Float64Array(size));
  }
}

/** What {@link RecordBatchBuilder.push} notes beside the bytes. Callers reuse one object. */
export interface RecordEntry {
  readonly action: number;
  readonly commitLsn: bigint;
  readonly seq: number;
  readonly sub: 0 | 1;
  readonly commitTimeMs: number;
  readonly table: TableRef;
}

function grown<A extends { set(from: A): void }>(from: A, to: A): A {
  to.set(from);
  return to;
}
