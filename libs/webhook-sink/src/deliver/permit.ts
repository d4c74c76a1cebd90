import { setTimeout as sleep } from 'node:timers/promises';

export interface PermitOptions {
  /** Whether the partition is ours, by what is known without asking. */
  readonly isKnown: () => boolean;
  /** Asks; it may reject where nobody can be asked. */
  readonly ask: () => Promise<boolean>;
  /** It may be given now. */
  readonly onChange: () => void;
}

/** It is about to be taken away, and whoever has it is told so; asked again in case that it comes back. */
const REFUSED_MS = 200;
const UNKNOWN_MS = 1_000;

/**
 * Whether a partition may be sent from. A process that was stopped, or came to nothing for longer than its session, still
 * holds events that somebody else delivers by now: it asks before it sends on.
 */
export class Permit {
  readonly #options: PermitOptions;
  #isAsking = false;
  #assumedUntilMs = 0;

  constructor(options: PermitOptions) {
    this.#options = options;
  }

  /** Cheap. Where it is not known it is asked for, once at a time, and {@link PermitOptions.onChange} says that it was. */
  get isGiven(): boolean {
    if (this.#options.isKnown() || performance.now() < this.#assumedUntilMs) return true;
    if (!this.#isAsking) void this.#ask();
    return false;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      if (!(await this.#options.ask())) await sleep(REFUSED_MS, undefined, { ref: false });
    } catch {
      // Who cannot be asked gives it to nobody else, as far as can be known: what is held goes on to its endpoints. If
      // somebody has it all the same, the next cursor is refused, and that ends it.
      this.#assumedUntilMs = performance.now() + UNKNOWN_MS;
    }
    this.#isAsking = false;
    this.#options.onChange();
  }
}
