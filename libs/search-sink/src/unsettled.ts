import type { PipelineError } from '@pgstream/failure';
import type { BatchOutcome, RecordBatch } from '@pgstream/wal-event';
import { Ticket } from './ticket.ts';

/** Batches that were accepted and not reported, and the bytes they hold. */
export class Unsettled {
  readonly #maxBytes: number;
  readonly #tickets = new Set<Ticket>();
  #bytes = 0;
  #waiters: Array<() => void> = [];
  /** What stopped everything; `null` while all is well. */
  failure: PipelineError | null = null;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(batch: RecordBatch, outcome: BatchOutcome): Ticket {
    const ticket = new Ticket(batch, outcome, () => this.#forget(ticket));
    this.#tickets.add(ticket);
    this.#bytes += ticket.bytes;
    return ticket;
  }

  /** Resolves when another batch may be accepted. */
  async room(signal: AbortSignal): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- backpressure: until there is room
    while (this.#bytes > this.#maxBytes && this.failure === null) await this.#next(signal);
  }

  /** Resolves when every batch is reported, or nothing will be any more. */
  async none(signal: AbortSignal): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- until every batch is reported
    while (this.#tickets.size > 0 && this.failure === null) await this.#next(signal);
  }

  abandon(lane: number): void {
    for (const ticket of this.#tickets) if (ticket.batch.lane === lane) ticket.abandon();
  }

  fail(error: PipelineError): PipelineError {
    this.failure ??= error;
    this.#wake();
    return this.failure;
  }

  #forget(ticket: Ticket): void {
    if (!this.#tickets.delete(ticket)) return;
    this.#bytes -= ticket.bytes;
    this.#wake();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  async #next(signal: AbortSignal): Promise<void> {
    await abortable(
      signal,
      new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      }),
    );
  }
}

/** Waits for `work`, or rejects with the signal's reason; the work itself goes on. */
export async function abortable<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return new Promise<T>((resolve, reject) => {
    const abort = () => {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the signal's own reason
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    const end = () => {
      signal.removeEventListener('abort', abort);
    };
    work.then(resolve, reject).finally(end);
  });
}
