import { PipelineError } from '@pgstream/failure';
import {
  isObject,
  putMapping,
  refreshIndices,
  scanDocuments,
  type SearchStore,
} from '@pgstream/search-store';
import { comparePositions, parsePosition } from '@pgstream/wal-event';
import { ensureSystemIndex, PARKED_PROPERTIES, type SystemNames } from '../system-indices.ts';
import {
  entryIdOf,
  entryOf,
  newStoredEntry,
  stateFields,
  type EntryHead,
  type NewEntry,
  type ParkedEntry,
  type ParkedState,
  type StoredEntry,
} from './parked-entry.ts';
import { writeEntries, type EntryWrite } from './parked-writes.ts';

export interface ParkedStoreOptions {
  readonly store: SearchStore;
  readonly names: SystemNames;
  readonly indexSettings: object;
  /** Version of the product, noted in the entries that it parks. */
  readonly product: string;
}

/** What an entry is to become, if it is still as its head says. */
export interface Advance {
  readonly head: Pick<EntryHead, 'entryId' | 'seqNo' | 'primaryTerm'>;
  readonly fields: (isSlim: boolean) => Partial<StoredEntry>;
}

const MAX_ROUNDS = 50;
const HEAD_FIELDS = ['position', 'coalesced'];

/**
 * Entries of parked keys in the index `pgstream-parked`: one per document. Every write names what it expects to find,
 * so that workers, and people with the command line, never undo each other's work unseen.
 */
export class ParkedStore {
  readonly #options: ParkedStoreOptions;
  #isReady = false;

  constructor(options: ParkedStoreOptions) {
    this.#options = options;
  }

  get index(): string {
    return this.#options.names.parked;
  }

  get product(): string {
    return this.#options.product;
  }

