import { Buffer } from 'node:buffer';
import { partitionOfKey, type RecordHeader } from '@pgstream/kafka-client';
import {
  ACTION,
  positionAt,
  RecordReader,
  valueAt,
  type BatchOutcome,
  type RecordBatch,
  type Sink,
  type TableRef,
} from '@pgstream/wal-event';
import { Delivery } from './delivery.ts';
import { AFTER_HEADER, KIND_HEADER } from './heartbeat.ts';
import { IdentityKeys, qualifiedName, tableKey, type Keying } from './key.ts';
import type { PartitionQueue, QueuedBatch } from './partition-queue.ts';
import { schemaRoute, type SchemaRoute } from './schema-moves.ts';
import type { Sender } from './sender.ts';

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

const SCHEMA_HEADER: RecordHeader = { key: KIND_HEADER, value: Buffer.from('schema') };

/**
 * Writes records to the partitions of one topic, each exactly once and in order: what a partition already holds, from
 * this life or before it, is dropped. One `write` at a time.
 */
export class KafkaSink implements Sink {
  readonly name = 'kafka';
  readonly topicId: string;
  readonly #sender: Sender;
  readonly #keying: Keying;
  readonly #maxMessageBytes: number;
  readonly #release: () => void;
  readonly #routes = new WeakMap<TableRef, Route>();
  readonly #reader = new RecordReader();
  readonly #identityKeys = new IdentityKeys();

  constructor(parts: KafkaSinkParts) {
    this.#sender = parts.sender;
    this.#keying = parts.keying;
    this.#maxMessageBytes = parts.maxMessageBytes;
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
      else await this.#appendSpecial(batch, i++, delivery, signal);
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
        this.#dropKnown(queue, delivery);
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
      if (end - start > this.#maxMessageBytes - LETTER_MARGIN_BYTES) this.#mayBeTooLarge(queued, batch, i);
      queue.accept(epoch, hi, lo, seq, sub);
    }
    return i;
  }

