import { PipelineError } from '@pgstream/failure';
import {
  changeAliases,
  readIndices,
  type AliasAction,
  type IndexState,
  type SearchStore,
} from '@pgstream/search-store';
import type { TableRef } from '@pgstream/wal-event';
import { hashOf, type IndexNaming } from './naming.ts';
import { readTableState, type SystemNames } from './system-indices.ts';
import type { TableState } from './table-index.ts';

type TableNames = Pick<TableRef, 'schema' | 'table' | 'tableId'>;

interface Context {
  readonly store: SearchStore;
  readonly names: SystemNames;
  readonly naming: IndexNaming;
}

interface Holder {
  readonly name: string;
  readonly state: TableState | null;
}

/**
 * Points the alias that searches use at a table's index, away from the index of an older table of that name.
 * @returns the alias; with a hash where a table whose name differs in case alone has the plain one
 * @throws {PipelineError} SEARCH_INDEX_FOREIGN where the alias belongs to something that pgstream did not make.
 */
export async function claimAlias(
  context: Context,
  ref: TableNames,
  claim: { readonly physical: string; readonly epoch: number; readonly version: bigint },
): Promise<string> {
  const { physical } = claim;
  let alias = context.naming.alias(ref);
  let holders = await holdersOf(context, alias, physical);
  if (holders.some(({ state }) => isOtherLive(state, alias, ref))) {
    alias = `${alias}~${hashOf(`${ref.schema}.${ref.table}`)}`;
    holders = await holdersOf(context, alias, physical);
  }
  if (holders.some(({ state }) => isNewerLive(state, alias, claim))) return alias;
  const actions: AliasAction[] = holders.map(({ name }) => ({ remove: { index: name, alias } }));
  await changeAliases(context.store, [...actions, { add: { index: physical, alias } }]);
  return alias;
}

/** Indices other than ours that an alias stands for, with the state of their tables. */
async function holdersOf({ store, names }: Context, alias: string, physical: string): Promise<Holder[]> {
  const indices = await readIndices(store, alias);
  const others = indices.filter(({ name }) => name !== physical);
  for (const index of others) {
    if (index.name === alias || !isOurs(index)) {
      throw new PipelineError('SEARCH_INDEX_FOREIGN', { detail: `${alias} is ${index.name}.` });
    }
  }
  return Promise.all(
    others.map(async (index) => {
      const id = tableIdOf(index);
      return { name: index.name, state: id === '' ? null : await readTableState(store, names, id) };
    }),
  );
}

function isOtherLive(state: TableState | null, alias: string, ref: TableNames): boolean {
  if (state === null || state.dropped || state.alias !== alias) return false;
  return state.schema !== ref.schema || state.table !== ref.table;
}

/** After a restore, or on another cluster, positions start over: a newer epoch is newer whatever its versions are. */
function isNewerLive(
  state: TableState | null,
  alias: string,
  { epoch, version }: { readonly epoch: number; readonly version: bigint },
): boolean {
  if (state === null || state.dropped || state.alias !== alias) return false;
  return state.epoch === epoch ? BigInt(state.version) > version : state.epoch > epoch;
}

export function isOurs(index: IndexState): boolean {
  return metaOf(index) !== undefined;
}

function metaOf(index: IndexState): Record<string, unknown> | undefined {
  const { pgstream } = index.meta;
  return typeof pgstream === 'object' && pgstream !== null ? { ...pgstream } : undefined;
}

export function tableIdOf(index: IndexState): string {
  const id = metaOf(index)?.['table_id'];
  return typeof id === 'string' ? id : '';
}

export function generationOf(index: IndexState): number {
  const generation = metaOf(index)?.['generation'];
  return typeof generation === 'number' ? generation : 1;
}

/** Of the source whose rows the index was made for. */
export function epochOf(index: IndexState): number {
  const epoch = metaOf(index)?.['epoch'];
  return typeof epoch === 'number' ? epoch : 1;
}
