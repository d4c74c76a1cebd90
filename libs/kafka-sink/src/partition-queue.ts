import type { Buffer } from 'node:buffer';
import type { BatchCodec, RecordBatchWriter } from '@pgstream/kafka-client';
import type { DeadLetter, Lsn, Position } from '@pgstream/wal-event';
import type { Delivery } from './delivery.ts';
import type { SpareWriters } from './spare-writers.ts';

/** A batch being filled, waiting or in flight. */
export interface QueuedBatch {
  readonly writer: RecordBatchWriter;
  /** Each written batch that has records here, once. */
  readonly deliveries: Delivery[];
  /** As the queue bound counts them. */
  bytes: number;
  /** Set once nothing more is added. */
  sealed: SealedBatch | undefined;
  /** Of a batch of one record that may be too large for the topic. */
  letter: (() => DeadLetter) | undefined;
}

/** Nothing more is added, and what goes over the wire is made, or being made on another thread. */
export interface SealedBatch {
  readonly batch: Buffer | Promise<Buffer>;
  readonly count: number;
  /** Bytes before compression. */
  readonly length: number;
  /** The position of the last record. */
  readonly end: QueuedPosition;
  /** Whether `batch` is a view of the writer, which then is not used again before the batch is durable. */
  readonly isView: boolean;
}

export interface QueueOptions {
  readonly maxBatchBytes: number;
  readonly maxBatchRecords: number;
  readonly codec: BatchCodec;
  /** Of all queues together. */
  readonly writers: SpareWriters;
}

/** Compressed or not, below this the codec costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
/** From here on compression runs on another thread, beside the encoding of what comes next. */
const MIN_ASIDE_BYTES = 32 * 1024;

export interface QueuedPosition {
  readonly epoch: number;
  readonly position: Position | null;
}

/** What one partition has to send, in order, and how far its log reaches. */
export class PartitionQueue {
  readonly partition: number;
  /** A batch is in flight: the next one waits. */
  isBusy = false;
  /** Of the last record that is no heartbeat and is acknowledged; `-1n` without one. */
  dataOffset: bigint;
  /** Position of that record. */
  durable: QueuedPosition;
  /** A heartbeat goes out before the next batch. */
  isHeartbeatDue = false;
  bytesSinceHeartbeat = 0;
  readonly #options: QueueOptions;
  readonly #batches: QueuedBatch[] = [];
  #inFlight: QueuedBatch | undefined;
  // The position of the last record accepted, in words: no bigint per record.
  #epoch = -1;
  #hi = 0;
  #lo = 0;
  #seq = -1;
  #sub = 0;

  constructor(
    partition: number,
    options: QueueOptions,
    start: QueuedPosition & { readonly dataOffset: bigint },
  ) {
    this.partition = partition;
    this.#options = options;
    this.dataOffset = start.dataOffset;
    this.durable = { epoch: start.epoch, position: start.position };
    if (start.position === null) return;
    const { commitLsn, seq, sub } = start.position;
    this.accept(start.epoch, Number(commitLsn >> 32n), Number(commitLsn & 0xffff_ffffn), seq, sub);
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0;
  }

  get isIdle(): boolean {
    return this.#batches.length === 0 && !this.isBusy;
  }

  /** The last record accepted, durable or not. */
  get position(): QueuedPosition {
    if (this.#epoch < 0) return { epoch: 0, position: null };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- put together from the words of an LSN
    const commitLsn = ((BigInt(this.#hi) << 32n) | BigInt(this.#lo)) as Lsn;
    return { epoch: this.#epoch, position: { commitLsn, seq: this.#seq, sub: this.#sub === 0 ? 0 : 1 } };
  }

  /** Whether a record is after everything that this partition has taken, in this life or before it. */
  // oxlint-disable-next-line max-params -- hot path: an argument object per row would cost more than the comparison
  isNew(epoch: number, hi: number, lo: number, seq: number, sub: number): boolean {
    if (epoch !== this.#epoch) return epoch > this.#epoch;
    if (hi !== this.#hi) return hi > this.#hi;
    if (lo !== this.#lo) return lo > this.#lo;
    if (seq !== this.#seq) return seq > this.#seq;
    return sub > this.#sub;
  }

  /** Notes the position of the record that was just added. */
  // oxlint-disable-next-line max-params -- hot path: see isNew
  accept(epoch: number, hi: number, lo: number, seq: number, sub: number): void {
    this.#epoch = epoch;
    this.#hi = hi;
    this.#lo = lo;
    this.#seq = seq;
    this.#sub = sub;
  }

  /** The batch that takes a record of `size` bytes next. Large records travel alone. */
  batchFor(size: number): QueuedBatch {
    const { maxBatchBytes, maxBatchRecords } = this.#options;
    const open = this.#batches.at(-1);
    if (open !== undefined) {
      const { writer } = open;
      if (writer.length + size <= maxBatchBytes && writer.count < maxBatchRecords) return open;
      // Compressed while the batches in front of it are under way
      this.#seal(open);
    }
    const fresh: QueuedBatch = {
      writer: this.#options.writers.take(),
      deliveries: [],
      bytes: 0,
      sealed: undefined,
      letter: undefined,
    };
    this.#batches.push(fresh);
    return fresh;
  }

  /** A record that was dropped as known is durable only when its first copy is. */
  holdForKnown(delivery: Delivery): void {
    const last = this.#batches.at(-1) ?? this.#inFlight;
    if (last === undefined || last.deliveries.includes(delivery)) return;
    last.deliveries.push(delivery);
    delivery.hold();
  }

  /** The oldest batch leaves for the wire. */
  take(): { readonly queued: QueuedBatch; readonly sealed: SealedBatch } | undefined {
    const queued = this.#batches.shift();
    if (queued === undefined) return undefined;
    this.#inFlight = queued;
    this.isBusy = true;
    return { queued, sealed: queued.sealed ?? this.#seal(queued) };
  }

  /** The batch in flight is durable. */
  finish({ writer, sealed }: QueuedBatch): void {
    this.#inFlight = undefined;
    this.isBusy = false;
    if (sealed === undefined) return;
    this.durable = sealed.end;
    if (sealed.isView) this.#options.writers.give(writer);
  }

  fail(cause: unknown): void {
    for (const batch of [
      ...this.#batches.splice(0),
      ...(this.#inFlight === undefined ? [] : [this.#inFlight]),
    ]) {
      for (const delivery of batch.deliveries) delivery.fail(cause);
    }
  }

  #seal(queued: QueuedBatch): SealedBatch {
    const { writer } = queued;
    const { writers } = this.#options;
    const { count, length } = writer;
    const codec = length < MIN_COMPRESSED_BYTES ? 'none' : this.#options.codec;
    const isView = codec === 'none';
    // A small batch is worth no trip to another thread.
    const isAside = !isView && length >= MIN_ASIDE_BYTES;
    const batch = isAside ? writer.finishAside(codec) : writer.finish(codec);
    const reuse = () => writers.give(writer);
    // A failure is met by whoever sends the batch.
    if (batch instanceof Promise) batch.then(reuse, () => {});
    else if (!isView) reuse();
    const sealed = { batch, count, length, end: this.position, isView };
    queued.sealed = sealed;
    return sealed;
  }
}
