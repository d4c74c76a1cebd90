import { changeAliases, membersOf, readIndices, type SearchStore } from '@pgstream/search-store';
import { failpoint, PipelineError } from '@pgstream/failure';
import type { BoundFunctions } from './functions.ts';
import { copyAll } from './mass-change.ts';
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
    signal: AbortSignal,
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
    await tables.physical.create(ref, generation, columns, []);
    failpoint?.('search.generation-created');
    const name = functions.naming.physical(ref, generation);
    await tables.save(
      table,
      { columns, index: name, generation, copying_from: from, retyped_fields: clashing },
      version,
    );
    failpoint?.('search.generation-saved');
    observer.notice('index_generation', { from, to: name, fields: clashing.join(',') });
    await this.finish(table, signal);
  }

  /** Ends a change of generation, also one that another process began. */
  async finish(table: TableIndex, signal: AbortSignal): Promise<void> {
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
      await copyAll(store, { from, to, edit: (source) => forgetFields(source, retyped) }, signal);
      failpoint?.('search.generation-copied');
      await changeAliases(store, [{ add: { index: to, alias } }, { remove_index: { index: from } }]);
    }
    failpoint?.('search.generation-swapped');
    table.index.name = to;
    table.index.generation = table.state.generation;
    table.index.properties = (await tables.physical.read(to))?.properties ?? {};
    await tables.save(table, { copying_from: null, retyped_fields: [] }, table.version);
  }
}

/** The old values are of the old type and may not fit: they are unknown until the row is written again. */
export function forgetFields(source: string, fields: readonly string[]): string {
  const members = membersOf(source);
  const lost = members.filter(({ name }) => fields.includes(name)).map(({ name }) => name);
  if (lost.length === 0) return source;
  const kept = members
    .filter(({ name }) => !lost.includes(name))
    .map(({ name, start, end }) => {
      const value = source.slice(start, end);
      return `${JSON.stringify(name)}:${name === '_pgstream' ? withIncomplete(value, lost) : value}`;
    });
  return `{${kept.join(',')}}`;
}

/** Adds to `_pgstream.incomplete`; the version keeps its digits. */
function withIncomplete(pgstream: string, fields: readonly string[]): string {
  const members = membersOf(pgstream);
  const known = members.find(({ name }) => name === 'incomplete');
  const before: unknown = known === undefined ? [] : JSON.parse(pgstream.slice(known.start, known.end));
  const names = new Set([...(Array.isArray(before) ? before.map(String) : []), ...fields]);
  const kept = members
    .filter(({ name }) => name !== 'incomplete')
    .map(({ name, start, end }) => `${JSON.stringify(name)}:${pgstream.slice(start, end)}`);
  return `{${[...kept, `"incomplete":${JSON.stringify([...names])}`].join(',')}}`;
}
