import { Buffer } from 'node:buffer';
import {
  ACTION,
  RecordReader,
  type BatchOutcome,
  type RecordBatch,
  type Sink,
  type TableRef,
} from '@pgstream/wal-event';
import { Delivery } from './delivery.ts';
import { IdentityKeys, tableKey, type Keying } from './key.ts';
import type { PartitionQueue } from './partition-queue.ts';
import { RecordAppender, timestampMs, wordsOf } from './record-appender.ts';
import type { Sender } from './sender.ts';
import { SpecialRecords } from './special-records.ts';

export interface KafkaSinkParts {
  readonly sender: Sender;
  readonly keying: Keying;
  readonly maxMessageBytes: number;
  /** 32 hexadecimal digits. */
  readonly topicId: string;
  /** Releases timers and connections. */
  readonly release: () => void;
}

interface Route {
  readonly key: Buffer;
  readonly queue: PartitionQueue;
}

/**
 * Writes records to the partitions of one topic, each exactly once and in order: what a partition already holds, from
 * this life or before it, is dropped. One `write` at a time.
 */
export class KafkaSink implements Sink {
  readonly name = 'kafka';
  readonly topicId: string;
  readonly #sender: Sender;
  readonly #keying: Keying;
  readonly #appender: RecordAppender;
  readonly #special: SpecialRecords;
  readonly #release: () => void;
  readonly #routes = new WeakMap<TableRef, Route>();
  readonly #reader = new RecordReader();
  readonly #identityKeys = new IdentityKeys();

  constructor(parts: KafkaSinkParts) {
    this.#sender = parts.sender;
    this.#keying = parts.keying;
    this.#appender = new RecordAppender(parts.sender, parts.maxMessageBytes);
    this.#special = new SpecialRecords(this.#appender, parts.keying);
    this.topicId = parts.topicId;
    this.#release = parts.release;
  }

  get stats(): Readonly<Sender['stats']> {
    return this.#sender.stats;
  }

  /** Bytes accepted and not yet acknowledged. */
  get queuedBytes(): number {
    return this.#sender.queuedBytes;
  }

  /** @throws {PipelineError} when the sink has failed: open another one, which reads the log again. */
  async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    const delivery = new Delivery(outcome);
    await this.#sender.until(() => !this.#sender.isFull, signal);
    for (let i = 0; i < batch.count;) {
      i = this.#appendRows(batch, i, delivery);
      if (i >= batch.count) break;
      // oxlint-disable-next-line no-await-in-loop -- backpressure, and records that wait for others
      if (this.#sender.isFull) await this.#sender.until(() => !this.#sender.isFull, signal);
      // oxlint-disable-next-line no-await-in-loop -- see above
      else await this.#special.append({ batch, i: i++, delivery }, signal);
    }
    this.#sender.pump();
    // What was queued after a failure is never sent.
    if (this.#sender.failure !== undefined) delivery.fail(this.#sender.failure);
    delivery.release();
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#sender.until(() => this.#sender.isIdle, signal);
  }

  async close(): Promise<void> {
    this.#release();
    await Promise.resolve();
  }

  /** Rows from `from` on, up to the first record that needs more or until the queue is full; answers where it stopped. */
  // oxlint-disable-next-line complexity -- hot path: one loop without calls per record beyond the copy
  #appendRows(batch: RecordBatch, from: number, delivery: Delivery): number {
    const { bytes, starts, ends, actions, seqs, subs, tables, count, epoch, commitTimesMs } = batch;
    const words = wordsOf(batch.commitLsns);
    const nowMs = Date.now();
    const sender = this.#sender;
    const appender = this.#appender;
    const isIdentity = this.#keying === 'identity';
    let table: TableRef | undefined;
    let route: Route | undefined;
    let i = from;
    for (; i < count && !sender.isFull; i += 1) {
      const action = actions[i];
      if (action === ACTION.message) return i;
      const ref = tables[i];
      if (isIdentity) {
        route = action === ACTION.truncate ? undefined : this.#identityRoute(batch, i);
        if (route === undefined) return i;
      } else if (ref !== table || route === undefined) {
        if (ref === undefined) throw new RangeError('a batch has fewer tables than records');
        table = ref;
        route = this.#routeOf(ref);
      }
      const { queue } = route;
      const lo = words[2 * i] ?? 0;
      const hi = words[2 * i + 1] ?? 0;
      const seq = seqs[i] ?? 0;
      const sub = subs[i] ?? 0;
      const start = starts[i] ?? 0;
      const end = ends[i] ?? 0;
      if (!queue.isNew(epoch, hi, lo, seq, sub)) {
        appender.dropKnown(queue, delivery);
        continue;
      }
      const queued = sender.append(
        queue,
        route.key,
        bytes,
        start,
        end,
        timestampMs(commitTimesMs[i], nowMs),
        delivery,
      );
      if (appender.mayBeTooLarge(end - start)) appender.noteLetter(queued, batch, i);
      queue.accept(epoch, hi, lo, seq, sub);
    }
    return i;
  }

  /** `undefined` for an update that moves its row to another partition. */
  #identityRoute(batch: RecordBatch, i: number): Route | undefined {
    const reader = this.#reader;
    reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
    const key = this.#identityKeys.current(reader);
    const queue = this.#appender.queueOf(key);
    const oldKey = batch.actions[i] === ACTION.update ? this.#identityKeys.previous(reader) : null;
    return oldKey === null || this.#appender.queueOf(oldKey) === queue ? { key, queue } : undefined;
  }

  #routeOf(ref: TableRef): Route {
    const known = this.#routes.get(ref);
    if (known !== undefined) return known;
    const key = Buffer.from(tableKey(this.#keying === 'table' ? 'table' : 'schema', ref));
    const route = { key, queue: this.#appender.queueOf(key) };
    this.#routes.set(ref, route);
    return route;
  }
}
