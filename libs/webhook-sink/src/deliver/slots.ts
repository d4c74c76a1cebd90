/** Requests in flight over all subscriptions of the process. */
export class Slots {
  readonly #max: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** False when there is none: `wake` is called once one is free. */
  take(wake: () => void): boolean {
    if (this.#taken >= this.#max) {
      this.#waiting.add(wake);
      return false;
    }
    this.#taken++;
    return true;
  }

  giveBack(): void {
    this.#taken--;
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
