import type { Buffer } from 'node:buffer';
import type {
  BatchCodec,
  Cluster,
  IdempotentProducer,
  LogReader,
  RecordHeader,
} from '@pgstream/kafka-client';
import { RecordBatchWriter } from '@pgstream/kafka-client';
import { failpoint, PipelineError } from '@pgstream/failure';
import type { DeadLetter, DeadLetterStore } from '@pgstream/wal-event';
import type { Delivery } from './delivery.ts';
import { encodeHeartbeat, HEARTBEAT_HEADERS } from './heartbeat.ts';
import type { PartitionQueue, QueuedBatch } from './partition-queue.ts';

export interface SenderOptions {
  readonly cluster: Cluster;
  readonly producer: IdempotentProducer;
  readonly log: LogReader;
  readonly queues: readonly PartitionQueue[];
  readonly codec: BatchCodec;
  readonly maxQueueBytes: number;
  /** What the topic takes: `max.message.bytes`. */
  readonly maxMessageBytes: number;
  readonly sourceId: string;
  readonly routing: Readonly<Record<string, string>>;
  readonly deadLetters: DeadLetterStore;
  /** Takes the producer id again; nothing is in flight meanwhile. */
  readonly renew: () => Promise<void>;
}

/** Compressed or not, below this the codec costs more than it saves. */
const MIN_COMPRESSED_BYTES = 1024;
/** From here on compression runs on another thread, beside the encoding of what comes next. */
const MIN_ASIDE_BYTES = 32 * 1024;
/** Of one request, before compression: bounds what one answer can be waited for. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;
/** A heartbeat each so many bytes of a partition: bounds how far a start reads back to find one. */
const HEARTBEAT_EVERY_BYTES = 4 * 1024 * 1024;
/** What a record adds to the queue beside its value and key. */
const RECORD_BYTES = 40;
/** What a header adds beside its key and value. */
const HEADER_BYTES = 10;

interface Taken extends Omit<Sent, 'batch'> {
  readonly batch: Buffer | Promise<Buffer>;
}

interface Sent {
  readonly queue: PartitionQueue;
  /** `undefined` for a heartbeat. */
  readonly queued: QueuedBatch | undefined;
  readonly partition: number;
  readonly batch: Buffer;
  readonly count: number;
}

/**
 * Sends when idle and grows when busy: one round per partition leader is in flight, and what arrives meanwhile makes
 * the next one. No timer, no linger.
 */
export class Sender {
  readonly queues: readonly PartitionQueue[];
  /** Counted for the metrics. */
  readonly stats = { records: 0, bytes: 0, rounds: 0, known: 0, parked: 0, heartbeats: 0 };
  failure: PipelineError | undefined;
  readonly #options: SenderOptions;
  readonly #ready = new Set<PartitionQueue>();
  readonly #busyLeaders = new Set<number>();
  readonly #waiters: (() => void)[] = [];
  #queuedBytes = 0;
  #renewal: 'none' | 'wanted' | 'running' = 'none';

