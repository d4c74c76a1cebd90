import { byQuery, changeAliases, readIndices, type SearchStore } from '@pgstream/search-store';
import { PipelineError } from '@pgstream/failure';
import { BY_QUERY_TIMEOUT_MS } from './fence.ts';
import type { BoundFunctions } from './functions.ts';
import type { SearchObserver } from './observer.ts';
import type { KnownColumn, TableIndex } from './table-index.ts';
import type { Tables } from './tables.ts';

export interface GenerationsOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly observer: SearchObserver;
  readonly tables: Tables;
}

/**
 * A field cannot change its type: a table whose column did gets a new physical index, and what the old one had is
 * copied. New rows go to the new index before the copy, which never overwrites anything newer.
 */
export class Generations {
  readonly #options: GenerationsOptions;

  constructor(options: GenerationsOptions) {
    this.#options = options;
  }

  async next(
    table: TableIndex,
    change: { columns: readonly KnownColumn[]; clashing: readonly string[]; version: bigint },
  ): Promise<void> {
    const { functions, tables, observer } = this.#options;
    const { state, index } = table;
    const { clashing, columns, version } = change;
    if (functions.naming.shared) {
      throw new PipelineError('SEARCH_MAPPING_CLASH', {
        detail: `${index.writeAlias}: ${clashing.join(', ')} of ${state.schema}.${state.table} has another type.`,
        facts: { index: index.writeAlias, table: `${state.schema}.${state.table}` },
      });
    }
    const ref = { schema: state.schema, table: state.table, tableId: state.table_id };
    const generation = state.generation + 1;
    const from = index.name;
    await tables.createPhysical(ref, generation, columns, []);
    const name = functions.naming.physical(ref, generation);
    await tables.save(
      table,
      { columns, index: name, generation, copying_from: from, retyped_fields: clashing },
      version,
    );
    observer.notice('index_generation', { from, to: name, fields: clashing.join(',') });
    await this.finish(table);
  }

  /** Ends a change of generation, also one that another process began. */
  async finish(table: TableIndex): Promise<void> {
    const { store, tables } = this.#options;
    const { copying_from: from, index: to, alias, retyped_fields: retyped } = table.state;
    if (from === null || table.dropped) return;
    const { writeAlias } = table.index;
    const [present] = await readIndices(store, from);
    if (present !== undefined) {
      await changeAliases(store, [
        ...(present.aliases.includes(writeAlias) ? [{ remove: { index: from, alias: writeAlias } }] : []),
        { add: { index: to, alias: writeAlias } },
      ]);
      await this.#copy(from, to, retyped);
      await changeAliases(store, [{ add: { index: to, alias } }, { remove_index: { index: from } }]);
    }
    table.index.name = to;
    table.index.generation = table.state.generation;
    table.index.properties = (await tables.readPhysical(to))?.properties ?? {};
    await tables.save(table, { copying_from: null, retyped_fields: [] }, table.version);
  }

  /** Versions are kept; what is newer in the new index stays. Old values of the fields in question become text or unknown. */
  async #copy(from: string, to: string, retyped: readonly string[]): Promise<void> {
    const { store, functions } = this.#options;
    await store.request('POST', `/${encodeURIComponent(from)}/_refresh`);
    await byQuery(
      store,
      {
        path: '/_reindex',
        feature: 'ALTER COLUMN TYPE (modules reindex and lang-painless)',
        body: {
          conflicts: 'proceed',
          source: { index: from },
          dest: { index: to, version_type: 'external' },
          script: {
            lang: 'painless',
            source: RETYPE,
            params: { fields: retyped, incomplete: functions.layoutIsTable },
          },
        },
        refresh: true,
      },
      { timeoutMs: BY_QUERY_TIMEOUT_MS },
    );
  }
}

/** The old values are of the old type and may not fit: they are unknown until the row is written again. */
const RETYPE = `
for (String f : params.fields) {
  if (ctx._source.containsKey(f)) {
    ctx._source.remove(f);
    def p = ctx._source._pgstream;
    if (p != null) {
      def names = p.incomplete instanceof List ? p.incomplete : new ArrayList();
      if (!names.contains(f)) names.add(f);
      p.incomplete = names;
    }
  }
}`;
