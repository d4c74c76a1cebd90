import { Buffer } from 'node:buffer';
import { failpoint } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { comparePositions, positionAt, type Position } from '@pgstream/wal-event';
import type { PreviousDocument } from '../document/index.ts';
import type { SearchObserver } from '../observer.ts';
import type { Steady } from '../steady.ts';
import type { TableIndex } from '../table-index.ts';
import { KnownKeys } from './known-keys.ts';
import { entryIdOf, type EntryHead, type NewEntry } from './parked-entry.ts';
import { ParkedFlush } from './parked-flush.ts';
import type { ParkedStore } from './parked-store.ts';
import { supersededOf } from './superseded.ts';
import { documentOf, isChanged, stateOf, type FreedRow, type RowOfKey, type Touched } from './touched-key.ts';

export interface ParkedKeysOptions {
  readonly store: SearchStore;
  readonly parked: ParkedStore;
  readonly steady: Steady;
  readonly observer: SearchObserver;
}

/** Kept in memory before they are written: about as much as one batch. */
const MAX_HELD_BYTES = 8 * 1024 * 1024;

/**
 * Keys whose document the store refuses, and the changes behind them. Rows ask {@link any} first: with nothing parked
 * that is all it costs.
 *
 * What a batch does to parked keys is collected and made durable before the batch settles. Entries are changed one
 * step after the other ({@link KnownKeys.alone}), and each only if it is as it was read.
 */
export class ParkedKeys {
  readonly known: KnownKeys;
  readonly #store: SearchStore;
  readonly #parked: ParkedStore;
  readonly #steady: Steady;
  readonly #observer: SearchObserver;
  /** Of the batch at hand; `null` where the store has no entry any more. */
  readonly #touched = new Map<string, Touched | null>();
  readonly #flush: ParkedFlush;
  #heldBytes = 0;
  #isDue = false;

  constructor(options: ParkedKeysOptions) {
    this.#store = options.store;
    this.#parked = options.parked;
    this.#steady = options.steady;
    this.#observer = options.observer;
    this.known = new KnownKeys(options.parked, options.observer);
    this.#flush = new ParkedFlush({ ...options, known: this.known, touched: this.#touched });
  }

  /** Whether any key of any table is parked. Hot path. */
  get any(): boolean {
    return this.known.any || this.#touched.size > 0;
  }

