import type { SearchStore } from '@pgstream/search-store';
import type { TableRef } from '@pgstream/wal-event';
import { generationOf } from './aliases.ts';
import type { BoundFunctions } from './functions.ts';
import type { SearchObserver } from './observer.ts';
import { PhysicalIndices } from './physical-indices.ts';
import {
  ensureSystemIndex,
  findTableStates,
  readTableState,
  writeTableState,
  type SystemNames,
} from './system-indices.ts';
import { PhysicalIndex, TableIndex, type KnownColumn, type TableState } from './table-index.ts';

/** Aliases of names that were met long ago are looked up again. */
const MAX_REFS = 100_000;

export interface TablesOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly observer: SearchObserver;
  readonly names: SystemNames;
  /** Sent when an index is created: number_of_shards, number_of_replicas, … */
  readonly indexSettings: Readonly<Record<string, unknown>>;
  readonly handleDdl: boolean;
}

/** The tables that the sink has met: their indices, mappings and what is known of their shape. */
export class Tables {
  /** Makes and maps the indices behind the tables. */
  readonly physical: PhysicalIndices;
  readonly #options: TablesOptions;
  readonly #byRef = new Map<TableRef, TableIndex>();
  readonly #byId = new Map<string, TableIndex>();
  readonly #indices = new Map<string, PhysicalIndex>();
  #systemReady = false;

  constructor(options: TablesOptions) {
    this.#options = options;
    this.physical = new PhysicalIndices(options);
  }

  /** Of the batch at hand. */
  set epoch(epoch: number) {
    this.physical.epoch = epoch;
  }

  /** A table met before under these names; `undefined` sends the caller to {@link open}. Hot path. */
  known(ref: TableRef): TableIndex | undefined {
    return this.#byRef.get(ref);
  }

  async prepare(): Promise<void> {
    if (this.#systemReady) return;
    const { store, names, indexSettings } = this.#options;
    await ensureSystemIndex(store, 'tables', names, indexSettings);
    await ensureSystemIndex(store, 'history', names, indexSettings);
    this.#systemReady = true;
  }

  /** A table by id if the store or the sink knows it. */
  async find(tableId: string): Promise<TableIndex | null> {
    const known = this.#byId.get(tableId);
    if (known !== undefined) return known;
    await this.prepare();
    const state = await readTableState(this.#options.store, this.#options.names, tableId);
    return state === null ? null : this.#attach(state);
  }

  async ofSchema(schema: string): Promise<TableIndex[]> {
    await this.prepare();
    const states = await findTableStates(this.#options.store, this.#options.names, schema);
    const tables: TableIndex[] = [];
    // oxlint-disable-next-line no-await-in-loop -- a schema change is rare
    for (const state of states) tables.push(this.#byId.get(state.table_id) ?? (await this.#attach(state)));
    return tables.filter((table) => table.state.schema === schema);
  }

  /** The table of a row or schema record, created where it is new. Puts the mapping of `columns` if they are newer. */
  async open(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<TableIndex> {
    const found = this.#byId.get(ref.tableId) ?? (await this.find(ref.tableId));
    const table = found ?? (await this.#create(ref, columns, version));
    if (this.#byRef.size >= MAX_REFS) this.#byRef.clear();
    this.#byRef.set(ref, table);
    return table;
  }

  /** Forgets what is cached of a table, so that the next row reads its state again. */
  forget(table: TableIndex): void {
    this.#byId.delete(table.tableId);
    for (const [ref, cached] of this.#byRef) if (cached === table) this.#byRef.delete(ref);
  }

  /**
   * Persists a change of state. Where another writer has stored a newer one, that one counts and is read instead.
   */
  async save(table: TableIndex, change: Partial<TableState>, version: bigint): Promise<void> {
    const next: TableState = {
      ...table.state,
      ...change,
      version: String(version > table.version ? version : table.version),
    };
    const stored = await writeTableState(this.#options.store, this.#options.names, next);
    const state = stored
      ? next
      : ((await readTableState(this.#options.store, this.#options.names, table.tableId)) ?? next);
    table.state = state;
    table.version = BigInt(state.version);
    this.#shape(table);
    this.countStale();
  }

  /** Stores the state of a table once more whose document was removed by hand, and the index of states with it. */
  async restore(table: TableIndex): Promise<TableIndex> {
    const { store, names, observer } = this.#options;
    this.#systemReady = false;
    await this.prepare();
    const { state } = table;
    // The version of the removal is remembered for a while: it is one above that of the document.
    const later = { ...state, version: String(table.version + 1n) };
    const restored = (await writeTableState(store, names, state)) ? state : later;
    if (restored === later) await writeTableState(store, names, later);
    observer.notice('table_state_missing', { schema: state.schema, table: state.table });
    return this.#attach(restored);
  }

  countStale(): void {
    let stale = 0;
    for (const { state } of this.#byId.values()) if (state.stale.length > 0 && !state.dropped) stale += 1;
    this.#options.observer.staleTables(stale);
  }

  async #create(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<TableIndex> {
    await this.prepare();
    const { store, names } = this.#options;
    const made = await this.physical.open(ref, columns, version);
    const state: TableState = {
      table_id: ref.tableId,
      schema: ref.schema,
      table: ref.table,
      names: [`${ref.schema}.${ref.table}`],
      alias: made.alias,
      index: made.index,
      generation: made.generation,
      version: String(version),
      epoch: this.physical.epoch,
      // In an index that was there before, the columns are compared with what it has, and mapped, next.
      columns: made.fresh ? columns : [],
      stale: [],
      dropped: false,
      copying_from: null,
      retyped_fields: [],
    };
    const stored = await writeTableState(store, names, state);
    const current = stored ? state : await readTableState(store, names, ref.tableId);
    return this.#attach(current ?? state);
  }

  async #attach(state: TableState): Promise<TableIndex> {
    const index = await this.#physicalOf(state);
    // Two lanes may have read the same table: what one of them saves since must not be hidden behind an older copy.
    const known = this.#byId.get(state.table_id);
    if (known !== undefined && known.version >= BigInt(state.version)) return known;
    const table = new TableIndex(state, index);
    this.#byId.set(state.table_id, table);
    this.#shape(table);
    this.countStale();
    return table;
  }

  async #physicalOf(state: TableState): Promise<PhysicalIndex> {
    const ref = { schema: state.schema, table: state.table, tableId: state.table_id };
    const writeAlias = this.#options.functions.naming.shared ? state.alias : this.physical.writeAliasOf(ref);
    const known = this.#indices.get(writeAlias);
    if (known !== undefined) return known;
    const found = state.dropped ? null : await this.physical.read(writeAlias);
    const index = new PhysicalIndex({
      writeAlias,
      name: found?.name ?? state.index,
      generation: found === null ? state.generation : generationOf(found),
      properties: found?.properties ?? {},
    });
    index.refreshDisabled = found?.refreshInterval === '-1';
    this.#indices.set(writeAlias, index);
    return index;
  }

  #shape(table: TableIndex): void {
    const { builder } = this.#options.functions;
    if (table.dropped) builder.forgetShape(table.tableId);
    else builder.setShape(table.tableId, table.state.columns);
  }
}
