import type { TableIndex } from './table-index.ts';

/** What a chunk knows of its actions, by their numbers. */
interface Actions {
  readonly tables: readonly (TableIndex | undefined)[];
  readonly ids: readonly (string | undefined)[];
}

const FIRST_SLOTS = 1024;
/** Of an id's end, where the numbers are that differ. */
const HASHED_CHARS = 24;

/**
 * The newest action of each document of a chunk. Open addressing over the numbers of the actions: every row looks into
 * every chunk that waits or flies and nearly always finds nothing, which here is one read of an array. Maps by string
 * took a tenth of the indexer's CPU for it.
 */
export class ActionsById {
  readonly #actions: Actions;
  /** Number of an action plus one; 0 is free. A power of two long, at most half full. */
  #slots = new Int32Array(FIRST_SLOTS);
  #used = 0;

  constructor(actions: Actions) {
    this.#actions = actions;
  }

  /** The newest action of a document, -1 where there is none. */
  find(table: TableIndex, id: string): number {
    return (this.#slots[this.#slotOf(table, id)] ?? 0) - 1;
  }

  /** Action `at`, whose table and id the chunk has noted, is the newest of its document. */
  set(table: TableIndex, id: string, at: number): void {
    const slot = this.#slotOf(table, id);
    if (this.#slots[slot] === 0 && ++this.#used * 2 > this.#slots.length) {
      this.#grow();
      this.#slots[this.#slotOf(table, id)] = at + 1;
    } else {
      this.#slots[slot] = at + 1;
    }
  }

  clear(): void {
    if (this.#slots.length > 16 * FIRST_SLOTS) this.#slots = new Int32Array(FIRST_SLOTS);
    else this.#slots.fill(0);
    this.#used = 0;
  }

  /** Where the document is, or the free slot for it. */
  #slotOf(table: TableIndex, id: string): number {
    const slots = this.#slots;
    const { tables, ids } = this.#actions;
    const mask = slots.length - 1;
    for (let slot = hashOf(id) & mask; ; slot = (slot + 1) & mask) {
      const at = (slots[slot] ?? 0) - 1;
      if (at < 0 || (ids[at] === id && tables[at] === table)) return slot;
    }
  }

  #grow(): void {
    const { tables, ids } = this.#actions;
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (const entry of old) {
      const { [entry - 1]: table } = tables;
      const { [entry - 1]: id } = ids;
      if (table !== undefined && id !== undefined) this.#slots[this.#slotOf(table, id)] = entry;
    }
  }
}

/** FNV-1a over the id's end. One id is looked up several times in a row. */
function hashOf(id: string): number {
  if (id === lastId) return lastHash;
  let hash = 0x811c9dc5 ^ id.length;
  for (let i = Math.max(0, id.length - HASHED_CHARS); i < id.length; i += 1)
    hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  lastId = id;
  lastHash = hash ^ (hash >>> 15);
  return lastHash;
}
let lastId: string | undefined;
let lastHash = 0;
