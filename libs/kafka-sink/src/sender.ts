import type { Buffer } from 'node:buffer';
import type { Cluster, RecordHeader } from '@pgstream/kafka-client';
import { PipelineError } from '@pgstream/failure';
import type { Delivery } from './delivery.ts';
import type { PartitionQueue, QueuedBatch } from './partition-queue.ts';
import { Round, SenderStats, type RoundOptions } from './round.ts';

export interface SenderOptions extends RoundOptions {
  readonly cluster: Cluster;
  readonly queues: readonly PartitionQueue[];
  readonly maxQueueBytes: number;
  /** Takes the producer id again; nothing is in flight meanwhile. */
  readonly renew: () => Promise<void>;
}

/** A heartbeat each so many bytes of a partition: bounds how far a start reads back to find one. */
const HEARTBEAT_EVERY_BYTES = 4 * 1024 * 1024;
/** What a record adds to the queue beside its value and key. */
const RECORD_BYTES = 40;
/** What a header adds beside its key and value. */
const HEADER_BYTES = 10;

/**
 * Sends when idle and grows when busy: one round per partition leader is in flight, and what arrives meanwhile makes
 * the next one. No timer, no linger.
 */
export class Sender {
  readonly queues: readonly PartitionQueue[];
  readonly stats = new SenderStats();
  failure: PipelineError | undefined;
  /** Told of a failure, which otherwise only the next `write` meets: heartbeats and renewals fail while nothing is written. */
  onFailure: ((failure: PipelineError) => void) | undefined;
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
    this.onFailure?.(failure);
  }

  /** Fails for good and tells nobody: the sink is closed. */
  end(reason: PipelineError): void {
    this.onFailure = undefined;
    this.fail(reason);
  }

  async #round(leader: number, queues: readonly PartitionQueue[]): Promise<void> {
    this.#busyLeaders.add(leader);
    try {
      const round = new Round(this.#options, this.stats, queues, this.#ready);
      await round.run((queue, queued) => this.#settle(queue, queued));
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

  #settle(queue: PartitionQueue, queued: QueuedBatch): void {
    this.#queuedBytes -= queued.bytes;
    queue.finish(queued);
    if (queue.bytesSinceHeartbeat >= HEARTBEAT_EVERY_BYTES) {
      queue.isHeartbeatDue = true;
      this.#ready.add(queue);
    }
    for (const delivery of queued.deliveries) delivery.release();
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
