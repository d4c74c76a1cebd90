import type { Buffer } from 'node:buffer';
import { RecordBatchWriter, type IdempotentProducer, type LogReader } from '@pgstream/kafka-client';
import { failpoint, PipelineError } from '@pgstream/failure';
import type { DeadLetter, DeadLetterStore } from '@pgstream/wal-event';
import { encodeHeartbeat, HEARTBEAT_HEADERS } from './heartbeat.ts';
import type { PartitionQueue, QueuedBatch } from './partition-queue.ts';

export interface RoundOptions {
  readonly producer: IdempotentProducer;
  readonly log: LogReader;
  /** What the topic takes: `max.message.bytes`. */
  readonly maxMessageBytes: number;
  readonly sourceId: string;
  readonly routing: Readonly<Record<string, string>>;
  readonly deadLetters: DeadLetterStore;
}

/** Counted for the metrics. */
export class SenderStats {
  records = 0;
  bytes = 0;
  rounds = 0;
  known = 0;
  parked = 0;
  heartbeats = 0;
}

/** Of one request, before compression: bounds what one answer can be waited for. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** What one partition contributes to a round. */
interface Taken {
  readonly queue: PartitionQueue;
  /** `undefined` for a heartbeat. */
  readonly queued: QueuedBatch | undefined;
  readonly partition: number;
  readonly batch: Buffer | Promise<Buffer>;
  readonly count: number;
  /** Bytes before compression. */
  readonly length: number;
}

interface Sent extends Taken {
  readonly batch: Buffer;
}

/** One request to one partition leader: at most one batch of each of its partitions, until all are durable. */
export class Round {
  readonly #options: RoundOptions;
  readonly #stats: SenderStats;
  readonly #taken: Taken[] = [];

  /**
   * Takes what is ready of `queues` out of `ready`; what does not fit stays there for the next round.
   * @param queues of one leader, none of them busy
   */
  constructor(
    options: RoundOptions,
    stats: SenderStats,
    queues: readonly PartitionQueue[],
    ready: Set<PartitionQueue>,
  ) {
    this.#options = options;
    this.#stats = stats;
    let bytes = 0;
    for (const queue of queues) {
      if (bytes >= MAX_REQUEST_BYTES) break;
      // To the end of the line, so that no partition waits for ever behind busier ones.
      ready.delete(queue);
      const taken = queue.isHeartbeatDue ? this.#takeHeartbeat(queue) : takeBatch(queue);
      if (!queue.isEmpty) ready.add(queue);
      if (taken === undefined) continue;
      bytes += taken.length;
      this.#taken.push(taken);
    }
  }

  /**
   * Sends them, and resolves when they are durable or parked.
   * @param settled called for each partition as soon as its batch is; not for a heartbeat
   * @throws {PipelineError} when that cannot be known: the producer is dead
   */
  async run(settled: (queue: PartitionQueue, queued: QueuedBatch) => void): Promise<void> {
    const round = await Promise.all(
      this.#taken.map(async (item): Promise<Sent> => ({ ...item, batch: await item.batch })),
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
    for (const { queue, queued } of oversize) if (queued !== undefined) settled(queue, queued);
    for (const [i, item] of sent.entries()) {
      const { queue, queued, count, batch } = item;
      if (queued === undefined) {
        queue.isBusy = false;
        continue;
      }
      // oxlint-disable-next-line no-await-in-loop -- awaits only where the broker did not say
      queue.dataOffset = await this.#lastOffset(item, offsets[i] ?? -1n);
      this.#stats.records += count;
      this.#stats.bytes += batch.length;
      queue.bytesSinceHeartbeat += batch.length;
      settled(queue, queued);
    }
    this.#stats.rounds += 1;
  }

  #takeHeartbeat(queue: PartitionQueue): Taken {
    queue.isHeartbeatDue = false;
    queue.bytesSinceHeartbeat = 0;
    queue.isBusy = true;
    const { sourceId, routing } = this.#options;
    const position = { ...queue.durable, dataOffset: queue.dataOffset };
    const batch = heartbeatBatch({ sourceId, routing, ...position, isFence: false });
    this.#stats.heartbeats += 1;
    const { length } = batch;
    return { queue, queued: undefined, partition: queue.partition, batch, count: 1, length };
  }

  /** A batch that the broker knew already, beyond the few whose offsets it remembers. */
  async #lastOffset({ partition, count }: Sent, baseOffset: bigint): Promise<bigint> {
    if (baseOffset >= 0n) return baseOffset + BigInt(count - 1);
    return (await this.#options.log.endOffset(partition)) - 1n;
  }

  async #park(oversize: readonly Sent[]): Promise<void> {
    const letters = oversize.map(({ queued, batch }): DeadLetter => {
      if (queued?.letter !== undefined) return queued.letter();
      const detail = `A batch of ${batch.length} bytes is above its max.message.bytes.`;
      throw new PipelineError('KAFKA_TOPIC_UNFIT', { detail });
    });
    await this.#options.deadLetters.park(letters);
    this.#stats.parked += letters.length;
  }
}

function takeBatch(queue: PartitionQueue): Taken | undefined {
  const taken = queue.take();
  if (taken === undefined) return undefined;
  const { queued, sealed } = taken;
  const { batch, count, length } = sealed;
  return { queue, queued, partition: queue.partition, batch, count, length };
}

export function heartbeatBatch(heartbeat: Parameters<typeof encodeHeartbeat>[0]): Buffer {
  const value = encodeHeartbeat(heartbeat);
  const writer = new RecordBatchWriter(1024);
  writer.add(null, value, 0, value.length, Date.now(), HEARTBEAT_HEADERS);
  return writer.finish('none');
}
