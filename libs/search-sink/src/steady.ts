import { classify, systemClock, withRetry, type Clock, type PipelineError } from '@pgstream/failure';
import type { SearchObserver } from './observer.ts';

export interface Backoff {
  readonly initialMs: number;
  readonly maxMs: number;
}

/**
 * Growing waits spare a store that is busy. One that does not answer at all is not spared by them, and they would only
 * add to the time that it is away.
 */
const MAX_WAIT_AWAY_MS = 5_000;

/** The longest wait after a failure: the configured one, less where nobody answered. */
export function longestWaitMs({ maxMs }: Backoff, { facts }: PipelineError): number {
  return facts['status'] === undefined ? Math.min(maxMs, MAX_WAIT_AWAY_MS) : maxMs;
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
      maxMsOf: (error) => longestWaitMs(this.#backoff, error),
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
