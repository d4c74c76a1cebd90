import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '@pgstream/failure';
import kafkajs, {
  type Cluster,
  type Consumer,
  type ConsumerCrashEvent,
  type ConsumerGroupJoinEvent,
  type Kafka,
} from 'kafkajs';
import { heartbeatTo, hookJoins } from './cluster-access.ts';
import { classifyConsumerFailure, isOwnershipLost, isRebalancing } from './kafka-rules.ts';

export interface GroupSessionOptions {
  readonly groupId: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** What a membership tells its owner. */
export interface GroupSessionEvents {
  /** These partitions are ours, in a new generation. Called at once, before anything else happens in the group. */
  assigned(partitions: readonly number[], membership: Membership): void;
  /** The group rebalances: finish and commit what is in flight, for the partitions go when this resolves. */
  release(): Promise<void>;
  /** The membership broke off without a chance to commit. */
  lost(): void;
  /** The session cannot go on. */
  failed(cause: PipelineError): void;
}

/** One generation of the group with us in it. Commits under it are refused by the broker once it is over. */
export interface Membership {
  readonly generationId: number;
  readonly memberId: string;
}

export interface OffsetCommit {
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  readonly metadata: string;
}

/**
 * Our part in a consumer group: joins, heartbeats, rebalances and leaves through the client library, which fetches
 * nothing here (all partitions are paused for it) and so sends its heartbeats from an undisturbed loop.
 */
export class GroupSession {
  readonly #options: GroupSessionOptions;
  readonly #events: GroupSessionEvents;
  readonly #consumer: Consumer;
  readonly #listeners: Array<() => void> = [];
  #cluster: Cluster | undefined;
  #joined: Membership | undefined;
  #membership: Membership | undefined;
  #formerMemberId: string | undefined;
  readonly #closing = new AbortController();
  #closed: Promise<void> | undefined;
  #restarting: Promise<void> = Promise.resolve();

