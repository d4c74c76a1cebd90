import { Buffer } from 'node:buffer';
import type { SearchStore } from '@pgstream/search-store';
import type { PreviousDocument } from './document/index.ts';
import type { BulkLanes } from './bulk-lanes.ts';
import { documentKey, type TableIndex } from './table-index.ts';

/**
 * The newest known state of documents that an UPDATE builds upon: what waits or flies in a bulk first, then what was
 * read for this batch.
 */
export class PreviousDocuments {
  readonly #lanes: BulkLanes;
  readonly #read = new Map<string, PreviousDocument | null>();
  readonly #stored = new Map<string, StoredState | null>();

  constructor(lanes: BulkLanes) {
    this.#lanes = lanes;
  }

  /** `null` where there is no document; `undefined` where the store must be asked. */
  find(table: TableIndex, id: string): PreviousDocument | null | undefined {
    const pending = this.#lanes.pending(table, id);
    if (pending === null) return this.#read.size === 0 ? undefined : this.#read.get(documentKey(table, id));
    const { chunk, at } = pending;
    if (chunk.isDelete(at)) return null;
    return { bytes: chunk.out.bytes, start: chunk.sourceStarts[at] ?? 0, end: (chunk.ends[at] ?? 0) - 1 };
  }

  /**
   * What the store has under an id, whatever waits or flies; `undefined` where it must be asked. Only good for telling
   * whether a change of this version or a later one is there already: nothing that we send makes that answer old.
   */
  stored(table: TableIndex, id: string): StoredState | null | undefined {
    return this.#stored.get(documentKey(table, id));
  }

  /** The document is about to change: what was read of it no longer counts. */
  outdate(table: TableIndex, id: string): void {
    if (this.#read.size > 0) this.#read.delete(documentKey(table, id));
  }

  /** At the end of a batch, and where documents change by request. */
  clear(): void {
    this.#read.clear();
    this.#stored.clear();
  }

  /**
   * Asks the store for documents with nothing pending. A bulk that lands while the answer is under way cannot make it
   * old: nothing of these documents is in any bulk, and only the caller adds to bulks.
   */
  async fetch(
    store: SearchStore,
    wanted: ReadonlyArray<{ table: TableIndex; id: string }>,
    signal: AbortSignal,
  ): Promise<void> {
    const addresses = wanted.map(({ table, id }) => ({ index: table.index.writeAlias, id }));
    const found = await store.mget(addresses, signal);
    for (const [i, { table, id }] of wanted.entries()) {
      const document = found[i] ?? null;
      const bytes = document === null ? null : Buffer.from(document.source);
      const previous = bytes === null ? null : { bytes, start: 0, end: bytes.length };
      this.#read.set(documentKey(table, id), previous);
      this.#stored.set(
        documentKey(table, id),
        previous === null ? null : { version: BigInt(document?.version ?? 0), document: previous },
      );
    }
  }
}

/** A document in the store, with its external version. */
export interface StoredState {
  readonly version: bigint;
  readonly document: PreviousDocument;
}