  /**
   * Durable when it resolves. Idempotent: an entry that is as new, or newer, stays as it is; an older one takes the
   * newer state over and counts it.
   */
  async create(entries: readonly NewEntry[]): Promise<void> {
    await this.#prepare();
    const wanted = new Map(entries.map((entry) => [entryIdOf(entry.tableId, entry.id), entry]));
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      // oxlint-disable-next-line no-await-in-loop -- until nobody else writes the same entries
      const taken = await this.#write([...wanted].map(([id, entry]) => this.#createWrite(id, entry)));
      for (const entryId of wanted.keys()) if (!taken.has(entryId)) wanted.delete(entryId);
      if (wanted.size === 0) return;
      // oxlint-disable-next-line no-await-in-loop -- as above
      await this.#takeOver(wanted);
      if (wanted.size === 0) return;
    }
    throw busy(this.index);
  }

  /** Leaves in `wanted` what vanished meanwhile and is to be created again. */
  async #takeOver(wanted: Map<string, NewEntry>): Promise<void> {
    const heads = await this.heads([...wanted.keys()].map((entryId) => ({ entryId })));
    const advances: Advance[] = [];
    for (const [entryId, entry] of wanted) {
      const head = heads.get(entryId) ?? null;
      if (head === null) continue;
      if (comparePositions(head.position, entry.position) >= 0) wanted.delete(entryId);
      else advances.push({ head, fields: coalescedFields(entry, head.coalesced + 1 + entry.coalesced) });
    }
    const conflicted = await this.advance(advances);
    for (const { head } of advances) if (!conflicted.has(head.entryId)) wanted.delete(head.entryId);
  }

  /** @returns the ids of the entries that have changed, or are gone. */
  async advance(advances: readonly Advance[]): Promise<Set<string>> {
    return this.#write(
      advances.map(({ head, fields }) => ({
        entryId: head.entryId,
        lines: (isSlim) =>
          `{"update":${this.#expecting(head)}}\n${JSON.stringify({ doc: fields(isSlim) })}\n`,
      })),
    );
  }

  /** @returns the ids of the entries that have changed, or were gone. */
  async remove(heads: ReadonlyArray<Advance['head']>): Promise<Set<string>> {
    return this.#write(
      heads.map((head) => ({
        entryId: head.entryId,
        lines: () => `{"delete":${this.#expecting(head)}}\n`,
      })),
    );
  }

  /** The newest state of entries, refreshed or not; `null` where there is none. */
  async heads(
    wanted: ReadonlyArray<{ entryId: string; document?: boolean }>,
  ): Promise<Map<string, EntryHead | null>> {
    const docs = wanted.map(({ entryId, document }) => ({
      _id: entryId,
      _source: document === true ? [...HEAD_FIELDS, 'document'] : HEAD_FIELDS,
    }));
    const found = await this.#get(docs);
    return new Map(
      found.map(({ entryId, source, seqNo, primaryTerm }) => {
        if (source === null) return [entryId, null];
        const { position = '', coalesced = 0, document } = source;
        const head = { entryId, position: parsePosition(position), coalesced, document, seqNo, primaryTerm };
        return [entryId, head];
      }),
    );
  }

  /** Whole entries, as they are now; `brief` leaves out document and record. */
  async entries(entryIds: readonly string[], which: 'whole' | 'brief' = 'whole'): Promise<ParkedEntry[]> {
    const query = which === 'brief' ? { _source_excludes: 'document,record' } : {};
    const found = await this.#get(
      entryIds.map((_id) => ({ _id })),
      query,
    );
    return found.flatMap(({ entryId, source, ...at }) =>
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by create and advance
      source === null ? [] : [entryOf(entryId, source as StoredEntry, at)],
    );
  }

  /** How many keys are parked. */
  async count(query: object = { term: { kind: 'key' } }): Promise<number> {
    await refreshIndices(this.#options.store, [this.index]);
    const answer = await this.#options.store.json<{ count: number }>('POST', `/${this.index}/_count`, {
      isAnswer: ({ count }) => typeof count === 'number',
      query: { ignore_unavailable: true },
      body: { query },
    });
    return answer.count;
  }

  /** Ids of entries, page by page. Of what was refreshed: {@link count} refreshes. */
  async *ids(filters: readonly object[] = [], pageSize = 1000): AsyncGenerator<string[]> {
    if ((await this.count()) === 0) return;
    const query = { bool: { filter: [{ term: { kind: 'key' } }, ...filters] } };
    const request = { index: this.index, query, sources: false, pageSize };
    for await (const page of scanDocuments(this.#options.store, request)) yield page.map(({ id }) => id);
  }

  #expecting({ entryId, seqNo, primaryTerm }: Advance['head']): string {
    const address = `"_index":${JSON.stringify(this.index)},"_id":${JSON.stringify(entryId)}`;
    return `{${address},"if_seq_no":${seqNo},"if_primary_term":${primaryTerm}}`;
  }

  #createWrite(entryId: string, entry: NewEntry): EntryWrite {
    const address = JSON.stringify({ create: { _index: this.index, _id: entryId } });
    const { product } = this.#options;
    return {
      entryId,
      lines: (isSlim) => `${address}\n${JSON.stringify(newStoredEntry(entry, product, isSlim))}\n`,
    };
  }

  async #write(writes: readonly EntryWrite[]): Promise<Set<string>> {
    return writes.length === 0 ? new Set() : writeEntries(this.#options.store, this.index, writes);
  }

  async #get(docs: readonly object[], query: Record<string, string> = {}): Promise<FoundEntry[]> {
    if (docs.length === 0) return [];
    const { store } = this.#options;
    const answer = await store.json<{ docs: readonly GetAnswer[] }>('POST', `/${this.index}/_mget`, {
      isAnswer: ({ docs: found }) =>
        Array.isArray(found) && found.length === docs.length && found.every(isObject),
      query: { ...(await store.newest()), ...query },
      body: { docs },
    });
    return answer.docs.map((doc) => {
      if (doc.error !== undefined && doc.error.type !== 'index_not_found_exception')
        throw new PipelineError('SEARCH_UNREACHABLE', { detail: `${this.index}: ${doc.error.type ?? ''}` });
      const { _id: entryId, _source: source = null, _seq_no: seqNo = -1, _primary_term: term = -1 } = doc;
      return { entryId, source, seqNo, primaryTerm: term };
    });
  }

  /** An index of before has fields fewer. */
  async #prepare(): Promise<void> {
    if (this.#isReady) return;
    const { store, names, indexSettings } = this.#options;
    await ensureSystemIndex(store, 'parked', names, indexSettings);
    await putMapping(store, names.parked, { properties: PARKED_PROPERTIES });
    this.#isReady = true;
  }
}

/** Another state behind the same refusal. */
export function coalescedFields(state: ParkedState, coalesced: number): Advance['fields'] {
  return (isSlim) => ({ ...stateFields(state, isSlim), coalesced });
}

interface FoundEntry {
  readonly entryId: string;
  readonly source: Partial<StoredEntry> | null;
  readonly seqNo: number;
  readonly primaryTerm: number;
}

interface GetAnswer {
  readonly _id: string;
  readonly _source?: Partial<StoredEntry>;
  readonly _seq_no?: number;
  readonly _primary_term?: number;
  readonly error?: { readonly type?: string };
}

function busy(index: string): PipelineError {
  return new PipelineError('SEARCH_UNREACHABLE', {
    detail: `${index}: others keep changing the same entries.`,
  });
}
