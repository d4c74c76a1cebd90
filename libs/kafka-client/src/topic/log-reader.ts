import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import type { Cluster } from '../connection/cluster.ts';
import { untilDeadline } from '../connection/deadline.ts';
import { refusal } from '../connection/kafka-errors.ts';
import { readBatches, type FetchedBatch } from '../protocol/record-batch-reader.ts';
import {
  EARLIEST,
  fetchRequest,
  LATEST,
  listOffsetsRequest,
  readFetch,
  readOffsets,
} from '../protocol/requests.ts';

const OFFSET_OUT_OF_RANGE = 1;

/** Reads the ends of partitions, for the producer that must know what it already wrote. */
export class LogReader {
  readonly #cluster: Cluster;
  readonly #timeoutMs: number;

  constructor(cluster: Cluster, timeoutMs: number) {
    this.#cluster = cluster;
    this.#timeoutMs = timeoutMs;
  }

  /** The offset that the next record of the partition gets. */
  async endOffset(partition: number): Promise<bigint> {
    return await this.#offset(partition, LATEST);
  }

  /** The offset of the oldest record that retention has left. */
  async startOffset(partition: number): Promise<bigint> {
    return await this.#offset(partition, EARLIEST);
  }

  /** The first offset whose record has this time, milliseconds since 1970, or a later one; `undefined` without one. */
  async offsetAt(partition: number, timeMs: number): Promise<bigint | undefined> {
    const offset = await this.#offset(partition, BigInt(timeMs));
    return offset < 0n ? undefined : offset;
  }

  /** The partition's batches from the newest back to the oldest, each fetched when it is asked for. */
  async *backwards(partition: number): AsyncGenerator<FetchedBatch> {
    const [start, end] = await Promise.all([this.startOffset(partition), this.endOffset(partition)]);
    for (let offset = end - 1n; offset >= start;) {
      // oxlint-disable-next-line no-await-in-loop -- where a batch starts is known only from the batch
      const batch = await this.#batchAt(partition, offset);
      yield batch;
      offset = batch.baseOffset - 1n;
    }
  }

  /** The batch that holds the record at `offset`, or the first after it. */
  async batchAt(partition: number, offset: bigint): Promise<FetchedBatch> {
    return await this.#batchAt(partition, offset);
  }

  /**
   * Batches from the one that holds `offset` on, back to back as they came over the wire, the last one possibly cut off;
   * none at the end of the log. `undefined`: the log does not hold the offset.
   */
  async recordsFrom(partition: number, offset: bigint, maxBytes: number): Promise<Buffer | undefined> {
    return await untilDeadline(this.#cluster, this.#timeoutMs, async () => {
      await this.#needLeader(partition);
      const request = fetchRequest(this.#cluster.topic, partition, offset, maxBytes);
      const answer = await this.#cluster.request(this.#cluster.leaderOf(partition), request, readFetch);
      if (answer.errorCode === OFFSET_OUT_OF_RANGE) return undefined;
      if (answer.errorCode !== 0) throw await this.#refused(answer.errorCode, partition);
      return answer.records ?? Buffer.alloc(0);
    });
  }

  async #batchAt(partition: number, offset: bigint): Promise<FetchedBatch> {
    return await untilDeadline(this.#cluster, this.#timeoutMs, async () => {
      await this.#needLeader(partition);
      const request = fetchRequest(this.#cluster.topic, partition, offset);
      const answer = await this.#cluster.request(this.#cluster.leaderOf(partition), request, readFetch);
      if (answer.errorCode !== 0) throw await this.#refused(answer.errorCode, partition);
      const [batch] = readable(answer.records ?? undefined, partition);
      if (batch === undefined || batch.baseOffset > offset) {
        throw new PipelineError('KAFKA_UNREACHABLE', {
          detail: `Offset ${offset} of partition ${partition} is not served.`,
        });
      }
      return batch;
    });
  }

  async #offset(partition: number, which: bigint): Promise<bigint> {
    return await untilDeadline(this.#cluster, this.#timeoutMs, async () => {
      await this.#needLeader(partition);
      const request = listOffsetsRequest(this.#cluster.topic, [partition], which);
      const [answer] = await this.#cluster.request(this.#cluster.leaderOf(partition), request, readOffsets);
      if (answer === undefined || answer.errorCode !== 0)
        throw await this.#refused(answer?.errorCode ?? -1, partition);
      return answer.offset;
    });
  }

  async #needLeader(partition: number): Promise<void> {
    if (this.#cluster.leaderOf(partition) < 0) await this.#cluster.refresh();
  }

  async #refused(errorCode: number, partition: number): Promise<PipelineError> {
    await this.#cluster.refresh();
    return refusal(errorCode, `Reading the end of partition ${partition}`);
  }
}

function readable(records: Parameters<typeof readBatches>[0] | undefined, partition: number): FetchedBatch[] {
  try {
    return records === undefined ? [] : readBatches(records);
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    const detail = `The end of partition ${partition} cannot be read${cause instanceof Error ? `: ${cause.message}` : ''}.`;
    throw new PipelineError('KAFKA_PROTOCOL_VIOLATED', { cause, detail });
  }
}
