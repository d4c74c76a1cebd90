import type { Buffer } from 'node:buffer';
import { partitionOfKey, type RecordHeader } from '@pgstream/kafka-client';
import { positionAt, RecordReader, valueAt, type RecordBatch } from '@pgstream/wal-event';
import type { Delivery } from './delivery.ts';
import { IdentityKeys } from './key.ts';
import type { PartitionQueue, QueuedBatch } from './partition-queue.ts';
import type { Sender } from './sender.ts';

/** A record on its way to one or more partitions. */
export interface Item {
  readonly batch: RecordBatch;
  readonly i: number;
  readonly delivery: Delivery;
  readonly key: Buffer;
}

/** Above what key, headers and framing of a record take. */
const LETTER_MARGIN_BYTES = 16 * 1024;

/** Puts single records into queues, unless their partition holds them already. */
export class RecordAppender {
  readonly sender: Sender;
  readonly #maxMessageBytes: number;
  readonly #identityKeys = new IdentityKeys();

  constructor(sender: Sender, maxMessageBytes: number) {
    this.sender = sender;
    this.#maxMessageBytes = maxMessageBytes;
  }

  queueOf(key: Buffer): PartitionQueue {
    const { queues } = this.sender;
    const queue = queues[partitionOfKey(key, queues.length)];
    if (queue === undefined) throw new RangeError('a topic has at least one partition');
    return queue;
  }

  appendTo(
    queue: PartitionQueue,
    { batch, i, delivery, key }: Item,
    headers?: readonly RecordHeader[],
  ): void {
    const words = wordsOf(batch.commitLsns);
    const lo = words[2 * i] ?? 0;
    const hi = words[2 * i + 1] ?? 0;
    const { seq, sub } = positionAt(batch, i);
    if (!queue.isNew(batch.epoch, hi, lo, seq, sub)) {
      this.dropKnown(queue, delivery);
      return;
    }
    const timeMs = timestampMs(batch.commitTimesMs[i], Date.now());
    const [start = 0, end = 0] = [batch.starts[i], batch.ends[i]];
    const queued = this.sender.append(queue, key, batch.bytes, start, end, timeMs, delivery, headers);
    // Headers grow with the number of partitions, so they may be larger than the margin.
    if (headers !== undefined || this.mayBeTooLarge(end - start)) this.noteLetter(queued, batch, i);
    queue.accept(batch.epoch, hi, lo, seq, sub);
  }

  dropKnown(queue: PartitionQueue, delivery: Delivery): void {
    this.sender.stats.known += 1;
    queue.holdForKnown(delivery);
  }

  /** Whether it is too large for the topic depends on how well it compresses. */
  mayBeTooLarge(valueBytes: number): boolean {
    return valueBytes > this.#maxMessageBytes - LETTER_MARGIN_BYTES;
  }

  /** The dead letter of the record alone in `queued`, written only if it is needed. */
  noteLetter(queued: QueuedBatch, batch: RecordBatch, i: number): void {
    queued.letter = () => {
      const value = valueAt(batch, i);
      const reader = new RecordReader();
      reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
      const { schema, table } = reader.ref;
      return {
        sink: 'kafka',
        code: 'KAFKA_RECORD_TOO_LARGE',
        reason: `the record has ${value.length} bytes, max.message.bytes of the topic is ${this.#maxMessageBytes}`,
        schema,
        table,
        identity: table === '' ? null : this.#identityKeys.current(reader).toString(),
        epoch: batch.epoch,
        position: positionAt(batch, i),
        record: value,
      };
    };
  }
}

/** Commit time, except that a broker refuses what lies in its future. */
export function timestampMs(commitTimeMs: number | undefined, nowMs: number): number {
  if (commitTimeMs === undefined || commitTimeMs <= 0 || commitTimeMs > nowMs) return nowMs;
  return Math.floor(commitTimeMs);
}

/** The LSNs as pairs of 32-bit words, low first: compared without a bigint per record. */
export function wordsOf(lsns: BigUint64Array): Uint32Array {
  return new Uint32Array(lsns.buffer, lsns.byteOffset, lsns.length * 2);
}
