/** So many that were taken are moved out at a time. */
const TAKEN_KEPT = 128;

/** First in, first out: an array that is shifted moves all that is behind each time. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #from = 0;

  get length(): number {
    return this.#items.length - this.#from;
  }

  /** The next one, which stays; `undefined` without one. */
  get first(): T | undefined {
    return this.#items[this.#from];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** The next one; `undefined` without one. */
  take(): T | undefined {
    const item = this.#items[this.#from];
    if (item === undefined) return undefined;
    this.#items[this.#from++] = undefined; // what was taken is nobody's any more
    if (this.#from === this.#items.length) this.clear();
    else if (this.#from >= TAKEN_KEPT) {
      this.#items.splice(0, this.#from);
      this.#from = 0;
    }
    return item;
  }

  clear(): void {
    this.#items.length = 0;
    this.#from = 0;
  }
}
