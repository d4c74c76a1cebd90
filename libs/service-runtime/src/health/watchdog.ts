/**
 * Part of the process that must get on. It is stuck when there is something to do and nothing was done for a while;
 * waiting for work, for a rebalance or for a peer that is down (which is retried) is not being stuck.
 */
export interface Progress {
  readonly name: string;
  /** A number that changes whenever something was done. */
  readonly done: () => number;
  /** Whether something is waiting to be done, and nothing outside explains that it does not happen. */
  readonly busy: () => boolean;
}

/** Tells stuck parts from idle ones. Pure in time: the caller says what time it is. */
export class Watchdog {
  readonly #limitMs: number;
  readonly #parts = new Map<Progress, { done: number; sinceMs: number }>();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  watch(part: Progress, nowMs: number): void {
    this.#parts.set(part, { done: part.done(), sinceMs: nowMs });
  }

  /** Names of the parts that are stuck. */
  stuck(nowMs: number): string[] {
    const stuck: string[] = [];
    for (const [part, seen] of this.#parts) {
      const done = part.done();
      if (done !== seen.done || !part.busy()) {
        this.#parts.set(part, { done, sinceMs: nowMs });
      } else if (nowMs - seen.sinceMs > this.#limitMs) {
        stuck.push(part.name);
      }
    }
    return stuck;
  }
}
