import type { BatchOutcome } from '@pgstream/wal-event';

/** Counts what a written batch still waits for, over all partitions; reports once. */
export class Delivery {
  readonly #outcome: BatchOutcome;
  /** One for `write` itself, until the last record has found its queue. */
  #holds = 1;
  #isFailed = false;

  constructor(outcome: BatchOutcome) {
    this.#outcome = outcome;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && !this.#isFailed) this.#outcome.settled();
  }

  fail(cause: unknown): void {
    if (this.#isFailed || this.#holds === 0) return;
    this.#isFailed = true;
    this.#outcome.failed(cause);
  }
}
