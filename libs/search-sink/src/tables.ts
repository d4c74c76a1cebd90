import { PipelineError } from '@pgstream/failure';
import { claimAlias, epochOf, generationOf, isOurs, tableIdOf } from './aliases.ts';
import {
  changeAliases,
  createIndex,
  putMapping,
  readIndices,
  type IndexState,
  type Properties,
  type SearchStore,
} from '@pgstream/search-store';
import type { TableRef } from '@pgstream/wal-event';
import { PGSTREAM_MAPPING } from './document/index.ts';
import type { BoundFunctions } from './functions.ts';

import type { SearchObserver } from './observer.ts';
import {
  ensureSystemIndex,
  findTableStates,
  readTableState,
  writeTableState,
  type SystemNames,
} from './system-indices.ts';
import { fieldTypeOf, PhysicalIndex, TableIndex, type KnownColumn, type TableState } from './table-index.ts';

type TableNames = Pick<TableRef, 'schema' | 'table' | 'tableId'>;

interface MadeIndex {
  readonly alias: string;
  readonly index: string;
  readonly generation: number;
  /** Made just now, with the columns' mapping. */
  readonly fresh: boolean;
}

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
  readonly #options: TablesOptions;
  readonly #byRef = new Map<TableRef, TableIndex>();
  readonly #byId = new Map<string, TableIndex>();
  readonly #indices = new Map<string, PhysicalIndex>();
  #systemReady = false;
  /** Of the batch at hand. */
  epoch = 1;

  constructor(options: TablesOptions) {
    this.#options = options;
  }

  /** A table met before under these names; `undefined` sends the caller to {@link open}. Hot path. */
  known(ref: TableRef): TableIndex | undefined {
    return this.#byRef.get(ref);
  }

  all(): Iterable<TableIndex> {
    return this.#byId.values();
  }

  /** Every index that has been written to. */
  indices(): Iterable<PhysicalIndex> {
    return this.#indices.values();
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

  /** Fields that the columns need and the index lacks, and fields that it has with another type. */
  compare(
    index: PhysicalIndex,
    columns: readonly KnownColumn[],
  ): { missing: Record<string, unknown>; clashing: string[] } {
    const wanted: Properties = this.#options.functions.mapping(columns);
    const missing: Record<string, unknown> = {};
    const clashing: string[] = [];
    for (const [field, mapping] of Object.entries(wanted)) {
      const { [field]: present } = index.properties;
      if (present === undefined) missing[field] = mapping;
      else if (fieldTypeOf(present) !== fieldTypeOf(mapping)) clashing.push(field);
    }
    return { missing, clashing };
  }

  async putFields(index: PhysicalIndex, missing: Record<string, unknown>): Promise<void> {
    if (Object.keys(missing).length === 0) return;
    await putMapping(this.#options.store, index.writeAlias, { properties: missing });
    index.properties = { ...index.properties, ...missing };
  }

  /** Creates the physical index of a generation, empty, with the mapping of `columns`, behind `aliases`. */
  async createPhysical(
    ref: TableNames,
    generation: number,
    columns: readonly KnownColumn[],
    aliases: readonly string[],
  ): Promise<boolean> {
    const { store, functions, indexSettings, observer } = this.#options;
    const name = functions.naming.physical(ref, generation);
    const created = await createIndex(store, name, {
      settings: settingsOf(indexSettings),
      mappings: {
        dynamic: false,
        _meta: {
          pgstream: { table_id: functions.naming.shared ? '' : ref.tableId, generation, epoch: this.epoch },
        },
        properties: {
          ...functions.mapping(columns),
          _pgstream: PGSTREAM_MAPPING,
          _table: { type: 'keyword' },
        },
      },
      aliases,
    });
    if (created) observer.notice('index_created', { index: name });
    return created;
  }

  writeAliasOf(ref: TableNames): string {
    const { functions, names } = this.#options;
    return functions.naming.shared
      ? functions.naming.alias(ref)
      : `${names.history}-${ref.tableId.toLowerCase()}`;
  }

  async claimAlias(ref: TableNames, physical: string, version: bigint): Promise<string> {
    const { store, functions, names } = this.#options;
    return claimAlias({ store, names, naming: functions.naming }, ref, {
      physical,
      epoch: this.epoch,
      version,
    });
  }

  async readPhysical(name: string): Promise<IndexState | null> {
    const [state] = await readIndices(this.#options.store, name);
    return state ?? null;
  }

  async #create(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<TableIndex> {
    await this.prepare();
    const { functions, store, names } = this.#options;
    const { shared } = functions.naming;
    const made = shared ? await this.#openShared(ref, columns) : await this.#makeOwn(ref, columns, version);
    const state: TableState = {
      table_id: ref.tableId,
      schema: ref.schema,
      table: ref.table,
      names: [`${ref.schema}.${ref.table}`],
      alias: made.alias,
      index: made.index,
      generation: made.generation,
      version: String(version),
      epoch: this.epoch,
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

  async #makeOwn(ref: TableRef, columns: readonly KnownColumn[], version: bigint): Promise<MadeIndex> {
    const { naming } = this.#options.functions;
    const index = naming.physical(ref, 1);
    const aliases = [this.writeAliasOf(ref)];
    const fresh = await this.createPhysical(ref, 1, columns, aliases);
    if (!fresh) await this.#adopt(index, ref, aliases);
    const alias = await this.claimAlias(ref, index, version);
    return { alias, index, generation: 1, fresh };
  }

  async #openShared(ref: TableRef, columns: readonly KnownColumn[]): Promise<MadeIndex> {
    const { naming } = this.#options.functions;
    const alias = naming.alias(ref);
    const present = await this.#sharedIndex(alias);
    if (present !== null) return { alias, index: present.name, generation: present.generation, fresh: false };
    const index = naming.physical(ref, 1);
    const fresh = await this.createPhysical(ref, 1, columns, [alias]);
    if (!fresh) await this.#adopt(index, ref, [alias]);
    return { alias, index, generation: 1, fresh };
  }

  /** An index that other tables made already; its generation is in its mapping. */
  async #sharedIndex(alias: string): Promise<{ name: string; generation: number } | null> {
    const [holder] = await readIndices(this.#options.store, alias);
    if (holder === undefined) return null;
    if (holder.name === alias || !isOurs(holder)) {
      throw new PipelineError('SEARCH_INDEX_FOREIGN', { detail: `${alias} is ${holder.name}.` });
    }
    // Its rows would have higher versions than those that come now, which would be taken for old ones.
    if (epochOf(holder) < this.epoch) {
      throw new PipelineError('SEARCH_INDEX_OF_EARLIER_EPOCH', {
        detail: `${holder.name} is of epoch ${epochOf(holder)}, the records are of epoch ${this.epoch}.`,
        facts: { index: holder.name },
      });
    }
    return { name: holder.name, generation: generationOf(holder) };
  }

  /** The index exists and no state names it: ours from a start that was cut short, or somebody else's. */
  async #adopt(physical: string, ref: TableRef, aliases: readonly string[]): Promise<void> {
    const found = await this.readPhysical(physical);
    if (
      found === null ||
      !isOurs(found) ||
      (!this.#options.functions.naming.shared && tableIdOf(found) !== ref.tableId)
    ) {
      throw new PipelineError('SEARCH_INDEX_FOREIGN', { detail: `It is ${physical}.` });
    }
    // Somebody may have made it with other settings: deletes must be remembered as long as late writers live.
    const { 'index.gc_deletes': gcDeletes } = settingsOf(this.#options.indexSettings);
    await this.#options.store.request('PUT', `/${encodeURIComponent(physical)}/_settings`, {
      body: { 'index.gc_deletes': gcDeletes },
    });
    await changeAliases(
      this.#options.store,
      aliases.map((alias) => ({ add: { index: physical, alias } })),
    );
  }

  async #attach(state: TableState): Promise<TableIndex> {
    const index = await this.#physicalOf(state);
    const table = new TableIndex(state, index);
    this.#byId.set(state.table_id, table);
    this.#shape(table);
    this.countStale();
    return table;
  }

  async #physicalOf(state: TableState): Promise<PhysicalIndex> {
    const ref = { schema: state.schema, table: state.table, tableId: state.table_id };
    const writeAlias = this.#options.functions.naming.shared ? state.alias : this.writeAliasOf(ref);
    const known = this.#indices.get(writeAlias);
    if (known !== undefined) return known;
    const found = state.dropped ? null : await this.readPhysical(writeAlias);
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

/** Ours under the user's, with full names: the server takes both forms, and must not be given one setting twice. */
function settingsOf(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const settings: Record<string, unknown> = {
    // How long deletes are remembered, so that a late writer cannot bring a row back.
    'index.gc_deletes': '1h',
    'index.mapping.total_fields.limit': 5000,
  };
  for (const [name, value] of Object.entries(given)) {
    settings[name.startsWith('index.') ? name : `index.${name}`] = value;
  }
  return settings;
}
