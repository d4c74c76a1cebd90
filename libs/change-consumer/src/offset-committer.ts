import { failpoint, PipelineError } from '@pgstream/failure';
import type { BatchConsumer } from '@pgstream/kafka-client';
import type { ConsumedLane } from './consumed-lane.ts';
import { formatSeen } from './seen-position.ts';

export interface OffsetCommitterOptions {
  readonly intervalMs: number;
  readonly onCommitted: () => void;
  readonly onRetry: (error: PipelineError) => void;
  readonly onFailed: (cause: unknown) => void;
}

/** Commits confirmed offsets, many at a time and one request at a time, so that an older never follows a newer. */
export class OffsetCommitter {
  readonly #consumer: BatchConsumer;
  readonly #lanes: ReadonlyMap<number, ConsumedLane>;
  readonly #options: OffsetCommitterOptions;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(
    consumer: BatchConsumer,
    lanes: ReadonlyMap<number, ConsumedLane>,
    options: OffsetCommitterOptions,
  ) {
    this.#consumer = consumer;
    this.#lanes = lanes;
    this.#options = options;
  }

  /** Commits soon. */
  schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.flush().catch((cause: unknown) => {
        if (!(cause instanceof PipelineError) || cause.disposition !== 'retry')
          return this.#options.onFailed(cause);
        this.#options.onRetry(cause);
        this.schedule();
      });
    }, this.#options.intervalMs);
  }

  /**
   * Commits everything that is confirmed by now.
   * @throws {PipelineError} when that failed; it stays to be committed.
   */
  flush(): Promise<void> {
    const run = this.#running.then(() => this.#commit());
    this.#running = run.catch(() => {});
    return run;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.flush();
  }

  async #commit(): Promise<void> {
    const lanes = [...this.#lanes.values()].filter((lane) => lane.isDirty);
    if (lanes.length === 0) return;
    const offsets = lanes.map((lane) => ({
      partition: lane.partition,
      offset: lane.confirmedTo,
      metadata: formatSeen(lane.confirmedSeen),
    }));
    failpoint?.('consumer.commit-before');
    if (!(await this.#consumer.commit(offsets))) return; // no longer ours: the rebalance says what comes next
    failpoint?.('consumer.commit-after');
    for (const [i, lane] of lanes.entries()) lane.committedTo = offsets[i]?.offset ?? lane.committedTo;
    this.#options.onCommitted();
  }
}
