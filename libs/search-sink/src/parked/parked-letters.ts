import type { SearchStore } from '@pgstream/search-store';
import { systemNames } from '../system-indices.ts';
import type { ParkedEntry } from './parked-entry.ts';
import { ParkedStore } from './parked-store.ts';
import { releaseEntries, type Released } from './release.ts';

/** Which parked keys are meant; members that are absent mean all. */
export interface ParkedFilter {
  readonly schema?: string;
  readonly table?: string;
  /** `_id` of the document. */
  readonly key?: string;
}

const PAGE = 50;

/** Parked keys for people: to look at, to try again and to give up. May run beside the workers. */
export class ParkedLetters {
  readonly #store: SearchStore;
  readonly #parked: ParkedStore;

  constructor(store: SearchStore, options: { systemPrefix?: string; productVersion: string }) {
    this.#store = store;
    this.#parked = new ParkedStore({
      store,
      names: systemNames(options.systemPrefix),
      indexSettings: {},
      product: options.productVersion,
    });
  }

  /** Parked keys, and letters of records without a key that lie beside them. */
  async countAll(): Promise<number> {
    return this.#parked.count({ match_all: {} });
  }

  /** One entry with all that is kept; `null` where it is gone. */
  async read({ entryId }: ParkedEntry): Promise<ParkedEntry | null> {
    const [entry] = await this.#parked.entries([entryId]);
    return entry ?? null;
  }

  /** As they are now, without documents and records, page by page. */
  async *list(filter: ParkedFilter = {}): AsyncGenerator<ParkedEntry[]> {
    for await (const ids of this.#parked.ids(termsOf(filter))) {
      for (let from = 0; from < ids.length; from += PAGE)
        yield await this.#parked.entries(ids.slice(from, from + PAGE), 'brief');
    }
  }

  /** Writes the newest states with their own versions; entries go where that succeeds. */
  async retry(entries: readonly ParkedEntry[]): Promise<Released[]> {
    const ids = entries.map(({ entryId }) => entryId);
    return releaseEntries(ids, { store: this.#store, parked: this.#parked, refresh: true });
  }

  /**
   * Gives the parked state up, if it is still the one that was shown. The document stays as it is in the index until
   * the row changes again.
   * @returns what has changed meanwhile, or is gone
   */
  async discard(entries: readonly ParkedEntry[]): Promise<ParkedEntry[]> {
    const changed = await this.#parked.remove(entries);
    return entries.filter(({ entryId }) => changed.has(entryId));
  }
}

function termsOf({ schema, table, key }: ParkedFilter): object[] {
  const terms = { schema, table, identity: key };
  return Object.entries(terms).flatMap(([field, value]) =>
    value === undefined ? [] : [{ term: { [field]: value } }],
  );
}
