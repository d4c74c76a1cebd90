import { PipelineError } from '@pgstream/failure';
import type { Cluster } from 'kafkajs';
import { createKafka, type KafkaConnectionOptions } from '../connection/kafka-connection.ts';
import { clusterOf, fetchFrom } from '../consumer/cluster-access.ts';
import { classifyConsumerFailure } from '../consumer/kafka-rules.ts';
import { RecordSetReader } from '../consumer/record-set-reader.ts';
import { logOffsets, requireTopic } from '../consumer/start-offsets.ts';

export interface PartitionLag {
  readonly partition: number;
  /** The next offset that the group will read; `null` before its first commit. */
  readonly committed: number | null;
  /** The first offset that the log still holds. */
  readonly start: number;
  /** The offset after the last record. */
  readonly end: number;
  /** Offsets between committed (or start) and end. */
  readonly lagRecords: number;
  /** Age of the first record that is not committed; 0 when there is none, `null` when it could not be told. */
  readonly lagSeconds: number | null;
}

export interface LagOptions {
  readonly connection: KafkaConnectionOptions;
  readonly topic: string;
  readonly groupId: string;
  /** Milliseconds since 1970; for tests. */
  readonly now?: () => number;
}

/**
 * How far a group is behind, by partition in their order. Connects, asks and disconnects: see {@link LagReader} for
 * asking again and again.
 * @throws {PipelineError} KAFKA_TOPIC_MISSING, KAFKA_UNREACHABLE, KAFKA_GROUP_REFUSED
 */
export async function consumerLag(options: LagOptions): Promise<PartitionLag[]> {
  const reader = new LagReader(options);
  try {
    return await reader.read();
  } finally {
    await reader.close();
  }
}

/** Asks for a group's lag as often as wanted over the same connections. */
export class LagReader {
  readonly #options: LagOptions;
  readonly #cluster: Cluster;
  #isReady = false;

  constructor(options: LagOptions) {
    this.#options = options;
    this.#cluster = clusterOf(createKafka(options.connection, () => {}));
  }

  async read(): Promise<PartitionLag[]> {
    const { topic } = this.#options;
    const cluster = this.#cluster;
    try {
      if (!this.#isReady) {
        await requireTopic(cluster, topic, 0, new AbortController().signal);
        await cluster.addTargetTopic(topic);
        this.#isReady = true;
      }
      await cluster.refreshMetadataIfNecessary();
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
      const [committed, starts, ends] = await Promise.all([
        this.#committed(partitions),
        logOffsets(cluster, topic, partitions, 'start'),
        logOffsets(cluster, topic, partitions, 'end'),
      ]);
      const lags = partitions
        .toSorted((a, b) => a - b)
        .map((partition) => ({
          partition,
          committed: committed.get(partition) ?? null,
          start: starts.get(partition) ?? 0,
          end: ends.get(partition) ?? 0,
        }));
      const result: PartitionLag[] = [];
      // One after the other: two fetches at once would both open the library's fetch connection, and leak one.
      for (const lag of lags) result.push(await this.#withLag(lag));
      return result;
    } catch (cause) {
      this.#isReady = false;
      throw classifyConsumerFailure(cause);
    }
  }

  async close(): Promise<void> {
    await this.#cluster.disconnect();
  }

  async #committed(partitions: readonly number[]): Promise<Map<number, number>> {
    const { groupId, topic } = this.#options;
    const coordinator = await this.#cluster.findGroupCoordinator({ groupId });
    const asked = partitions.map((partition) => ({ partition, offset: '-1' }));
    const { responses } = await coordinator.offsetFetch({ groupId, topics: [{ topic, partitions: asked }] });
    const found = responses.flatMap((response) => response.partitions);
    return new Map(
      found
        .filter(({ offset }) => Number(offset) >= 0)
        .map((entry) => [entry.partition, Number(entry.offset)]),
    );
  }

  async #withLag(at: Omit<PartitionLag, 'lagRecords' | 'lagSeconds'>): Promise<PartitionLag> {
    const from = Math.max(at.committed ?? at.start, at.start);
    const lagRecords = Math.max(at.end - from, 0);
    if (lagRecords === 0) return { ...at, lagRecords, lagSeconds: 0 };
    const timestampMs = await this.#timestampAt(at.partition, from);
    if (timestampMs === undefined) return { ...at, lagRecords, lagSeconds: null };
    const { now = Date.now } = this.#options;
    return { ...at, lagRecords, lagSeconds: Math.max(now() - timestampMs, 0) / 1000 };
  }

  /** `undefined` when the record is gone, carries no time, or its batch cannot be read. */
  async #timestampAt(partition: number, offset: number): Promise<number | undefined> {
    const { topic } = this.#options;
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
    if (nodeId === undefined) return undefined;
    const partitions = [{ partition, offset, maxBytes: 1 }]; // the first batch comes whole all the same
    const [fetched] = await fetchFrom(this.#cluster, nodeId, {
      topic,
      maxWaitMs: 500,
      maxBytes: 1,
      partitions,
    });
    if (fetched === undefined || fetched.errorCode !== 0) return undefined;
    const reader = new RecordSetReader();
    reader.open(fetched.records, offset);
    try {
      return reader.next() && reader.timestampMs > 0 ? reader.timestampMs : undefined;
    } catch (cause) {
      if (cause instanceof PipelineError) return undefined; // the consumer itself will say what is wrong with it
      throw cause;
    }
  }
}
