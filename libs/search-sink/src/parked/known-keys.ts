import type { SearchObserver } from '../observer.ts';
import { tableIdOfEntry } from './parked-entry.ts';
import type { ParkedStore } from './parked-store.ts';

/** Entry ids that are kept in memory; beyond that, every row of the tables concerned asks the store. */
const MAX_KEYS = 100_000;

/** Why an entry went: its key was deleted, it was written, or somebody else saw to it. */
export type Gone = 'resolved' | 'released' | 'gone';

/**
 * Which keys are parked, as far as this process knows: read from the store when work begins or partitions arrive, and
 * now and then. It may know of an entry that is gone, which the store corrects when the key is touched; it never misses
 * one of a key that is ours to write.
 */
export class KnownKeys {
  readonly #parked: ParkedStore;
  readonly #observer: SearchObserver;
  #byTable = new Map<string, Set<string>>();
  /** Tables of which not all keys are in memory. */
  #crowded = new Set<string>();
  #total = 0;
  /** Being parked at this moment. */
  readonly #begun = new Map<string, number>();
  #last: Promise<unknown> = Promise.resolve();
  /** Any key of any table. Hot path. */
  any = false;

  constructor(parked: ParkedStore, observer: SearchObserver) {
    this.#parked = parked;
    this.#observer = observer;
  }

  get total(): number {
    return this.#total;
  }

  /** Whether the key may be parked. */
  has(tableId: string, entryId: string): boolean {
    return this.isInMemory(tableId, entryId) || this.#begun.has(entryId) || this.#crowded.has(tableId);
  }

  isInMemory(tableId: string, entryId: string): boolean {
    return this.#byTable.get(tableId)?.has(entryId) === true;
  }

  /** Whether any key of this table may be parked. */
  hasTable(tableId: string): boolean {
    return this.#byTable.has(tableId) || this.#crowded.has(tableId);
  }

  /** One step after the other, in the order of the calls. */
  async alone<T>(step: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(step, step);
    this.#last = mine;
    return mine;
  }

  begin(entryId: string): void {
    this.#begun.set(entryId, (this.#begun.get(entryId) ?? 0) + 1);
    this.any = true;
  }

  /** It need not be parked. */
  abandon(entryId: string): void {
    const left = (this.#begun.get(entryId) ?? 1) - 1;
    if (left > 0) this.#begun.set(entryId, left);
    else this.#begun.delete(entryId);
    this.#tell();
  }

  /** It is durable. */
  end(entryId: string): void {
    this.abandon(entryId);
    if (addTo(this.#byTable, entryId)) this.#total += 1;
    this.#tell();
  }

  forget(entryId: string, why: Gone): void {
    const tableId = tableIdOfEntry(entryId);
    const keys = this.#byTable.get(tableId);
    if (keys?.delete(entryId) === true) {
      this.#total -= 1;
      this.#observer.unparked(why, 1);
    }
    if (keys?.size === 0) this.#byTable.delete(tableId);
    this.#tell();
  }

  /** Reads from the store what is parked now. Until it has ended, what was known before counts. */
  async reload(): Promise<void> {
    const byTable = new Map<string, Set<string>>();
    const crowded = new Set<string>();
    let total = 0;
    for await (const page of this.#parked.ids()) {
      for (const entryId of page) {
        if (total >= MAX_KEYS) crowded.add(tableIdOfEntry(entryId));
        else addTo(byTable, entryId);
        total += 1;
      }
    }
    const gone = missingFrom(this.#byTable, byTable, crowded);
    this.#byTable = byTable;
    this.#crowded = crowded;
    this.#total = total;
    if (gone > 0) this.#observer.unparked('gone', gone);
    this.#tell();
  }

  #tell(): void {
    this.any = this.#byTable.size > 0 || this.#crowded.size > 0 || this.#begun.size > 0;
    this.#observer.parkedKeys(this.#total);
  }
}

/** `false` where it was there already. */
function addTo(byTable: Map<string, Set<string>>, entryId: string): boolean {
  const tableId = tableIdOfEntry(entryId);
  let keys = byTable.get(tableId);
  if (keys === undefined) {
    keys = new Set();
    byTable.set(tableId, keys);
  }
  if (keys.has(entryId)) return false;
  keys.add(entryId);
  return true;
}

function missingFrom(
  before: ReadonlyMap<string, ReadonlySet<string>>,
  now: ReadonlyMap<string, ReadonlySet<string>>,
  crowded: ReadonlySet<string>,
): number {
  let missing = 0;
  for (const [tableId, keys] of before) {
    if (crowded.has(tableId)) continue;
    const left = now.get(tableId);
    for (const entryId of keys) if (left?.has(entryId) !== true) missing += 1;
  }
  return missing;
}
