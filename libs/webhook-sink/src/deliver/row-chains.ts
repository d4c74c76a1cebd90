import type { LaneEvent } from './lane-options.ts';

const NONE: readonly LaneEvent[] = [];

/** The events of each row in the order of the log. An event that touches two rows stands in the chains of both. */
export class RowChains {
  /** One by itself, which is nearly always, stands without a list. */
  readonly #chains = new Map<number, LaneEvent | LaneEvent[]>();

  /** @returns whether nothing of its rows stands before it. */
  add(entry: LaneEvent): boolean {
    let isHead = true;
    for (const row of entry.rows) {
      const chain = this.#chains.get(row);
      if (chain === undefined) {
        this.#chains.set(row, entry);
        continue;
      }
      isHead = false;
      if (Array.isArray(chain)) chain.push(entry);
      else this.#chains.set(row, [chain, entry]);
    }
    return isHead;
  }

  /**
   * @param entry the head of all its chains.
   * @returns those before which nothing of their rows stands any more.
   */
  remove(entry: LaneEvent): readonly LaneEvent[] {
    let heads: LaneEvent[] | undefined;
    for (const row of entry.rows) {
      const chain = this.#chains.get(row);
      if (!Array.isArray(chain) || chain.length < 2) {
        this.#chains.delete(row);
        continue;
      }
      chain.shift();
      const [head] = chain;
      if (head !== undefined && heads?.includes(head) !== true) (heads ??= []).push(head);
    }
    return heads === undefined ? NONE : heads.filter((head) => this.#isHead(head));
  }

  clear(): void {
    this.#chains.clear();
  }

  #isHead(entry: LaneEvent): boolean {
    return entry.rows.every((row) => {
      const chain = this.#chains.get(row);
      return (Array.isArray(chain) ? chain[0] : chain) === entry;
    });
  }
}
