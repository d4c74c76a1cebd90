import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import { readIndices, refreshIndices, scanDocuments, type SearchStore } from '@pgstream/search-store';
import { eventId, formatPosition, type DeadLetter, type DeadLetterStore } from '@pgstream/wal-event';
import { ensureSystemIndex, systemNames, type SystemNames } from './system-indices.ts';

/** Above this a record is left out of its letter: the row is read again by its key. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** A letter of a record that belongs to no key, as it lies in the index. */
export interface StoredLetter {
  readonly documentId: string;
  readonly sink: string;
  readonly code: string;
  readonly reason: string;
  readonly schema: string;
  readonly table: string;
  readonly identity: string | null;
  readonly epoch: number;
  readonly position: string;
  readonly parked_at: string;
  readonly record?: string;
}

/**
 * Letters of records that belong to no key, in the index `pgstream-parked`: for direct mode, where there is no topic to
 * keep them. Parked keys lie beside them: see `parked/`.
 */
export class SearchDeadLetterStore implements DeadLetterStore {
  readonly #store: SearchStore;
  readonly #names: SystemNames;
  readonly #settings: object;
  #ready = false;

  constructor(store: SearchStore, options: { systemPrefix?: string; indexSettings?: object } = {}) {
    this.#store = store;
    this.#names = systemNames(options.systemPrefix);
    this.#settings = options.indexSettings ?? {};
  }

  async park(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return;
    if (!this.#ready) await ensureSystemIndex(this.#store, 'parked', this.#names, this.#settings);
    this.#ready = true;
    const lines = letters.flatMap((letter) => [this.#address(letter), JSON.stringify(documentOf(letter))]);
    const { failures } = await this.#store.bulk(Buffer.from(`${lines.join('\n')}\n`), letters.length, {
      requireAlias: false,
      refresh: true,
    });
    const [failure] = failures;
    if (failure === undefined) return;
    const transient = failure.status === 429 || failure.status >= 500;
    throw new PipelineError(transient ? 'SEARCH_UNREACHABLE' : 'SEARCH_REQUEST_REFUSED', {
      detail: `${this.#names.parked}: ${failure.type}: ${failure.reason}`,
    });
  }

  /** As they are, page by page. */
  async *list(): AsyncGenerator<StoredLetter[]> {
    const index = this.#names.parked;
    await refreshIndices(this.#store, [index]);
    if ((await readIndices(this.#store, index)).length === 0) return;
    const query = { bool: { must_not: { term: { kind: 'key' } } } };
    const scan = { index, query, sources: true, pageSize: 100 };
    for await (const page of scanDocuments(this.#store, scan)) {
      yield page.map(({ id, source }) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by park
        const letter = JSON.parse(source) as Omit<StoredLetter, 'documentId'>;
        return { ...letter, documentId: id };
      });
    }
  }

  async remove(letters: readonly StoredLetter[]): Promise<void> {
    if (letters.length === 0) return;
    const lines = letters.map(({ documentId }) =>
      JSON.stringify({ delete: { _index: this.#names.parked, _id: documentId } }),
    );
    const body = Buffer.from(`${lines.join('\n')}\n`);
    await this.#store.bulk(body, letters.length, { requireAlias: false, refresh: true });
  }

  /** The id makes parking idempotent: one letter per sink and event. */
  #address(letter: DeadLetter): string {
    const id = `${letter.sink}-${eventId(letter.epoch, letter.position)}`;
    return JSON.stringify({ index: { _index: this.#names.parked, _id: id } });
  }
}

function documentOf(letter: DeadLetter): object {
  const { position, record, ...rest } = letter;
  return {
    ...rest,
    position: formatPosition(position),
    commit_lsn: position.commitLsn.toString(),
    seq: position.seq,
    parked_at: new Date().toISOString(),
    ...(record === undefined || record.length > MAX_RECORD_BYTES ? {} : { record: record.toString('utf8') }),
  };
}