  /** Whether all is known that a row of this document needs; otherwise {@link load} comes first. */
  isLoaded(table: TableIndex, id: string, needsDocument: boolean): boolean {
    const entryId = entryIdOf(table.tableId, id);
    const touched = this.#touched.get(entryId);
    if (touched === undefined) return !this.known.has(table.tableId, entryId);
    if (this.#heldBytes > MAX_HELD_BYTES) return false;
    if (touched !== null && touched.resolvedBy !== null) return true;
    return !needsDocument || touched === null || documentOf(touched) !== undefined;
  }

  /** Whether changes of this document wait. Call {@link isLoaded} first. */
  isParked(table: TableIndex, id: string): boolean {
    return this.#openOf(table, id) !== null;
  }

  /** The newest state of a parked document, `null` where it was not kept; `undefined` where it is not parked. */
  document(table: TableIndex, id: string): PreviousDocument | null | undefined {
    const touched = this.#openOf(table, id);
    if (touched === null) return undefined;
    const text = documentOf(touched) ?? null;
    if (text === null) return null;
    const bytes = Buffer.from(text);
    return { bytes, start: 0, end: bytes.length };
  }

  /** Whether this change, or a later one, is part of what is parked: a replay. */
  isPast({ table, id, batch, at }: RowOfKey): boolean {
    const touched = this.#openOf(table, id);
    if (touched === null) return false;
    const newest = touched.state?.position ?? touched.head.position;
    return comparePositions(newest, positionAt(batch, at)) >= 0;
  }

  /** The newest state of a parked document; durable after {@link flush}. */
  hold(row: RowOfKey, document: string): void {
    const touched = this.#openOf(row.table, row.id);
    if (touched === null) return;
    this.#heldBytes += document.length - (touched.state?.document.length ?? 0);
    touched.state = { ...stateOf(row, document), document };
    touched.from = row;
    touched.added += 1;
  }

  /** The document is deleted: what is parked of it before that is done with, once the delete is durable. */
  resolve(table: TableIndex, id: string, position: Position): void {
    const touched = this.#openOf(table, id);
    if (touched === null) return;
    const newest = touched.state?.position ?? touched.head.position;
    if (comparePositions(newest, position) > 0) return;
    touched.state = null;
    touched.from = null;
    touched.resolvedBy = position;
  }

  /** Reads the entries of documents that rows are about to touch. */
  async load(
    rows: ReadonlyArray<{ table: TableIndex; id: string; document: boolean }>,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted = new Map(rows.map((row) => [entryIdOf(row.table.tableId, row.id), row]));
    await this.known.alone(async () => {
      const ids = [...wanted].filter(([entryId, { document }]) => {
        const touched = this.#touched.get(entryId);
        return touched === undefined || (document && touched !== null && documentOf(touched) === undefined);
      });
      const asked = ids.map(([entryId, { document }]) => ({ entryId, document }));
      const heads = await this.#steady.run(signal, async () => this.#parked.heads(asked));
      for (const [entryId, row] of ids) this.#note(entryId, row, heads.get(entryId) ?? null);
    });
  }

  /** What is held is to be durable before the next row. */
  get isFlushDue(): boolean {
    return this.#isDue || this.#heldBytes > MAX_HELD_BYTES;
  }

  /** The next row deletes what a held state was made of: {@link flush} comes first. */
  flushFirst(): void {
    this.#isDue = true;
  }

  /** Whether {@link flush} has something to do. */
  get isDirty(): boolean {
    for (const touched of this.#touched.values()) if (isChanged(touched)) return true;
    return false;
  }

  /** Whether entries go with deletes, which have to be durable before. */
  get hasResolved(): boolean {
    for (const touched of this.#touched.values()) if ((touched?.resolvedBy ?? null) !== null) return true;
    return false;
  }

  /** Makes durable what is held. @returns rows whose key flows again, because somebody released it. */
  async flush(signal: AbortSignal): Promise<FreedRow[]> {
    return this.known.alone(async () => {
      const freed = await this.#flush.held(signal);
      failpoint?.('parked.held');
      this.#heldBytes = 0;
      this.#isDue = false;
      return freed;
    });
  }

  /** Removes entries whose documents were deleted. Nothing may wait or fly. */
  async settleResolved(signal: AbortSignal): Promise<void> {
    await this.known.alone(async () => {
      await this.#flush.resolved(signal);
      failpoint?.('parked.resolved');
    });
  }

  /** At the end of a batch, whatever became of it. */
  clear(): void {
    this.#touched.clear();
    this.#heldBytes = 0;
    this.#isDue = false;
  }

  /**
   * Parks documents that the store refused, durably. From the call on, and not from its end, rows of these keys stay
   * behind them.
   * @returns the ids of the entries that were not known before
   */
  async park(entries: readonly NewEntry[], signal: AbortSignal): Promise<Set<string>> {
    const ids = entries.map(({ tableId, id }) => entryIdOf(tableId, id));
    const isKnown = ({ tableId, id }: NewEntry) => this.known.isInMemory(tableId, entryIdOf(tableId, id));
    const fresh = new Set(
      entries.filter((entry) => !isKnown(entry)).map(({ tableId, id }) => entryIdOf(tableId, id)),
    );
    for (const entryId of ids) {
      this.known.begin(entryId);
      // A key that was resolved in this batch and is refused again: what is known of its entry is old.
      if ((this.#touched.get(entryId)?.state ?? null) === null) this.#touched.delete(entryId);
    }
    return this.known.alone(async () => {
      const superseded = await this.#steady.run(signal, async () => supersededOf(this.#store, entries));
      const wanted = entries.filter((entry) => !superseded.has(entry));
      failpoint?.('parked.creating');
      await this.#steady.run(signal, async () => this.#parked.create(wanted));
      failpoint?.('parked.created');
      for (const { tableId, id } of wanted) this.known.end(entryIdOf(tableId, id));
      for (const { tableId, id } of superseded) {
        this.known.abandon(entryIdOf(tableId, id));
        fresh.delete(entryIdOf(tableId, id));
      }
      const behind = wanted.reduce((sum, { coalesced }) => sum + coalesced, 0);
      if (behind > 0) this.#observer.coalesced(behind);
      if (superseded.size > 0) this.#observer.conflicts(superseded.size);
      return fresh;
    });
  }

  #note(entryId: string, row: Touched['row'], head: EntryHead | null): void {
    const touched = this.#touched.get(entryId) ?? null;
    if (touched !== null && head !== null) touched.head = head;
    else if (head === null) {
      this.#touched.set(entryId, null);
      this.known.forget(entryId, 'gone');
    } else this.#touched.set(entryId, { row, head, state: null, from: null, added: 0, resolvedBy: null });
  }

  #openOf(table: TableIndex, id: string): Touched | null {
    if (this.#touched.size === 0) return null;
    const touched = this.#touched.get(entryIdOf(table.tableId, id)) ?? null;
    return touched !== null && touched.resolvedBy === null ? touched : null;
  }
}
