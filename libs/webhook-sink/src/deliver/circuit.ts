export interface CircuitOptions {
  /** So many failures in a row open it. */
  readonly maxConsecutiveFailures: number;
  /** So does this share of at least {@link minAttempts} within {@link windowMs}. */
  readonly maxFailureShare: number;
  readonly minAttempts: number;
  readonly windowMs: number;
  /** How long it stays open the first time; doubles up to {@link maxOpenMs} with every probe that fails. */
  readonly initialOpenMs: number;
  readonly maxOpenMs: number;
}

export const DEFAULT_CIRCUIT: CircuitOptions = {
  maxConsecutiveFailures: 5,
  maxFailureShare: 0.5,
  minAttempts: 10,
  windowMs: 60_000,
  initialOpenMs: 5_000,
  maxOpenMs: 300_000,
};

/**
 * - `closed`: requests go.
 * - `open`: none goes until {@link Circuit.opensUntilMs}.
 * - `half-open`: one goes, and decides.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** Whether an endpoint is worth calling. Times are milliseconds of one clock. */
export class Circuit {
  readonly #options: CircuitOptions;
  #state: 'closed' | 'open' = 'closed';
  #consecutive = 0;
  #openMs = 0;
  #openUntilMs = 0;
  /** Of the present window. */
  #attempts = 0;
  #failures = 0;
  #windowFromMs = 0;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  /** As {@link stateAt} says, without a look at the clock. */
  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  stateAt(nowMs: number): CircuitState {
    if (this.#state === 'closed') return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'half-open';
  }

  get opensUntilMs(): number {
    return this.#openUntilMs;
  }

  /** @returns whether this closed it. */
  succeeded(nowMs: number): boolean {
    const wasOpen = this.#state === 'open';
    this.#state = 'closed';
    this.#consecutive = 0;
    this.#openMs = 0;
    if (wasOpen) this.#startWindow(nowMs);
    this.#count(nowMs, false);
    return wasOpen;
  }

  /** @returns whether this opened it, for the first time or again. */
  failed(nowMs: number): boolean {
    const state = this.stateAt(nowMs);
    if (state === 'open') return false; // of a request that was under way when it opened
    this.#consecutive++;
    this.#count(nowMs, true);
    if (state === 'closed' && !this.#isTooMuch()) return false;
    const { initialOpenMs, maxOpenMs } = this.#options;
    this.#openMs = this.#openMs === 0 ? initialOpenMs : Math.min(this.#openMs * 2, maxOpenMs);
    this.#openUntilMs = nowMs + this.#openMs;
    this.#state = 'open';
    return true;
  }

  #isTooMuch(): boolean {
    const { maxConsecutiveFailures, maxFailureShare, minAttempts } = this.#options;
    if (this.#consecutive >= maxConsecutiveFailures) return true;
    return this.#attempts >= minAttempts && this.#failures / this.#attempts >= maxFailureShare;
  }

  #count(nowMs: number, isFailure: boolean): void {
    if (nowMs - this.#windowFromMs > this.#options.windowMs) this.#startWindow(nowMs);
    this.#attempts++;
    if (isFailure) this.#failures++;
  }

  #startWindow(nowMs: number): void {
    this.#windowFromMs = nowMs;
    this.#attempts = 0;
    this.#failures = 0;
  }
}
