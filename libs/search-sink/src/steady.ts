import { classify, systemClock, withRetry, type Clock } from '@pgstream/failure';
import type { SearchObserver } from './observer.ts';

export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/** Repeats administrative requests while the store is away: until they succeed, are refused, or the signal aborts. */
export class Steady {
  readonly #backoff: Backoff;
  readonly #observer: SearchObserver;
  readonly #clock: Clock;

  constructor(backoff: Backoff, observer: SearchObserver, clock: Clock = systemClock) {
    this.#backoff = backoff;
    this.#observer = observer;
    this.#clock = clock;
  }

  async run<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    return withRetry(attempt, {
      ...this.#backoff,
      classify: (cause) => classify(cause, []),
      onRetry: (error, waitMs) => {
        this.#observer.retried(error.code, 0);
        this.#observer.notice('retrying', {
          code: error.code,
          detail: error.detail ?? '',
          waitMs: Math.round(waitMs),
        });
      },
      clock: this.#clock,
      signal,
    });
  }
}
