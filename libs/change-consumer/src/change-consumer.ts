import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { failpoint, PipelineError } from '@pgstream/failure';
import { type AssignedPartition, BatchConsumer, type FetchedRecords } from '@pgstream/kafka-client';
import type { RecordBatch, RevokeHandler, Source } from '@pgstream/wal-event';
import { Assignments } from './assignments.ts';
import { BatchFiller, type Filling } from './batch-filler.ts';
import type { Builder } from './builder-pool.ts';
import { ConsumedLane, type KafkaCheckpoint } from './consumed-lane.ts';
import { countFilling, noCounts, type ConsumerCounts } from './consumer-counts.ts';
import { withDeadline } from './deadline.ts';
import { HandOffs } from './hand-offs.ts';
import { Lease } from './lease.ts';
import { LentBatches } from './lent-batches.ts';
import { OffsetCommitter } from './offset-committer.ts';
import type { ChangeConsumerOptions } from './options.ts';

const CLOSE_TIMEOUT_MS = 3_000;

/**
 * Kafka as a source: a lane is a partition, and what is confirmed becomes the group's committed offset, never more.
 * Usable once: after {@link close} make another.
 */
export class ChangeConsumer implements Source<KafkaCheckpoint> {
  readonly counts: ConsumerCounts = noCounts();
  readonly #options: ChangeConsumerOptions;
  readonly #consumer: BatchConsumer;
  readonly #lanes = new Map<number, ConsumedLane>();
  readonly #filler: BatchFiller;
  readonly #lent: LentBatches;
  readonly #handOffs: HandOffs;
  readonly #committer: OffsetCommitter;
  readonly #lease: Lease;
  #onRevoke: RevokeHandler | undefined;
  readonly #assignments: Assignments;
  #failure: { readonly cause: unknown } | undefined;
  #started: Promise<void> | undefined;