  async #appendSpecial(
    batch: RecordBatch,
    i: number,
    delivery: Delivery,
    signal: AbortSignal,
  ): Promise<void> {
    const action = batch.actions[i];
    if (action === ACTION.message) {
      const route = schemaRoute(valueAt(batch, i));
      if (route === null) this.#appendTo(this.#queueOf(NO_KEY), { batch, i, delivery, key: NO_KEY });
      else
        await this.#appendSchema({ batch, i, delivery, key: Buffer.from(route.schemaName) }, route, signal);
      return;
    }
    if (action === ACTION.truncate) {
      const ref = batch.tables[i];
      const key = Buffer.from(ref === undefined ? '' : qualifiedName(ref));
      for (const queue of this.#sender.queues) this.#appendTo(queue, { batch, i, delivery, key });
      return;
    }
    await this.#appendMoved(batch, i, delivery, signal);
  }

  /** `undefined` for an update that moves its row to another partition. */
  #identityRoute(batch: RecordBatch, i: number): Route | undefined {
    const reader = this.#reader;
    reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
    const key = this.#identityKeys.current(reader);
    const queue = this.#queueOf(key);
    const oldKey = batch.actions[i] === ACTION.update ? this.#identityKeys.previous(reader) : null;
    return oldKey === null || this.#queueOf(oldKey) === queue ? { key, queue } : undefined;
  }

  /** First to the old key's partition, then to the new one's, which waits for the first. */
  async #appendMoved(batch: RecordBatch, i: number, delivery: Delivery, signal: AbortSignal): Promise<void> {
    const reader = this.#reader;
    reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
    const key = this.#identityKeys.current(reader);
    const oldKey = this.#identityKeys.previous(reader) ?? key;
    const from = this.#queueOf(oldKey);
    this.#appendTo(from, { batch, i, delivery, key: oldKey });
    await this.#drained([from], signal);
    this.#appendTo(this.#queueOf(key), { batch, i, delivery, key }, after([from]));
  }

  /**
   * A schema change reaches every partition that holds rows of its tables. Where rows get another partition, those that
   * receive them wait for what the others hold: with keys by schema for the old schema's copy of this record, otherwise
   * for everything in front of it, since any row may have moved from anywhere to anywhere.
   */
  async #appendSchema(item: Item, route: SchemaRoute, signal: AbortSignal): Promise<void> {
    const { queues } = this.#sender;
    if (this.#keying !== 'schema') {
      if (route.renamesTables) await this.#drained(queues, signal);
      const edges = queues.map((queue) =>
        route.renamesTables ? after(queues.filter((other) => other !== queue)) : [],
      );
      for (const [p, queue] of queues.entries())
        this.#appendTo(queue, item, [SCHEMA_HEADER, ...(edges[p] ?? [])]);
      return;
    }
    const queueOfSchema = (schema: string) => this.#queueOf(Buffer.from(schema));
    const from = new Set(route.schemaMoves.map((move) => queueOfSchema(move.from)));
    const to = new Set(
      route.schemaMoves.map((move) => queueOfSchema(move.to)).filter((queue) => !from.has(queue)),
    );
    for (const queue of new Set(route.schemas.map((schema) => queueOfSchema(schema)))) {
      if (!to.has(queue)) this.#appendTo(queue, item, [SCHEMA_HEADER]);
    }
    if (to.size === 0) return;
    await this.#drained([...from], signal);
    for (const queue of to) this.#appendTo(queue, item, [SCHEMA_HEADER, ...after([...from])]);
  }

  #appendTo(
    queue: PartitionQueue,
    { batch, i, delivery, key }: Item,
    headers?: readonly RecordHeader[],
  ): void {
    const words = wordsOf(batch.commitLsns);
    const lo = words[2 * i] ?? 0;
    const hi = words[2 * i + 1] ?? 0;
    const { seq, sub } = positionAt(batch, i);
    if (!queue.isNew(batch.epoch, hi, lo, seq, sub)) {
      this.#dropKnown(queue, delivery);
      return;
    }
    const timeMs = timestampMs(batch.commitTimesMs[i], Date.now());
    const [start = 0, end = 0] = [batch.starts[i], batch.ends[i]];
    const queued = this.#sender.append(queue, key, batch.bytes, start, end, timeMs, delivery, headers);
    // Headers grow with the number of partitions, so they may be larger than the margin.
    if (headers !== undefined || end - start > this.#maxMessageBytes - LETTER_MARGIN_BYTES)
      this.#mayBeTooLarge(queued, batch, i);
    queue.accept(batch.epoch, hi, lo, seq, sub);
  }

  #dropKnown(queue: PartitionQueue, delivery: Delivery): void {
    this.#sender.stats.known += 1;
    queue.holdForKnown(delivery);
  }

  /** Whether it is depends on how well it compresses; the letter is written only if it is. */
  #mayBeTooLarge(queued: QueuedBatch, batch: RecordBatch, i: number): void {
    queued.letter = () => {
      const value = valueAt(batch, i);
      const reader = new RecordReader();
      reader.read(batch.bytes, batch.starts[i] ?? 0, batch.ends[i] ?? 0);
      const { schema, table } = reader.ref;
      return {
        sink: this.name,
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

  async #drained(queues: readonly PartitionQueue[], signal: AbortSignal): Promise<void> {
    await this.#sender.until(() => queues.every((queue) => queue.isIdle), signal);
  }

  #routeOf(ref: TableRef): Route {
    const known = this.#routes.get(ref);
    if (known !== undefined) return known;
    const key = Buffer.from(tableKey(this.#keying === 'table' ? 'table' : 'schema', ref));
    const route = { key, queue: this.#queueOf(key) };
    this.#routes.set(ref, route);
    return route;
  }

  #queueOf(key: Buffer): PartitionQueue {
    const { queues } = this.#sender;
    const queue = queues[partitionOfKey(key, queues.length)];
    if (queue === undefined) throw new RangeError('a topic has at least one partition');
    return queue;
  }
}

/** A record on its way to one or more partitions. */
interface Item {
  readonly batch: RecordBatch;
  readonly i: number;
  readonly delivery: Delivery;
  readonly key: Buffer;
}

const NO_KEY = Buffer.alloc(0);
/** Above what key, headers and framing of a record take. */
const LETTER_MARGIN_BYTES = 16 * 1024;

/** The record that carries it waits until the group has committed past the newest data record of each of `queues`. */
function after(queues: readonly PartitionQueue[]): RecordHeader[] {
  const edges = queues
    .filter(({ dataOffset }) => dataOffset >= 0n)
    .map(({ partition, dataOffset }) => ({ partition, offset: String(dataOffset) }));
  return edges.length === 0 ? [] : [{ key: AFTER_HEADER, value: Buffer.from(JSON.stringify(edges)) }];
}

/** Commit time, except that a broker refuses what lies in its future. */
function timestampMs(commitTimeMs: number | undefined, nowMs: number): number {
  if (commitTimeMs === undefined || commitTimeMs <= 0 || commitTimeMs > nowMs) return nowMs;
  return Math.floor(commitTimeMs);
}

/** The LSNs as pairs of 32-bit words, low first: compared without a bigint per record. */
function wordsOf(lsns: BigUint64Array): Uint32Array {
  return new Uint32Array(lsns.buffer, lsns.byteOffset, lsns.length * 2);
}
