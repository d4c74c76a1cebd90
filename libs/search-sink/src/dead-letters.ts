import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { eventId, formatPosition, type DeadLetter, type DeadLetterStore } from '@pgstream/wal-event';
import { ensureSystemIndex, systemNames, type SystemNames } from './system-indices.ts';

/** Above this a record is left out of its letter: the row is read again by its key. */
const MAX_RECORD_BYTES = 4 * 1024 * 1024;

/** Dead letters in the index `pgstream-parked`, for direct mode, where there is no topic to keep them. */
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
    const { failures } = await this.#store.bulk(Buffer.from(`${lines.join('\n')}\n`), {
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