  constructor(options: ChangeConsumerOptions) {
    this.#options = options;
    this.#consumer = new BatchConsumer(options, {
      assigned: (partitions) => this.#assigned(partitions),
      release: (partitions) => this.#release(partitions),
      lost: (partitions) => this.#lost(partitions),
    });
    this.#filler = new BatchFiller(options.topic);
    this.#lent = new LentBatches(options.maxInFlightBytes ?? 32 * 1024 * 1024, () => this.#consumer.nudge());
    this.#lease = new Lease(() => this.#consumer.isMember(), (options.sessionTimeoutMs ?? 30_000) / 6);
    this.#assignments = new Assignments((partitions) => options.onAssigned?.(partitions));
    this.#handOffs = new HandOffs(this.#consumer, this.#lanes, (cause) => this.#fail(cause));
    this.#committer = new OffsetCommitter(this.#consumer, this.#lanes, {
      intervalMs: options.commitIntervalMs ?? 200,
      onCommitted: () => this.counts.commits++,
      onRetry: (error) => this.#warn('commit failed, trying again', { code: error.code, ...error.facts }),
      onFailed: (cause) => this.#fail(cause),
    });
  }

  /** Partitions that are ours at the moment. */
  get lanes(): number[] {
    return [...this.#lanes.keys()];
  }

  /**
   * Whether the group still counts us in, by an answer of the broker that is young enough to write on.
   * @throws {PipelineError} with disposition `retry`
   */
  ownsLanes(): Promise<boolean> {
    return this.#lease.holds();
  }

  /** As {@link ownsLanes}, of one lane: it may have been given away, though what was read of it is not finished yet. */
  async owns(lane: number): Promise<boolean> {
    return this.#isTold(lane) && (await this.#lease.holds());
  }

  /** As {@link owns}, by what is known without asking. */
  ownsNow(lane: number): boolean {
    return this.#isTold(lane) && this.#lease.isValid;
  }

  /** The offset before which everything of the lane is confirmed or needs no confirming. */
  confirmedTo(lane: number): number | undefined {
    return this.#isTold(lane) ? this.#lanes.get(lane)?.confirmedTo : undefined;
  }

  #isTold(lane: number): boolean {
    return this.#lanes.has(lane) && !this.#assignments.isUntold(lane);
  }

  get inFlightBytes(): number {
    return this.#lent.bytes;
  }

  async *batches(signal: AbortSignal): AsyncGenerator<RecordBatch<KafkaCheckpoint>, void, undefined> {
    try {
      this.#started ??= this.#consumer.start(signal);
      await this.#started;
      for (;;) {
        const fetched = await this.#next(signal);
        yield* this.#read(fetched, signal);
      }
    } catch (cause) {
      if (!signal.aborted) throw cause;
    }
  }

  confirm(_lane: number, checkpoint: KafkaCheckpoint): Promise<void> {
    const lane = this.#lanes.get(checkpoint.partition);
    if (lane?.tenure !== checkpoint.tenure) return Promise.resolve(); // the partition is no longer ours
    lane.confirm(checkpoint);
    this.#committer.schedule();
    this.#handOffs.releaseOwn();
    return Promise.resolve();
  }

  onRevoke(handler: RevokeHandler): void {
    this.#onRevoke = handler;
  }

  /** Commits what is confirmed, now. */
  async flush(): Promise<void> {
    await this.#committer.flush();
  }

  /** Commits what is confirmed and leaves the group; with a broker that does not answer it gives up within seconds. */
  async close(): Promise<void> {
    this.#handOffs.close();
    // Where they fail, the next owner reads again what was not committed.
    await this.#within('the last commit', this.#committer.close());
    this.#assignments.forget(this.lanes);
    this.#lanes.clear();
    await this.#within('leaving the group', this.#consumer.close());
  }

  async #within(what: string, work: Promise<void>): Promise<void> {
    try {
      await withDeadline(work, CLOSE_TIMEOUT_MS);
    } catch (cause) {
      this.#warn(`${what} failed`, { cause: String(cause) });
    }
  }

  async #next(signal: AbortSignal): Promise<FetchedRecords> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.cause;
      signal.throwIfAborted();
      const fetched = this.#consumer.take();
      if (fetched !== undefined) return fetched;
      await this.#consumer.available(signal);
    }
  }

  /** Hands out one fetch, in as many batches as it needs. */
  async *#read(
    fetched: FetchedRecords,
    signal: AbortSignal,
  ): AsyncGenerator<RecordBatch<KafkaCheckpoint>, void, undefined> {
    const lane = this.#lanes.get(fetched.partition);
    if (lane === undefined) return;
    this.#filler.open(fetched);
    try {
      for (let done = false; !done;) {
        await this.#room(signal);
        if (lane.leaving) return;
        const builder = this.#lent.take(fetched.records.length);
        const filling = this.#filler.fill(lane, builder);
        done = filling.done || filling.awaited !== undefined;
        countFilling(this.counts, filling, builder);
        this.#warnOf(lane, filling);
        if (filling.letters.length > 0) await this.#options.deadLetters.park(filling.letters);
        // Taken away while the letters were parked: nothing of this batch is ours to hand out any more.
        if (lane.leaving) return;
        const batch = this.#handOut(lane, builder);
        if (filling.awaited !== undefined) this.#handOffs.block(lane, filling.blockedAt, filling.awaited);
        if (batch === undefined) continue;
        failpoint?.('consumer.handed-on');
        yield batch;
      }
    } finally {
      this.#filler.release();
    }
  }

  #handOut(lane: ConsumedLane, builder: Builder): Builder | undefined {
    if (builder.count === 0) {
      this.#lent.putBack(builder);
      lane.confirmPassed();
      if (lane.isDirty) this.#committer.schedule();
      return undefined;
    }
    builder.lane = lane.partition;
    builder.checkpoint = lane.checkpoint();
    builder.isOurs = () => this.#lanes.get(lane.partition) === lane;
    lane.outstanding.push(lane.passedTo);
    this.#lent.lend(lane, builder);
    return builder;
  }

  /**
   * Nothing is handed out during a hand-over either, though it may outlast the rebalance: a partition that comes back at
   * once would be taken for the one that goes, and its new batches be given up with the old ones.
   */
  async #room(signal: AbortSignal): Promise<void> {
    while (this.#assignments.isHandingOver || this.#lent.isFull) {
      if (this.#failure !== undefined) throw this.#failure.cause;
      await this.#consumer.changed(signal);
    }
  }

  #assigned(partitions: readonly AssignedPartition[]): void {
    failpoint?.('consumer.assigned');
    this.counts.assignments++;
    for (const assigned of partitions) {
      const lane = new ConsumedLane(assigned);
      this.#lanes.set(assigned.partition, lane);
      // "The end of the log" is another one for the next owner, unless it is written down which one was meant.
      if (this.#options.startFrom === 'latest') lane.committedTo = -1;
    }
    if (this.#options.startFrom === 'latest') this.#committer.schedule();
    this.#assignments.assigned(partitions);
  }

  async #release(partitions: readonly number[]): Promise<void> {
    const lanes = partitions.flatMap((partition) => this.#lanes.get(partition) ?? []);
    for (const lane of lanes) lane.leaving = true;
    failpoint?.('consumer.release-before');
    await setImmediate(); // a batch that is on its way to the pipeline arrives there first
    const deadline = new AbortController();
    const idle = this.#revoke(() => Promise.all(lanes.map((lane) => this.#finish(lane, deadline.signal))));
    const giveUp = sleep(this.#options.drainTimeoutMs ?? 10_000, undefined, { signal: deadline.signal });
    await Promise.race([idle, giveUp]);
    deadline.abort();
    giveUp.catch(() => {});
    await this.#committer.flush().catch((cause: unknown) => {
      this.#warn('commit before a rebalance failed', { cause: String(cause) });
    });
    failpoint?.('consumer.release-after');
    this.#forget(partitions);
  }

  async #finish(lane: ConsumedLane, deadline: AbortSignal): Promise<void> {
    if (this.#onRevoke !== undefined) return await this.#onRevoke(lane.partition, 'released');
    while (lane.outstanding.length > 0 && !deadline.aborted) await sleep(10);
  }

  #lost(partitions: readonly number[]): void {
    this.#forget(partitions);
    const handler = this.#onRevoke;
    if (handler === undefined) return;
    void this.#revoke(() => Promise.all(partitions.map((partition) => handler(partition, 'lost'))));
  }

  /** Never rejects. */
  async #revoke(handOver: () => Promise<unknown>): Promise<void> {
    this.#assignments.handOverBegins();
    try {
      await handOver();
    } catch (cause) {
      this.#fail(cause);
    }
    this.#assignments.handOverEnded();
    this.#consumer.nudge();
  }

  #forget(partitions: readonly number[]): void {
    for (const partition of partitions) {
      const lane = this.#lanes.get(partition);
      if (lane === undefined) continue;
      lane.leaving = true;
      this.#lent.forget(lane);
      this.#lanes.delete(partition);
    }
    this.#assignments.forget(partitions);
    this.#consumer.nudge();
  }

  #warnOf({ partition, passedTo }: ConsumedLane, { duplicates, letters }: Filling): void {
    if (duplicates > 0) {
      this.#warn('records seen before were skipped', { partition, records: duplicates, before: passedTo });
    }
    for (const { reason } of letters)
      this.#warn('a record is parked', { code: 'RECORD_UNDECODABLE', reason });
  }

  #fail(cause: unknown): void {
    this.#failure ??= {
      cause: cause instanceof PipelineError ? cause : new PipelineError('UNCLASSIFIED', { cause }),
    };
    this.#consumer.nudge();
  }

  #warn(message: string, extra: Readonly<Record<string, unknown>>): void {
    const { onLog, topic, groupId } = this.#options;
    onLog({ level: 'warn', message, extra: { topic, groupId, ...extra } });
  }
}
