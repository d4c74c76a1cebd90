import type { BatchOutcome, RecordBatch } from '@pgstream/wal-event';

/** One accepted batch: counts the holds on it and reports it once, when the last is released. */
export class Ticket {
  readonly batch: RecordBatch;
  /** Bytes of records, for the budget. */
  readonly bytes: number;
  readonly #outcome: BatchOutcome;
  readonly #done: () => void;
  #holds = 1;
  #reported = false;

  constructor(batch: RecordBatch, outcome: BatchOutcome, done: () => void) {
    this.batch = batch;
    this.bytes = batch.count === 0 ? 0 : (batch.ends[batch.count - 1] ?? 0) - (batch.starts[0] ?? 0);
    this.#outcome = outcome;
    this.#done = done;
  }

  get reported(): boolean {
    return this.#reported;
  }

  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.#report(() => this.#outcome.settled());
  }

  fail(cause: unknown): void {
    this.#report(() => this.#outcome.failed(cause));
  }

  /** The lane is lost: nobody waits for the outcome. */
  abandon(): void {
    this.#report(() => {});
  }

  #report(tell: () => void): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#done();
    tell();
  }
}
