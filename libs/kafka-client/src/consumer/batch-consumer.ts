import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError, systemClock, withRetry } from '@pgstream/failure';
import type { KafkaConnectionOptions, KafkaLogLine } from '../connection/kafka-connection.ts';
import { createKafka } from '../connection/kafka-connection.ts';
import { FetchLanes, type FetchedRecords } from './fetch-lanes.ts';
import { FetchLoop } from './fetch-loop.ts';
import { GroupSession, type Membership, type OffsetCommit } from './group-session.ts';
import { classifyConsumerFailure } from './kafka-rules.ts';
import { requireTopic, startOffsets, whyOutOfRange, type AssignedPartition } from './start-offsets.ts';
import { Wait } from './wait.ts';

export interface BatchConsumerOptions {
  readonly connection: KafkaConnectionOptions;
  readonly groupId: string;
  readonly topic: string;
  /** Where a group without committed offsets begins. */
  readonly startFrom: 'earliest' | 'latest';
  /** When retention overtook the group: stop (the default), or go on from the start of the log, counted and logged. */
  readonly onOffsetsLost?: 'halt' | 'start-of-log';
  /** How long a topic that does not exist is waited for at the start. */
  readonly topicWaitMs?: number;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  readonly heartbeatIntervalMs?: number;
  readonly maxWaitMs?: number;
  readonly maxFetchBytes?: number;
  readonly maxPartitionBytes?: number;
  readonly onLog: (line: KafkaLogLine) => void;
}

export interface PartitionEvents {
  /** From here on records of these partitions come. */
  assigned(partitions: readonly AssignedPartition[]): void;
  /**
   * The group rebalances and every partition goes: no more records come. Finish, commit and forget; the rebalance
   * waits for this, so it must end well before the session times out.
   */
  release(partitions: readonly number[]): Promise<void>;
  /** As {@link release}, but it is too late to commit. */
  lost(partitions: readonly number[]): void;
}

/**
 * A member of a consumer group that hands out record batches as bytes and commits exactly what it is told to, under
 * the generation that owned the partition only.
 */
export class BatchConsumer {
  readonly #options: BatchConsumerOptions;
  readonly #events: PartitionEvents;
  readonly #session: GroupSession;
  readonly #lanes = new FetchLanes();
  readonly #loop: FetchLoop;
  #membership: Membership | undefined;
  /** Whose partitions are ours from now on: not any more from the moment when they are being released. */
  #assigning: Membership | undefined;
  #failure: PipelineError | undefined;
  #waiting: Wait | undefined;
  #closed = false;

