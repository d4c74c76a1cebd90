import { PipelineError } from '@pgstream/failure';

/**
 * Tells a process that stood still (stopped, swapped out, its machine asleep) from one that had nothing to do. A fence holds as
 * long as the brokers remember the producer; whoever wakes later must not write on what it believed before.
 */
export class StallGuard {
  readonly #limitMs: number;
  /** The monotonic clock stands still while a machine sleeps, the other one jumps when it is set: whichever went further. */
  #lastMs = performance.now();
  #lastWallMs = Date.now();
  #stalledMs = 0;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  tick(): void {
    const silentMs = this.#silentMs;
    if (silentMs > this.#limitMs) this.#stalledMs = Math.max(this.#stalledMs, silentMs);
    this.#lastMs = performance.now();
    this.#lastWallMs = Date.now();
  }

  /** @throws {PipelineError} KAFKA_PRODUCER_STALLED, from then on always. */
  check(): void {
    const stalledMs = Math.max(this.#stalledMs, this.#silentMs);
    if (stalledMs <= this.#limitMs) return;
    this.#stalledMs = stalledMs;
    const facts = { stalledMs: Math.round(stalledMs), limitMs: this.#limitMs };
    throw new PipelineError('KAFKA_PRODUCER_STALLED', { facts });
  }

  get #silentMs(): number {
    return Math.max(performance.now() - this.#lastMs, Date.now() - this.#lastWallMs);
  }
}
