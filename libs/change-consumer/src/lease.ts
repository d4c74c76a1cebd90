/**
 * For how long it is known that the partitions are ours. A broker that has just counted us in gives them to nobody else
 * for the time of a session; a process that was stopped meanwhile, or a machine that slept, must ask again before it
 * writes what others may have gone beyond.
 */
export class Lease {
  readonly #isMember: () => Promise<boolean>;
  readonly #lastsMs: number;
  #until = { ticksMs: 0, clockMs: 0 };
  #asking: Promise<boolean> | undefined;

  /** @param lastsMs Well below the session timeout: it must cover the write that follows. */
  constructor(isMember: () => Promise<boolean>, lastsMs: number) {
    this.#isMember = isMember;
    this.#lastsMs = lastsMs;
  }

  async holds(): Promise<boolean> {
    if (this.isValid) return true;
    // One question for all lanes.
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  async #ask(): Promise<boolean> {
    while (!this.isValid) {
      // Counted from before the question: an answer that waited in a stopped process is none.
      const [ticksMs, clockMs] = [performance.now(), Date.now()];
      // oxlint-disable-next-line no-await-in-loop -- until an answer arrives in time
      if (!(await this.#isMember())) return false;
      this.#until = { ticksMs: ticksMs + this.#lastsMs, clockMs: clockMs + this.#lastsMs };
    }
    return true;
  }

  /** By two clocks: one stands still while a machine sleeps, the other can be set back. */
  get isValid(): boolean {
    return performance.now() < this.#until.ticksMs && Date.now() < this.#until.clockMs;
  }
}