  constructor(options: BatchConsumerOptions, events: PartitionEvents) {
    this.#options = options;
    this.#events = events;
    const { topic, onLog } = options;
    const kafka = createKafka(options.connection, onLog);
    this.#session = new GroupSession(
      kafka,
      {
        groupId: options.groupId,
        topic,
        sessionTimeoutMs: options.sessionTimeoutMs ?? 30_000,
        rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
        heartbeatIntervalMs: options.heartbeatIntervalMs ?? 1_000,
      },
      {
        assigned: (partitions, membership) => void this.#assign(partitions, membership),
        release: () => this.#release(),
        lost: () => this.#lost(),
        failed: (cause) => this.#fail(cause),
      },
    );
    this.#loop = new FetchLoop(
      this.#session.cluster,
      this.#lanes,
      {
        topic,
        maxWaitMs: options.maxWaitMs ?? 250,
        maxFetchBytes: options.maxFetchBytes ?? 8 * 1024 * 1024,
        maxPartitionBytes: options.maxPartitionBytes ?? 1024 * 1024,
      },
      {
        onRecords: () => this.#notify(),
        onRetry: (error, waitMs) =>
          this.#warn('fetch failed, trying again', error, { waitMs: Math.round(waitMs) }),
        onFailed: (error) => this.#fail(error),
        onOutOfRange: (partition, offset) => this.#outOfRange(partition, offset),
      },
    );
  }

  /**
   * Joins the group; resolves after the first assignment.
   * @throws {PipelineError} KAFKA_TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_GROUP_REFUSED
   */
  async start(signal: AbortSignal): Promise<void> {
    const { topic, topicWaitMs = 0 } = this.#options;
    await this.#retried(signal, () => requireTopic(this.#session.cluster, topic, topicWaitMs, signal));
    await this.#retried(signal, () => this.#session.start());
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The next records, of any partition; `undefined` when nothing waits, see {@link available}. */
  take(): FetchedRecords | undefined {
    const fetched = this.#lanes.take();
    this.#loop.wake();
    return fetched;
  }

  /**
   * Resolves when {@link take} may have something, or {@link nudge} was called.
   * @throws {PipelineError} when the consumer cannot go on, and the signal's reason when it aborts.
   */
  async available(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#lanes.hasRecords) return;
    await this.changed(signal);
  }

  /** As {@link available}, but waits for something new even if records wait. */
  async changed(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure;
    this.#waiting ??= new Wait();
    const waiting = this.#waiting;
    const onAbort = () => waiting.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await waiting.promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
      if (this.#waiting === waiting) this.#waiting = undefined;
    }
  }

  /** Ends a wait in {@link available} or {@link changed}. */
  nudge(): void {
    this.#notify();
  }

  /** Forgets what was fetched of the partition from `offset` on; {@link resume} fetches it again. */
  pauseAt(partition: number, offset: number): void {
    this.#lanes.pauseAt(partition, offset);
  }

  resume(partition: number): void {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return;
    lane.paused = false;
    this.#loop.wake();
  }

  /**
   * Commits for owned partitions.
   * @returns false when they are no longer ours: nothing was committed.
   * @throws {PipelineError} with disposition `retry`
   */
  async commit(offsets: readonly OffsetCommit[]): Promise<boolean> {
    if (this.#membership === undefined) return false;
    return await this.#session.commit(this.#membership, offsets);
  }

  /**
   * Whether the broker still counts us in: false from the moment when others may own our partitions.
   * @throws {PipelineError} with disposition `retry`
   */
  async isMember(): Promise<boolean> {
    const membership = this.#membership;
    return membership !== undefined && (await this.#session.isMember(membership));
  }

  /** What the group, whichever member, has committed: next offsets by partition. */
  async committed(partitions: readonly number[]): Promise<Map<number, number>> {
    try {
      const found = await this.#session.committed(partitions);
      return new Map([...found].map(([partition, { offset }]) => [partition, offset]));
    } catch (cause) {
      throw classifyConsumerFailure(cause);
    }
  }

  /** Leaves the group, so that others take over at once. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#loop.stop();
    this.#lanes.clear();
    this.#membership = undefined;
    await this.#session.close();
  }

  async #retried(signal: AbortSignal, attempt: () => Promise<void>): Promise<void> {
    await withRetry(attempt, {
      initialMs: 200,
      maxMs: 5_000,
      classify: classifyConsumerFailure,
      onRetry: (error, waitMs) =>
        this.#warn('joining failed, trying again', error, { waitMs: Math.round(waitMs) }),
      clock: systemClock,
      signal,
    });
  }

  async #assign(partitions: readonly number[], membership: Membership): Promise<void> {
    this.#membership = membership;
    this.#assigning = membership;
    for (
      let waitMs = 100;
      this.#assigning === membership && !this.#closed;
      waitMs = Math.min(waitMs * 2, 2_000)
    ) {
      try {
        const assigned = await this.#startOffsets(partitions);
        if (this.#assigning !== membership) return; // another rebalance came meanwhile
        for (const { partition, offset } of assigned) this.#lanes.add(partition, offset);
        this.#events.assigned(assigned);
        this.#loop.wake();
        return;
      } catch (cause) {
        const error = classifyConsumerFailure(cause);
        if (error.disposition !== 'retry') return this.#fail(error);
        this.#warn('reading the committed offsets failed, trying again', error, { waitMs });
        await sleep(waitMs);
      }
    }
  }

  async #startOffsets(partitions: readonly number[]): Promise<AssignedPartition[]> {
    const { topic, startFrom, onOffsetsLost = 'halt', onLog } = this.#options;
    const committed = await this.#session.committed(partitions);
    return await startOffsets(this.#session.cluster, committed, {
      topic,
      partitions,
      startFrom,
      onOffsetsLost,
      onLog,
    });
  }

  async #release(): Promise<void> {
    this.#assigning = undefined;
    const { partitions } = this.#lanes;
    this.#lanes.clear();
    await this.#events.release(partitions);
    this.#membership = undefined;
  }

  #lost(): void {
    this.#assigning = undefined;
    const { partitions } = this.#lanes;
    this.#lanes.clear();
    this.#membership = undefined;
    if (partitions.length > 0) this.#events.lost(partitions);
  }

  async #outOfRange(partition: number, offset: number): Promise<void> {
    const { topic, onOffsetsLost = 'halt', onLog } = this.#options;
    const { cluster } = this.#session;
    const found = await whyOutOfRange(cluster, { topic, partition, offset, onOffsetsLost, onLog });
    if (found instanceof PipelineError) return this.#fail(found);
    const lane = this.#lanes.get(partition);
    if (lane !== undefined) lane.nextOffset = found;
  }

  #fail(cause: PipelineError): void {
    this.#failure ??= cause;
    this.#loop.stop();
    this.#waiting?.reject(this.#failure);
  }

  #notify(): void {
    this.#waiting?.resolve();
  }

  #warn(message: string, error: PipelineError, facts: Readonly<Record<string, unknown>>): void {
    const { topic, groupId } = this.#options;
    const extra = { topic, groupId, code: error.code, ...error.facts, ...facts };
    this.#options.onLog({ level: 'warn', message, extra });
  }
}
