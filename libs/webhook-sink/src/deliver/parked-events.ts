import type { ParkedRow } from '../store/retry-store.ts';

export interface ParkedEntry {
  readonly offset: number;
  readonly keys: readonly string[];
  /** Deliveries that failed since it was parked. */
  failures: number;
  nextAtMs: number;
}

/**
 * Which events of a lane wait outside the log, and which of them is due. Those of one row come in the order of the log,
 * and what comes behind them for that row joins them.
 */
export class ParkedEvents {
  /** In the order of the log. */
  readonly #entries = new Map<number, ParkedEntry>();
  readonly #taken = new Set<number>();
  readonly #keys = new Map<string, number>();

  get size(): number {
    return this.#entries.size;
  }

  /** From the store; what is known already stays as it is. */
  load(rows: readonly Pick<ParkedRow, 'offset' | 'keyHashes' | 'attempts' | 'nextAtMs'>[]): void {
    for (const { offset, keyHashes, attempts, nextAtMs } of rows) {
      this.add({ offset, keys: keyHashes, failures: attempts, nextAtMs });
    }
  }

  holds(keys: readonly string[]): boolean {
    return keys.some((key) => this.#keys.has(key));
  }

  add(entry: ParkedEntry): void {
    if (this.#entries.has(entry.offset)) return;
    this.#entries.set(entry.offset, entry);
    for (const key of entry.keys) this.#keys.set(key, (this.#keys.get(key) ?? 0) + 1);
  }

  /** Delivered, or given up. */
  remove(offset: number): void {
    const entry = this.#entries.get(offset);
    this.#taken.delete(offset);
    if (entry === undefined) return;
    this.#entries.delete(offset);
    for (const key of entry.keys) {
      const left = (this.#keys.get(key) ?? 1) - 1;
      if (left === 0) this.#keys.delete(key);
      else this.#keys.set(key, left);
    }
  }

  /** The endpoint works again: nothing need wait for its time. */
  makeDue(nowMs: number): void {
    for (const entry of this.#entries.values()) entry.nextAtMs = Math.min(entry.nextAtMs, nowMs);
  }

  /** The first that is due and waits for none of the same rows; it comes back by {@link putBack} or {@link remove}. */
  take(nowMs: number): ParkedEntry | undefined {
    const found = this.#heads().find(({ nextAtMs }) => nextAtMs <= nowMs);
    if (found !== undefined) this.#taken.add(found.offset);
    return found;
  }

  putBack({ offset }: ParkedEntry): void {
    this.#taken.delete(offset);
  }

  /** When {@link take} will have something; `undefined` when nothing waits for its time. */
  get nextAtMs(): number | undefined {
    if (this.#entries.size === 0) return undefined;
    const heads = this.#heads();
    return heads.length === 0 ? undefined : Math.min(...heads.map(({ nextAtMs }) => nextAtMs));
  }

  /** At most a thousand or so are kept, so they are looked through. */
  #heads(): ParkedEntry[] {
    const behind = new Set<string>();
    const heads: ParkedEntry[] = [];
    for (const entry of this.#entries.values()) {
      const isHead = !entry.keys.some((key) => behind.has(key));
      for (const key of entry.keys) behind.add(key);
      if (isHead && !this.#taken.has(entry.offset)) heads.push(entry);
    }
    return heads;
  }
}