  constructor(kafka: Kafka, options: GroupSessionOptions, events: GroupSessionEvents) {
    this.#options = options;
    this.#events = events;
    this.#consumer = kafka.consumer({
      groupId: options.groupId,
      sessionTimeout: options.sessionTimeoutMs,
      rebalanceTimeout: options.rebalanceTimeoutMs,
      heartbeatInterval: options.heartbeatIntervalMs,
      maxWaitTimeInMs: 250, // the pause of its idle loop: a stop waits for it
      allowAutoTopicCreation: false,
      // After a crash we start again ourselves: the library waits up to half a minute first.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5, restartOnFailure: async () => false },
      partitionAssigners: [
        (config) => {
          this.#cluster = config.cluster;
          hookJoins(config.cluster, {
            beforeJoin: () => this.#beforeJoin(),
            formerMemberId: () => this.#takeFormerMemberId(),
            onJoined: ({ generationId, memberId }) => {
              this.#joined = { generationId, memberId };
            },
          });
          return kafkajs.PartitionAssigners.roundRobin(config);
        },
      ],
    });
  }

  get cluster(): Cluster {
    if (this.#cluster === undefined)
      throw new TypeError('the Kafka client library did not call the partition assigner');
    return this.#cluster;
  }

  async start(): Promise<void> {
    const consumer = this.#consumer;
    const { topic } = this.#options;
    for (const remove of this.#listeners.splice(0)) remove(); // of an attempt that failed
    this.#listeners.push(
      consumer.on(consumer.events.GROUP_JOIN, (event) => this.#onJoin(event)),
      consumer.on(consumer.events.CRASH, (event) => this.#onCrash(event)),
    );
    try {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await this.#run();
    } catch (cause) {
      throw classifyConsumerFailure(cause);
    }
  }

  async #run(): Promise<void> {
    await this.#consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: async () => {} });
  }

  /**
   * Commits under the given membership only.
   * @returns false when that membership is over: the partitions belong to others, nothing was committed.
   * @throws {PipelineError} with disposition `retry` when the coordinator could not be reached or has moved.
   */
  async commit(membership: Membership, offsets: readonly OffsetCommit[]): Promise<boolean> {
    const { groupId, topic } = this.#options;
    const { generationId: groupGenerationId, memberId } = membership;
    const partitions = offsets.map(({ partition, offset, metadata }) => ({
      partition,
      offset: String(offset),
      metadata,
    }));
    try {
      const coordinator = await this.#findCoordinator();
      await coordinator.offsetCommit({
        groupId,
        groupGenerationId,
        memberId,
        topics: [{ topic, partitions }],
      });
      return true;
    } catch (cause) {
      if (isOwnershipLost(cause)) return false;
      throw classifyConsumerFailure(cause);
    }
  }

  /**
   * Asks the broker whether the membership still holds.
   * @throws {PipelineError} with disposition `retry` when it could not be asked.
   */
  async isMember({ generationId: groupGenerationId, memberId }: Membership): Promise<boolean> {
    try {
      const coordinator = await this.#findCoordinator();
      await heartbeatTo(coordinator, this.#options.groupId, { groupGenerationId, memberId });
      return true;
    } catch (cause) {
      if (isOwnershipLost(cause)) return isRebalancing(cause);
      throw classifyConsumerFailure(cause);
    }
  }

  /** The group's committed offsets with their metadata; partitions without one are absent. */
  async committed(partitions: readonly number[]): Promise<Map<number, { offset: number; metadata: string }>> {
    const { groupId, topic } = this.#options;
    const coordinator = await this.#findCoordinator();
    const asked = partitions.map((partition) => ({ partition, offset: '-1' }));
    const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: asked }] });
    const found = new Map<number, { offset: number; metadata: string }>();
    for (const entry of responses.flatMap((response) => response.partitions)) {
      const { partition, offset } = entry;
      const metadata = 'metadata' in entry && typeof entry.metadata === 'string' ? entry.metadata : '';
      if (Number(offset) >= 0) found.set(partition, { offset: Number(offset), metadata });
    }
    return found;
  }

  /** Leaves the group. Takes as long as the library's idle loop needs to notice, well under a second. */
  close(): Promise<void> {
    this.#closing.abort();
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await this.#restarting;
    try {
      await this.#consumer.disconnect();
    } catch (cause) {
      throw classifyConsumerFailure(cause);
    }
  }

  /** Past the join hook, which only the library's own join may pass through. */
  async #findCoordinator() {
    const { groupId } = this.#options;
    const { coordinator } = await this.cluster.findGroupCoordinatorMetadata({ groupId });
    return await this.cluster.findBroker({ nodeId: String(coordinator.nodeId) });
  }

  async #beforeJoin(): Promise<void> {
    if (this.#membership === undefined) return;
    await this.#events.release();
    this.#membership = undefined;
  }

  #onJoin(event: ConsumerGroupJoinEvent): void {
    this.#consumer.pause([{ topic: this.#options.topic }]);
    if (this.#joined === undefined) {
      this.#events.failed(
        new PipelineError('UNCLASSIFIED', { detail: 'The join of the group was not seen.' }),
      );
      return;
    }
    this.#membership = this.#joined;
    const partitions = event.payload.memberAssignment[this.#options.topic] ?? [];
    this.#events.assigned(partitions, this.#membership);
  }

  #onCrash(event: ConsumerCrashEvent): void {
    this.#formerMemberId = this.#joined?.memberId;
    this.#membership = undefined;
    this.#events.lost();
    if (this.#closing.signal.aborted) return;
    const failure = classifyConsumerFailure(event.payload.error);
    if (failure.disposition !== 'retry') return this.#events.failed(failure);
    this.#restarting = this.#restart();
  }

  /** A crash while it runs, for example in its join, comes back here through its own event. */
  async #restart(): Promise<void> {
    for (;;) {
      try {
        await sleep(200 + Math.random() * 600, undefined, { signal: this.#closing.signal });
        await this.#consumer.connect();
        if (this.#closing.signal.aborted) return;
        return await this.#run();
      } catch (cause) {
        if (this.#closing.signal.aborted) return;
        const failure = classifyConsumerFailure(cause);
        if (failure.disposition !== 'retry') return this.#events.failed(failure);
      }
    }
  }

  /** Once: a coordinator that does not know it answers UNKNOWN_MEMBER_ID, and the next join is a new member's. */
  #takeFormerMemberId(): string | undefined {
    const former = this.#formerMemberId;
    this.#formerMemberId = undefined;
    return former;
  }
}
