import {
  ParkedLetters,
  SearchDeadLetterStore,
  type ParkedEntry,
  type StoredLetter,
} from '@pgstream/search-sink';
import type { SearchStore } from '@pgstream/search-store';
import { formatPosition } from '@pgstream/wal-event';
import type { PgstreamConfig } from '../../config/settings.ts';
import { openSearchStore } from '../../wiring/search-connection.ts';
import {
  matches,
  NO_KEY,
  shortId,
  type LetterBook,
  type LetterFilter,
  type LetterOutcome,
  type ListedDeadLetter,
  type ShownDeadLetter,
} from './letter-book.ts';

const GONE = 'somebody else saw to it meanwhile';

/** The index `pgstream-parked`: keys that the search store refused, and in direct mode records without a key. */
export class IndexBook implements LetterBook {
  readonly #store: SearchStore;
  readonly #keys: ParkedLetters;
  readonly #records: SearchDeadLetterStore;
  readonly #entries = new WeakMap<ListedDeadLetter, ParkedEntry>();
  readonly #stored = new WeakMap<ListedDeadLetter, StoredLetter>();

  constructor(config: PgstreamConfig, productVersion: string) {
    const { systemIndex: systemPrefix } = config.search;
    this.#store = openSearchStore(config);
    this.#keys = new ParkedLetters(this.#store, { systemPrefix, productVersion });
    this.#records = new SearchDeadLetterStore(this.#store, { systemPrefix });
  }

  async count(): Promise<number> {
    return await this.#keys.countAll();
  }

  async *letters(filter: LetterFilter): AsyncGenerator<ListedDeadLetter[]> {
    const { sink, ...fields } = filter;
    if (sink === undefined || sink === 'search') {
      for await (const page of this.#keys.list(fields)) yield page.map((entry) => this.#ofKey(entry));
    }
    for await (const page of this.#records.list())
      yield page.map((stored) => this.#ofRecord(stored)).filter((letter) => matches(letter, filter));
  }

  async show(letter: ListedDeadLetter): Promise<ShownDeadLetter | null> {
    const entry = this.#entries.get(letter);
    if (entry !== undefined) {
      const whole = await this.#keys.read(entry);
      if (whole === null) return null;
      const { epoch, document, record } = whole;
      return { ...letter, epoch, firstPosition: formatPosition(whole.firstPosition), document, record };
    }
    const { epoch = 0, record = null } = this.#stored.get(letter) ?? {};
    return { ...letter, epoch, firstPosition: letter.position, document: null, record };
  }

  async retry(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]> {
    const done = await this.#keys.retry(this.#entriesOf(letters));
    const byId = new Map(done.map((one) => [one.entry.entryId, one]));
    return letters.map((letter): LetterOutcome => {
      const entry = this.#entries.get(letter);
      if (entry === undefined) return { letter, outcome: 'refused', reason: NO_KEY };
      const { outcome, reason } = byId.get(entry.entryId) ?? { outcome: 'superseded', reason: GONE };
      if (outcome === 'changing')
        return { letter, outcome: 'changed', reason: 'the key changes all the time' };
      return { letter, outcome, reason };
    });
  }

  async discard(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]> {
    const changed = new Set(await this.#keys.discard(this.#entriesOf(letters)));
    await this.#records.remove(letters.flatMap((letter) => this.#stored.get(letter) ?? []));
    return letters.map((letter): LetterOutcome => {
      const entry = this.#entries.get(letter);
      if (entry === undefined || !changed.has(entry)) return { letter, outcome: 'discarded', reason: null };
      return { letter, outcome: 'changed', reason: 'the key has changed since it was read, or is gone' };
    });
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  #entriesOf(letters: readonly ListedDeadLetter[]): ParkedEntry[] {
    return letters.flatMap((letter) => this.#entries.get(letter) ?? []);
  }

  #ofKey(entry: ParkedEntry): ListedDeadLetter {
    const { code, reason, schema, table, coalesced, attempts, lastReason } = entry;
    const letter: ListedDeadLetter = {
      id: shortId(`index:${entry.entryId}`),
      store: 'index',
      sink: 'search',
      code,
      reason,
      schema,
      table,
      identity: entry.id,
      position: formatPosition(entry.position),
      at: entry.parkedAt,
      coalesced,
      attempts,
      lastReason,
    };
    this.#entries.set(letter, entry);
    return letter;
  }

  #ofRecord(stored: StoredLetter): ListedDeadLetter {
    const { sink, code, reason, schema, table, identity, position, parked_at: at } = stored;
    const letter: ListedDeadLetter = {
      id: shortId(`index:${stored.documentId}`),
      store: 'index',
      sink,
      code,
      reason,
      schema,
      table,
      identity,
      position,
      at,
      coalesced: 0,
      attempts: 0,
      lastReason: null,
    };
    this.#stored.set(letter, stored);
    return letter;
  }
}
