import type { SearchStore } from '@pgstream/search-store';
import {
  RecordReader,
  type DeadLetterStore,
  type RecordBatch,
  type SchemaChange,
  type ShapeChange,
} from '@pgstream/wal-event';
import { Buffer } from 'node:buffer';
import type { Refusal } from '../bulk-sender.ts';
import { ByteSink } from '../document/index.ts';
import type { Fence } from '../fence.ts';
import type { BoundFunctions } from '../functions.ts';
import type { SearchObserver } from '../observer.ts';
import { letterOf, noticeOf } from '../letters.ts';
import type { Steady } from '../steady.ts';
import type { SystemNames } from '../system-indices.ts';
import type { TableIndex } from '../table-index.ts';
import type { Tables } from '../tables.ts';
import type { Gone } from './known-keys.ts';
import { tableIdOfEntry, type ParkedEntry } from './parked-entry.ts';
import { ParkedKeys } from './parked-keys.ts';
import type { FreedRow } from './touched-key.ts';
import type { WantedEntry } from './parked-rows.ts';
import { ParkedStore } from './parked-store.ts';
import { entriesOfRefusals, letterOfEntry, type TakeWaiting } from './refused.ts';
import { releaseEntries } from './release.ts';
import { editOlderEntries, removeOlder, tablesOf } from './table-entries.ts';

export interface ParkingOptions {
  readonly deadLetters: DeadLetterStore;
  readonly store: SearchStore;
  readonly names: SystemNames;
  readonly indexSettings: object;
  readonly productVersion: string;
  readonly functions: BoundFunctions;
  readonly observer: SearchObserver;
  readonly steady: Steady;
  readonly tables: Tables;
}

/** After so many refusals in a row an attempt to release a table ends: its mapping is as it was. */
const PROBES = 100;
/** How far ahead entries are read in one request. */
const LOOK_AHEAD = 500;
/** Documents may be large. */
const MAX_DOCUMENTS = 20;

/**
 * What the running sink does about parked keys: parks them when a bulk is refused, and releases them when the table,
 * its index or the product has changed. Everything here may be cut short and comes again.
 */
export class Parking {
  readonly keys: ParkedKeys;
  readonly #options: ParkingOptions;
  readonly #parked: ParkedStore;
  readonly #reader = new RecordReader();
  readonly #out = new ByteSink(16 * 1024);
  #isOpen = false;

