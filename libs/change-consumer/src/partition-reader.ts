import { PipelineError } from '@pgstream/failure';
import { Cluster, LogReader, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import { positionAt, type Lsn, type RecordBatch } from '@pgstream/wal-event';
import { BatchFiller } from './batch-filler.ts';
import { Builder } from './builder-pool.ts';
import { ConsumedLane } from './consumed-lane.ts';

export interface PartitionReaderOptions {
  readonly connection: KafkaConnectionOptions;
  readonly topic: string;
  /** How long one read is tried before it fails with KAFKA_UNREACHABLE. Default 10,000. */
  readonly timeoutMs?: number;
  /** Of one read, as they come over the wire; a single batch that is larger comes all the same. Default 1 MiB. */
  readonly maxBytes?: number;
}

export interface PartitionChunk {
  /** Has `offsets`. Nobody reuses its bytes. */
  readonly batch: RecordBatch;
  readonly nextOffset: number;
  /** The first offset that the log still holds, or the one asked for where that is not before it. */
  readonly logStart: number;
}

/** What is known of one record without its values. */
export interface RecordPlace {
  readonly offset: number;
  readonly epoch: number;
  readonly commitLsn: Lsn;
  /** Milliseconds since 1970. */
  readonly commitTimeMs: number;
}

/** Of one look at a single record. */
const LOOK_BYTES = 64 * 1024;

/**
 * Reads partitions from any offset, beside the group and without committing anything: for consumers of our own that are
 * behind it. What a record has to wait for in another partition is not waited for here.
 */
export class PartitionReader {
  /** One for all chunks: it learns of the tables, and how long batches become. */
  readonly #filler: BatchFiller;
  readonly #maxBytes: number;
  readonly #cluster: Cluster;
  readonly #reader: LogReader;
  #connected: Promise<void> | undefined;

  constructor({ connection, topic, timeoutMs = 10_000, maxBytes = 1024 * 1024 }: PartitionReaderOptions) {
    this.#filler = new BatchFiller(topic);
    this.#maxBytes = maxBytes;
    this.#cluster = new Cluster(connection, topic);
    this.#reader = new LogReader(this.#cluster, timeoutMs);
  }

  /** @throws {PipelineError} KAFKA_UNREACHABLE, KAFKA_RECORDS_CORRUPT, KAFKA_CODEC_UNSUPPORTED */
  async read(
    partition: number,
    offset: number,
    { maxBytes = this.#maxBytes }: { readonly maxBytes?: number } = {},
  ): Promise<PartitionChunk> {
    return await this.#asking(() => this.#read(partition, offset, maxBytes));
  }

  /** Where each partition ends now: the offset that its next record gets. */
  async ends(): Promise<ReadonlyMap<number, number>> {
    return await this.#ofEach((partition) => this.#reader.endOffset(partition));
  }

  /** The oldest offset of each partition that retention has left. */
  async starts(): Promise<ReadonlyMap<number, number>> {
    return await this.#ofEach((partition) => this.#reader.startOffset(partition));
  }

  /** Of each partition the first offset whose record was committed at `timeMs` (since 1970) or later, else its end. */
  async offsetsAt(timeMs: number): Promise<ReadonlyMap<number, number>> {
    return await this.#ofEach(
      async (partition) =>
        (await this.#reader.offsetAt(partition, timeMs)) ?? (await this.#reader.endOffset(partition)),
    );
  }

  /** The first record at `offset` or behind it, heartbeats apart; `undefined` where there is none. */
  async recordAt(partition: number, offset: number): Promise<RecordPlace | undefined> {
    return await this.#asking(async () => {
      for (let from = offset; ;) {
        // oxlint-disable-next-line no-await-in-loop -- what follows is known only from what is here
        const { batch, nextOffset } = await this.#read(partition, from, LOOK_BYTES);
        if (batch.count > 0) {
          const { commitLsn } = positionAt(batch, 0);
          const commitTimeMs = batch.commitTimesMs[0] ?? 0;
          return { offset: batch.offsets?.[0] ?? from, epoch: batch.epoch, commitLsn, commitTimeMs };
        }
        if (nextOffset <= from) return undefined;
        from = nextOffset;
      }
    });
  }

  async #read(partition: number, offset: number, maxBytes: number): Promise<PartitionChunk> {
    const records = await this.#reader.recordsFrom(partition, BigInt(offset), maxBytes);
    if (records !== undefined) return this.#chunk(partition, offset, records);
    const logStart = Number(await this.#reader.startOffset(partition));
    // Beyond the end there is nothing, and nothing to read on from either.
    const from = Math.max(offset, logStart);
    const first =
      from === logStart ? await this.#reader.recordsFrom(partition, BigInt(from), maxBytes) : undefined;
    if (first === undefined) return { batch: new Builder(0, 1), nextOffset: from, logStart: from };
    return this.#chunk(partition, from, first);
  }

  async #ofEach(ask: (partition: number) => Promise<bigint>): Promise<ReadonlyMap<number, number>> {
    return await this.#asking(async () => {
      await this.#cluster.refresh();
      const partitions = Array.from({ length: this.#cluster.partitionCount }, (_, partition) => partition);
      const offsets = await Promise.all(partitions.map(ask));
      return new Map(offsets.map((offset, partition) => [partition, Number(offset)]));
    });
  }

  close(): void {
    this.#cluster.close();
  }

  #chunk(partition: number, offset: number, records: Buffer): PartitionChunk {
    const lane = new ConsumedLane({ partition, offset, metadata: '' });
    const filler = this.#filler;
    const batch = new Builder(Math.max(64 * 1024, records.length * 2), 1024);
    let from = offset;
    for (;;) {
      filler.open({ partition, records, fromOffset: from, highWatermark: 0 });
      // oxlint-disable-next-line unicorn/no-array-fill-with-reference-type -- no array
      const { awaited, blockedAt } = filler.fill(lane, batch);
      if (awaited === undefined) break;
      // It stands open for the next round: others wait for it, this reader does not.
      lane.clearedAt = blockedAt;
      from = blockedAt;
    }
    filler.release();
    batch.lane = partition;
    return { batch, nextOffset: lane.passedTo, logStart: offset };
  }

  async #asking<T>(ask: () => Promise<T>): Promise<T> {
    try {
      this.#connected ??= this.#cluster.refresh();
      await this.#connected;
      return await ask();
    } catch (cause) {
      this.#connected = undefined;
      if (!(cause instanceof PipelineError) || cause.code !== 'KAFKA_DELIVERY_TIMEOUT') throw cause;
      throw new PipelineError('KAFKA_UNREACHABLE', { cause: cause.cause, detail: cause.detail ?? '' });
    }
  }
}
