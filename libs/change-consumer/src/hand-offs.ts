import { PipelineError } from '@pgstream/failure';
import type { BatchConsumer } from '@pgstream/kafka-client';
import type { AwaitedOffset, ConsumedLane } from './consumed-lane.ts';

const FIRST_POLL_MS = 25;
const MAX_POLL_MS = 1_000;

/**
 * When the key of a row moves to another partition, its next record there names the offset in the old partition that
 * must be durable first. Until the group has committed past it, the new partition waits; others flow. Such edges point
 * only to records written earlier, so partitions never wait for each other in a circle.
 */
export class HandOffs {
  readonly #consumer: BatchConsumer;
  readonly #lanes: ReadonlyMap<number, ConsumedLane>;
  readonly #onFailed: (cause: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #pollMs = FIRST_POLL_MS;

  constructor(
    consumer: BatchConsumer,
    lanes: ReadonlyMap<number, ConsumedLane>,
    onFailed: (cause: unknown) => void,
  ) {
    this.#consumer = consumer;
    this.#lanes = lanes;
    this.#onFailed = onFailed;
  }

  /** Holds the lane at the record at `offset`, which is fetched again when its wait is over. */
  block(lane: ConsumedLane, offset: number, awaited: readonly AwaitedOffset[]): void {
    lane.blockedAt = offset;
    lane.awaited = awaited;
    this.#consumer.pauseAt(lane.partition, offset);
    this.#pollMs = FIRST_POLL_MS;
    this.#schedule();
  }

  /** Looks at our own partitions, whose progress is known without asking. */
  releaseOwn(): void {
    for (const lane of this.#lanes.values()) {
      if (lane.blockedAt < 0) continue;
      const open = lane.awaited.filter(({ partition, offset }) => {
        const own = this.#lanes.get(partition);
        return own === undefined || own.leaving || own.confirmedTo <= offset;
      });
      if (open.length !== lane.awaited.length) this.#proceed(lane, open);
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#poll().catch((cause: unknown) => this.#onFailed(cause));
    }, this.#pollMs);
    this.#pollMs = Math.min(this.#pollMs * 2, MAX_POLL_MS);
  }

  async #poll(): Promise<void> {
    this.releaseOwn();
    const blocked = [...this.#lanes.values()].filter((lane) => lane.blockedAt >= 0);
    const foreign = new Set(blocked.flatMap((lane) => lane.awaited.map(({ partition }) => partition)));
    for (const own of this.#lanes.keys()) foreign.delete(own);
    try {
      if (foreign.size > 0) this.#releaseForeign(blocked, await this.#consumer.committed([...foreign]));
    } catch (cause) {
      if (!(cause instanceof PipelineError) || cause.disposition !== 'retry') throw cause; // else the next poll
    } finally {
      this.#timer = undefined;
      if ([...this.#lanes.values()].some((lane) => lane.blockedAt >= 0)) this.#schedule();
    }
  }

  #releaseForeign(blocked: readonly ConsumedLane[], committed: ReadonlyMap<number, number>): void {
    for (const lane of blocked) {
      if (this.#lanes.get(lane.partition) !== lane || lane.blockedAt < 0) continue;
      const open = lane.awaited.filter(({ partition, offset }) => (committed.get(partition) ?? -1) <= offset);
      if (open.length !== lane.awaited.length) this.#proceed(lane, open);
    }
  }

  #proceed(lane: ConsumedLane, open: readonly AwaitedOffset[]): void {
    lane.awaited = open;
    if (open.length > 0) return;
    lane.clearedAt = lane.blockedAt;
    lane.blockedAt = -1;
    this.#consumer.resume(lane.partition);
  }
}

/** The value of the header `pgstream-after`. Anything else than its form is `undefined`. */
export function parseAwaited(header: string): AwaitedOffset[] | undefined {
  try {
    const list: unknown = JSON.parse(header);
    if (!Array.isArray(list)) return undefined;
    const awaited: AwaitedOffset[] = [];
    for (const entry of list) {
      const { partition, offset }: { partition?: unknown; offset?: unknown } = Object(entry);
      if (!Number.isSafeInteger(partition) || !Number.isSafeInteger(Number(offset))) return undefined;
      awaited.push({ partition: Number(partition), offset: Number(offset) });
    }
    return awaited;
  } catch {
    return undefined;
  }
}
