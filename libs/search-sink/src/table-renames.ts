import { changeAliases, readIndices, type SearchStore } from '@pgstream/search-store';
import type { TableRef } from '@pgstream/wal-event';
import type { BoundFunctions } from './functions.ts';
import type { TableIndex } from './table-index.ts';
import type { Tables } from './tables.ts';

export interface TableRenamesOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly handleDdl: boolean;
  readonly tables: Tables;
}

interface TableName {
  readonly schema: string;
  readonly name: string;
}

/** Makes the aliases that searches use follow the names of tables. */
export class TableRenames {
  readonly #options: TableRenamesOptions;

  constructor(options: TableRenamesOptions) {
    this.#options = options;
  }

  /** Points the alias at the table's new name. A record that comes again may tell of a name of before. */
  async rename(table: TableIndex, to: TableName, version: bigint): Promise<void> {
    const { state } = table;
    if (version < table.version) return;
    if (state.schema === to.schema && state.table === to.name) return;
    const name = `${to.schema}.${to.name}`;
    const moved = this.#options.handleDdl
      ? await this.#moveAlias(table, to, version)
      : { alias: state.alias, stale: [] };
    await this.#options.tables.save(
      table,
      {
        schema: to.schema,
        table: to.name,
        alias: moved.alias,
        names: [...state.names.filter((old) => old !== name), name],
        stale: [...new Set([...state.stale, ...moved.stale])],
      },
      version,
    );
  }

  async #moveAlias(
    table: TableIndex,
    to: TableName,
    version: bigint,
  ): Promise<{ alias: string; stale: string[] }> {
    const { state, index } = table;
    const ref = refOf(table.tableId, to.schema, to.name);
    const { naming } = this.#options.functions;
    if (naming.shared) return { alias: state.alias, stale: await this.#shareAlias(table, naming.alias(ref)) };
    const alias = await this.#options.tables.physical.claimAlias(ref, index.name, version);
    if (alias !== state.alias) await this.#dropAlias(state.alias, index.name);
    return { alias, stale: [] };
  }

  /** In a shared index the documents stay where they are; why they may not be found as the table is now. */
  async #shareAlias(table: TableIndex, alias: string): Promise<string[]> {
    const { functions, store } = this.#options;
    // Ids in a pinned index begin with the table's name: those of before stay under the old one.
    if (alias === table.state.alias) return functions.layoutIsTable ? ['renamed'] : [];
    const [holder] = await readIndices(store, alias);
    if (holder === undefined) await changeAliases(store, [{ add: { index: table.index.name, alias } }]);
    return holder === undefined || holder.name === table.index.name ? [] : ['moved'];
  }

  async #dropAlias(alias: string, physical: string): Promise<void> {
    const state = await this.#options.tables.physical.read(physical);
    if (state?.aliases.includes(alias) !== true) return;
    await changeAliases(this.#options.store, [{ remove: { index: physical, alias } }]);
  }
}

/** A table as a schema record names it, which tells nothing of its key. */
export function refOf(tableId: string, schema: string, table: string): TableRef {
  return { tableId, schema, table, keyColumnIds: [] };
}
