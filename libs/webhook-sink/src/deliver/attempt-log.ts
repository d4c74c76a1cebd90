import type { Attempted } from '../store/attempt-store.ts';

export interface AttemptLogOptions {
  /** Writes them, in this order. */
  readonly add: (attempts: readonly Attempted[]) => Promise<void>;
  /** How long attempts wait for company. Default 1000. */
  readonly intervalMs?: number;
}

/** Of one subscription between two writes. */
interface Pending {
  readonly failures: Attempted[];
  delivered: Attempted | undefined;
}

/** Failures of one subscription that are written at a time: the newest. */
const MAX_FAILURES = 20;

/**
 * What became of requests, for whoever looks into a subscription: between two writes the newest failures and the newest
 * success of each. So neither memory nor writes grow with the load. It is a help and no promise: what cannot be written
 * is dropped, and nothing ever waits for it.
 */
export class AttemptLog {
  readonly #options: AttemptLogOptions;
  #pending = new Map<string, Pending>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: AttemptLogOptions) {
    this.#options = options;
  }

  note(attempt: Attempted): void {
    if (this.#isClosed) return;
    const { subscriptionId: id } = attempt;
    let pending = this.#pending.get(id);
    if (pending === undefined) this.#pending.set(id, (pending = { failures: [], delivered: undefined }));
    if (attempt.outcome === 'delivered') pending.delivered = attempt;
    else if (pending.failures.push(attempt) > MAX_FAILURES) pending.failures.shift();
    this.#timer ??= setTimeout(() => void this.flush(), this.#options.intervalMs ?? 1_000);
  }

  /** Writes what was noted until now, or drops it. Never rejects. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running = this.#running.then(() => this.#write());
    await this.#running;
  }

  /** Writes the rest, and notes nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return;
    const noted = [...this.#pending.values()].flatMap(({ failures, delivered }) =>
      delivered === undefined ? failures : [...failures, delivered],
    );
    this.#pending = new Map();
    // Where the store is away, those who must write to it say so.
    await this.#options.add(noted.toSorted((a, b) => a.atMs - b.atMs)).catch(() => {});
  }
}