  constructor(options: SenderOptions) {
    this.#options = options;
    this.queues = options.queues;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isFull(): boolean {
    return this.#queuedBytes >= this.#options.maxQueueBytes;
  }

  get isIdle(): boolean {
    return this.#busyLeaders.size === 0 && this.#ready.size === 0;
  }

  /** Copies a record into its partition's queue; {@link pump} sends it. */
  // oxlint-disable-next-line max-params -- hot path: an argument object per row would cost more than the row
  append(
    queue: PartitionQueue,
    key: Buffer,
    source: Buffer,
    start: number,
    end: number,
    timestampMs: number,
    delivery: Delivery,
    headers?: readonly RecordHeader[],
  ): QueuedBatch {
    const size = end - start + key.length + RECORD_BYTES + (headers === undefined ? 0 : bytesOf(headers));
    const batch = queue.batchFor(size);
    batch.writer.add(key, source, start, end, timestampMs, headers);
    batch.bytes += size;
    this.#queuedBytes += size;
    const { deliveries } = batch;
    if (deliveries[deliveries.length - 1] !== delivery) {
      deliveries.push(delivery);
      delivery.hold();
      this.#ready.add(queue);
    }
    return batch;
  }

  /** Starts a round at each leader that has none in flight. */
  pump(): void {
    if (this.failure !== undefined || this.#renewal === 'running') return;
    if (this.#renewal === 'wanted') {
      if (this.#busyLeaders.size === 0) void this.#renew();
      return;
    }
    if (this.#ready.size === 0) return;
    for (const [leader, queues] of this.#rounds()) void this.#round(leader, queues);
  }

  /** A heartbeat to every partition, in front of what waits there. */
  heartbeat(): void {
    for (const queue of this.queues) {
      queue.isHeartbeatDue = true;
      this.#ready.add(queue);
    }
    this.pump();
  }

  /** The producer id is taken again as soon as nothing is in flight, and heartbeats carry its epoch everywhere. */
  renew(): void {
    if (this.#renewal === 'none') this.#renewal = 'wanted';
    this.pump();
  }

  /** Resolves when `isDone`, asked after every round. @throws {PipelineError} when the sender has failed. */
  async until(isDone: () => boolean, signal?: AbortSignal): Promise<void> {
    this.pump();
    while (this.#check(signal) && !isDone()) {
      // oxlint-disable-next-line no-await-in-loop -- the end of each round is looked at
      await this.#nextRound(signal);
    }
  }

  fail(cause: unknown): void {
    if (this.failure !== undefined) return;
    const failure = cause instanceof PipelineError ? cause : new PipelineError('UNCLASSIFIED', { cause });
    this.failure = failure;
    for (const queue of this.queues) queue.fail(failure);
    this.#wake();
  }

  async #round(leader: number, queues: readonly PartitionQueue[]): Promise<void> {
    this.#busyLeaders.add(leader);
    try {
      await this.#exchange(this.#take(queues));
    } catch (cause) {
      this.fail(cause);
    }
    this.#busyLeaders.delete(leader);
    if (this.#options.producer.needsRenewal && this.#renewal === 'none') this.#renewal = 'wanted';
    this.pump();
    this.#wake();
  }

  #rounds(): Map<number, PartitionQueue[]> {
    const rounds = new Map<number, PartitionQueue[]>();
    for (const queue of this.#ready) {
      const leader = this.#options.cluster.leaderOf(queue.partition);
      if (queue.isBusy || this.#busyLeaders.has(leader)) continue;
      const round = rounds.get(leader);
      if (round === undefined) rounds.set(leader, [queue]);
      else round.push(queue);
    }
    return rounds;
  }

  #take(queues: readonly PartitionQueue[]): Taken[] {
    const round: Taken[] = [];
    let bytes = 0;
    for (const queue of queues) {
      if (bytes >= MAX_REQUEST_BYTES) break;
      // To the end of the line, so that no partition waits for ever behind busier ones.
      this.#ready.delete(queue);
      const sent = queue.isHeartbeatDue ? this.#takeHeartbeat(queue) : this.#takeBatch(queue);
      if (!queue.isEmpty) this.#ready.add(queue);
      if (sent === undefined) continue;
      bytes += sent.queued?.writer.length ?? 0;
      round.push(sent);
    }
    return round;
  }

  #takeBatch(queue: PartitionQueue): Taken | undefined {
    const queued = queue.take();
    if (queued === undefined) return undefined;
    const { writer } = queued;
    const codec = writer.length < MIN_COMPRESSED_BYTES ? 'none' : this.#options.codec;
    // A small batch is worth no trip to another thread.
    const batch = writer.length < MIN_ASIDE_BYTES ? writer.finish(codec) : writer.finishAside(codec);
    return { queue, queued, partition: queue.partition, batch, count: writer.count };
  }

  #takeHeartbeat(queue: PartitionQueue): Taken {
    queue.isHeartbeatDue = false;
    queue.bytesSinceHeartbeat = 0;
    queue.isBusy = true;
    const { sourceId, routing } = this.#options;
    const position = { ...queue.durable, dataOffset: queue.dataOffset };
    const batch = heartbeatBatch({ sourceId, routing, ...position, isFence: false });
    this.stats.heartbeats += 1;
    return { queue, queued: undefined, partition: queue.partition, batch, count: 1 };
  }

  async #exchange(taken: readonly Taken[]): Promise<void> {
    const round = await Promise.all(
      taken.map(async (item): Promise<Sent> => ({ ...item, batch: await item.batch })),
    );
    const fits = ({ batch }: Sent) => batch.length <= this.#options.maxMessageBytes;
    const sent = round.filter(fits);
    const oversize = round.filter((item) => !fits(item));
    failpoint?.('kafka.produce-before');
    const [offsets] = await Promise.all([
      sent.length === 0 ? [] : this.#options.producer.send(sent),
      oversize.length === 0 ? undefined : this.#park(oversize),
    ]);
    failpoint?.('kafka.produce-acked');
    for (const item of oversize) this.#settle(item);
    for (const [i, item] of sent.entries()) {
      if (item.queued !== undefined) {
        // oxlint-disable-next-line no-await-in-loop -- awaits only where the broker did not say
        item.queue.dataOffset = await this.#lastOffset(item, offsets[i] ?? -1n);
        this.stats.records += item.count;
        this.stats.bytes += item.batch.length;
        item.queue.bytesSinceHeartbeat += item.batch.length;
      }
      this.#settle(item);
    }
    this.stats.rounds += 1;
  }

  /** A batch that the broker knew already, beyond the few whose offsets it remembers. */
  async #lastOffset({ partition, count }: Sent, baseOffset: bigint): Promise<bigint> {
    if (baseOffset >= 0n) return baseOffset + BigInt(count - 1);
    return (await this.#options.log.endOffset(partition)) - 1n;
  }

  #settle({ queue, queued }: Sent): void {
    if (queued === undefined) {
      queue.isBusy = false;
      return;
    }
    this.#queuedBytes -= queued.bytes;
    queue.finish(queued);
    if (queue.bytesSinceHeartbeat >= HEARTBEAT_EVERY_BYTES) {
      queue.isHeartbeatDue = true;
      this.#ready.add(queue);
    }
    for (const delivery of queued.deliveries) delivery.release();
  }

  async #park(oversize: readonly Sent[]): Promise<void> {
    const letters = oversize.map(({ queued, batch }): DeadLetter => {
      if (queued?.letter !== undefined) return queued.letter();
      const detail = `A batch of ${batch.length} bytes is above its max.message.bytes.`;
      throw new PipelineError('KAFKA_TOPIC_UNFIT', { detail });
    });
    await this.#options.deadLetters.park(letters);
    this.stats.parked += letters.length;
  }

  async #renew(): Promise<void> {
    this.#renewal = 'running';
    try {
      await this.#options.renew();
    } catch (cause) {
      this.fail(cause);
    }
    this.#renewal = 'none';
    this.heartbeat();
    this.#wake();
  }

  #check(signal: AbortSignal | undefined): true {
    signal?.throwIfAborted();
    if (this.failure !== undefined) throw this.failure;
    return true;
  }

  async #nextRound(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        signal?.removeEventListener('abort', done);
        resolve();
      };
      this.#waiters.push(done);
      signal?.addEventListener('abort', done);
    });
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function bytesOf(headers: readonly RecordHeader[]): number {
  return headers.reduce((sum, { key, value }) => sum + key.length + value.length + HEADER_BYTES, 0);
}

export function heartbeatBatch(heartbeat: Parameters<typeof encodeHeartbeat>[0]): Buffer {
  const value = encodeHeartbeat(heartbeat);
  const writer = new RecordBatchWriter(1024);
  writer.add(null, value, 0, value.length, Date.now(), HEARTBEAT_HEADERS);
  return writer.finish('none');
}
