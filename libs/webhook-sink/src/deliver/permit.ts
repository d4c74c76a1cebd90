import { setTimeout as sleep } from 'node:timers/promises';
import type { WebhookSinkOptions } from '../options.ts';
import type { OwnedPartition } from './owned-partition.ts';

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
/** What is waited for an answer, and how long none will do. */
const ASK_MS = 2_000;
const UNKNOWN_MS = 10_000;

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
    const late = new AbortController();
    const noAnswer = sleep(ASK_MS, 'unknown' as const, { ref: false, signal: late.signal });
    noAnswer.catch(() => {});
    const whose = await Promise.race([this.#answer(), noAnswer]);
    late.abort();
    // Who cannot be asked gives it to nobody else, as far as can be known: what is held goes on to its endpoints. If
    // somebody has it all the same, the next cursor is refused, and that ends it.
    if (whose === 'unknown') this.#assumedUntilMs = performance.now() + UNKNOWN_MS;
    if (whose === 'others') await sleep(REFUSED_MS, undefined, { ref: false });
    this.#isAsking = false;
    this.#options.onChange();
  }

  async #answer(): Promise<'ours' | 'others' | 'unknown'> {
    try {
      if (await this.#options.ask()) return 'ours';
      this.#assumedUntilMs = 0; // also where it came too late
      return 'others';
    } catch {
      return 'unknown';
    }
  }
}

/** For the lanes of a partition. */
export function permitOf(
  { partition, lanes }: OwnedPartition,
  { owns, ownsNow }: Pick<WebhookSinkOptions, 'owns' | 'ownsNow'>,
): Permit {
  return new Permit({
    isKnown: () => ownsNow === undefined || ownsNow(partition),
    ask: async () => (await owns?.(partition)) ?? true,
    onChange: () => {
      for (const { endpoint } of lanes.values()) endpoint.wake();
    },
  });
}