  constructor(options: ParkingOptions) {
    const { store, names, indexSettings, productVersion: product, steady, observer } = options;
    this.#options = options;
    this.#parked = new ParkedStore({ store, names, indexSettings, product });
    this.keys = new ParkedKeys({ store, parked: this.#parked, steady, observer });
  }

  /** Before the first row of a source's lane: others may have parked its keys. */
  async open(signal: AbortSignal): Promise<void> {
    await this.reload(signal);
    if (this.#isOpen) return;
    // Once in the life of a process: two versions side by side must not take turns.
    const { productVersion, observer } = this.#options;
    const { total: keys } = this.keys.known;
    // Also those that a process parked which was killed before it could say so.
    if (keys > 0) observer.notice('keys_parked', { keys });
    if (keys > 0)
      await this.#release([{ bool: { must_not: { term: { product: productVersion } } } }], 'version', signal);
    this.#isOpen = true;
  }

  async reload(signal: AbortSignal): Promise<void> {
    const { known } = this.keys;
    await known.alone(async () => this.#options.steady.run(signal, async () => known.reload()));
  }

  /** A table was opened, or got columns: it may have a new index. */
  async opened(tableId: string, generation: number, signal: AbortSignal): Promise<void> {
    if (!this.keys.known.hasTable(tableId)) return;
    const changed = { bool: { must_not: { term: { generation } } } };
    await this.#release([{ term: { table_id: tableId } }, changed], 'generation', signal);
  }

  /** A bulk was refused in part. What waits behind it, of the same documents, is taken along. */
  async refused(refusals: readonly Refusal[], take: TakeWaiting, signal: AbortSignal): Promise<void> {
    const { observer } = this.#options;
    const entries = entriesOfRefusals(refusals, take);
    const fresh = await this.keys.park(entries, signal);
    for (const entry of entries) {
      if (!fresh.has(entry.entryId)) continue;
      const letter = letterOfEntry(entry);
      observer.parked(entry.code, 1);
      observer.keyParked(letter);
      observer.notice('document_refused', noticeOf(letter));
    }
  }

  /** A record that belongs to no key. */
  async record(
    batch: RecordBatch,
    at: number,
    why: Parameters<typeof letterOf>[2],
    signal: AbortSignal,
  ): Promise<void> {
    const { deadLetters, observer, steady } = this.#options;
    const letter = letterOf(batch, at, why);
    await steady.run(signal, async () => deadLetters.park([letter]));
    observer.parked(letter.code, 1);
    observer.notice('document_refused', noticeOf(letter));
  }

  /** Makes durable what the batch has done to parked keys up to here. */
  async keep(put: (freed: FreedRow) => void, drain: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { keys } = this;
    if (!keys.isDirty) return;
    for (const freed of await keys.flush(signal)) put(freed);
    if (!keys.hasResolved) return;
    // The deletes first: a kill in between leaves entries that the deletes, read again, resolve.
    await drain();
    await keys.settleResolved(signal);
  }

  /** Reads what is parked of the keys that this record, and those soon after it, belong to. */
  async fetch(
    writer: { parkedOf(batch: RecordBatch, at: number): WantedEntry[] },
    batch: RecordBatch,
    at: number,
    signal: AbortSignal,
  ): Promise<void> {
    const wanted: WantedEntry[] = [];
    let documents = 0;
    const end = Math.min(batch.count, at + LOOK_AHEAD);
    for (let i = at; i < end && wanted.length < LOOK_AHEAD; i += 1) {
      const more = writer.parkedOf(batch, i);
      documents += more.filter(({ document }) => document).length;
      if (i > at && documents > MAX_DOCUMENTS) break;
      wanted.push(...more);
    }
    await this.keys.load(wanted, signal);
  }

  /** A schema change was applied. Nothing waits or flies. */
  async follow(content: string, fence: Fence, signal: AbortSignal): Promise<void> {
    if (!this.keys.known.any) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the content of a message with our prefix
    const change = JSON.parse(content) as SchemaChange;
    // oxlint-disable-next-line no-await-in-loop -- changes build upon each other
    for (const one of change.changes) await this.#followOne(one, fence, signal);
    for (const tableId of tablesOf(change)) {
      if (this.keys.known.hasTable(tableId))
        // oxlint-disable-next-line no-await-in-loop -- a schema change is rare
        await this.#release([{ term: { table_id: tableId } }], 'schema_change', signal);
    }
  }

  /** A TRUNCATE was applied. Nothing waits or flies. */
  async truncated(tableId: string, fence: Fence, signal: AbortSignal): Promise<void> {
    if (this.keys.known.hasTable(tableId))
      await this.#remove([{ term: { table_id: tableId } }], fence, signal);
  }

  async #followOne(change: ShapeChange, fence: Fence, signal: AbortSignal): Promise<void> {
    const { steady, functions } = this.#options;
    if (change.kind === 'table_dropped')
      await this.#remove([{ term: { table_id: change.table_id } }], fence, signal);
    else if (change.kind === 'schema_dropped')
      await this.#remove([{ term: { schema: change.schema } }], fence, signal);
    else if (change.kind === 'table_altered' && this.keys.known.hasTable(change.table.table_id)) {
      const { fieldOf } = functions;
      await this.keys.known.alone(async () =>
        steady.run(signal, async () => editOlderEntries(this.#parked, change, { fence, fieldOf })),
      );
    }
  }

  async #remove(filters: readonly object[], fence: Fence, signal: AbortSignal): Promise<void> {
    const { store, steady } = this.#options;
    await this.keys.known.alone(async () => {
      const options = { store, parked: this.#parked };
      const gone = await steady.run(signal, async () => removeOlder(options, filters, fence));
      this.#forget(gone, 'resolved');
    });
  }

  async #release(filters: readonly object[], why: string, signal: AbortSignal): Promise<void> {
    const { steady, observer } = this.#options;
    await this.keys.known.alone(async () => {
      const { released, refused } = await steady.run(signal, async () => this.#releaseAll(filters));
      if (released + refused > 0) observer.notice('keys_released', { why, released, refused });
    });
  }

  async #releaseAll(filters: readonly object[]): Promise<{ released: number; refused: number }> {
    const { store } = this.#options;
    const sum = { released: 0, refused: 0 };
    const rebuild = async (entry: ParkedEntry) => this.#rebuilt(entry);
    for await (const ids of this.#parked.ids(filters, PROBES)) {
      const generations = await this.#generations(ids);
      const generationOf = ({ tableId, generation }: ParkedEntry) => generations.get(tableId) ?? generation;
      const options = { store, parked: this.#parked, refresh: true, rebuild, generationOf };
      const done = await releaseEntries(ids, options);
      const gone = done.filter(({ outcome }) => outcome === 'released' || outcome === 'superseded');
      this.#forget(
        gone.map(({ entry }) => entry.entryId),
        'released',
      );
      sum.released += gone.length;
      sum.refused += done.length - gone.length;
      if (done.length > 0 && gone.length === 0) break;
    }
    return sum;
  }

  async #generations(entryIds: readonly string[]): Promise<Map<string, number>> {
    const generations = new Map<string, number>();
    for (const tableId of new Set(entryIds.map(tableIdOfEntry))) {
      // oxlint-disable-next-line no-await-in-loop -- mostly one table
      const table = await this.#options.tables.find(tableId);
      if (table !== null) generations.set(tableId, table.index.generation);
    }
    return generations;
  }

  #forget(entryIds: readonly string[], why: Gone): void {
    for (const entryId of entryIds) this.keys.known.forget(entryId, why);
  }

  /** Another version of the product may make another document of the same record. */
  async #rebuilt(entry: ParkedEntry): Promise<string | null> {
    const { functions, tables, productVersion } = this.#options;
    if (entry.product === productVersion || entry.edited || entry.record === null) return null;
    const table: TableIndex | null = await tables.find(entry.tableId);
    if (table === null || table.dropped) return null;
    const bytes = Buffer.from(entry.record);
    const before = entry.document === null ? undefined : Buffer.from(entry.document);
    const previous = before && { bytes: before, start: 0, end: before.length };
    try {
      this.#reader.read(bytes, 0, bytes.length);
      this.#out.reset();
      functions.document(this.#reader, this.#out, entry.version.toString(), previous);
      return this.#out.view().toString('utf8');
    } catch {
      return null; // as it was made when it was parked
    }
  }
}
