import { ACTION, type RecordBatch, type RecordReader } from '@pgstream/wal-event';
import { ByteSink, type PreviousDocument } from '../document/index.ts';
import type { BoundFunctions } from '../functions.ts';
import type { TableIndex } from '../table-index.ts';
import type { Tables } from '../tables.ts';
import type { ParkedKeys } from './parked-keys.ts';
import type { RowOfKey } from './touched-key.ts';

export interface ParkedRowsOptions {
  readonly functions: BoundFunctions;
  readonly tables: Tables;
  readonly parked: ParkedKeys;
  readonly reader: RecordReader;
}

/** What must be read of a parked key before a row can be written. */
export interface WantedEntry {
  readonly table: TableIndex;
  readonly id: string;
  /** Its document too: the row lacks values that did not change. */
  readonly document: boolean;
}

/** What the writer of rows asks where keys are parked: about the record that the reader stands on. */
export class ParkedRows {
  readonly #options: ParkedRowsOptions;
  readonly #out = new ByteSink(1024);

  constructor(options: ParkedRowsOptions) {
    this.#options = options;
  }

  /** Whether all that is parked of a row, as it was and as it is, has been read. */
  isLoaded(table: TableIndex, id: string, old = id): boolean {
    const { parked } = this.#options;
    const merges = this.#merges();
    return parked.isLoaded(table, id, merges) && (old === id || parked.isLoaded(table, old, merges));
  }

  /**
   * Keeps the new state of a parked document. `false` where it is kept already.
   * @throws {SyntaxError} where a value is no JSON
   */
  hold(row: RowOfKey, versionText: string, previous: PreviousDocument | undefined): boolean {
    const { parked, functions, reader } = this.#options;
    if (parked.isPast(row)) return false;
    this.#out.reset();
    functions.document(reader, this.#out, versionText, previous);
    parked.hold(row, this.#out.view().toString('utf8'));
    return true;
  }

  /** Of the record that was just read from the batch; nothing where its key is not parked, or no key. */
  unknownOf(batch: RecordBatch, at: number): WantedEntry[] {
    const { tables, functions, reader, parked } = this.#options;
    const action = batch.actions[at];
    const table = tables.known(reader.ref);
    if (table === undefined || table.dropped) return [];
    const document = this.#merges();
    const ids = [
      action === ACTION.delete ? undefined : functions.documentId(reader, 'columns'),
      action === ACTION.insert || reader.identity.count < 0
        ? undefined
        : functions.documentId(reader, 'identity'),
    ];
    return [...new Set(ids)].flatMap((id) =>
      id === undefined || parked.isLoaded(table, id, document) ? [] : [{ table, id, document }],
    );
  }

  #merges(): boolean {
    const { reader, functions } = this.#options;
    return reader.unchanged.length > 0 && functions.builder.needsPrevious(reader);
  }
}
