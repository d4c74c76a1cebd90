import { byQuery, refreshIndices, type SearchStore } from '@pgstream/search-store';
import type { TableIndex } from './table-index.ts';
import { MAX_VERSIONED_SEQ } from './version.ts';

/** A point in the history of a table: what came before it, and nothing else, is meant. */
export interface Fence {
  readonly version: bigint;
  readonly seq: number;
}

const MAX_ROUNDS = 50;

/** Matches the documents of a table that are older than the fence. */
export function olderThan(table: TableIndex, fence: Fence, shared: boolean): object {
  const filter: object[] = [
    fence.seq < MAX_VERSIONED_SEQ
      ? { range: { '_pgstream.version': { lt: String(fence.version) } } }
      : olderInLongTransaction(fence),
  ];
  if (shared) filter.push(ofTable(table));
  return { bool: { filter } };
}

/** Deletes the documents of a table that are older than the fence, until none is left. Nothing may be in flight. */
export async function deleteOlder(
  store: SearchStore,
  table: TableIndex,
  fence: Fence,
  options: { readonly shared: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { signal, shared } = options;
  const { writeAlias } = table.index;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- until nothing older is left
    await refreshIndices(store, [writeAlias], { signal });
    // oxlint-disable-next-line no-await-in-loop -- until nothing older is left
    const { total } = await byQuery(
      store,
      {
        path: `/${encodeURIComponent(writeAlias)}/_delete_by_query`,
        feature: 'TRUNCATE, and DROP TABLE in a shared index (module reindex)',
        body: { query: olderThan(table, fence, shared) },
        refresh: true,
      },
      { signal, timeoutMs: BY_QUERY_TIMEOUT_MS },
    );
    if (total === 0) return;
  }
}

/** Requests by query run as long as the index is large. */
export const BY_QUERY_TIMEOUT_MS = 6 * 3_600_000;

/** Within a transaction, all versions above 4,095 changes are equal: the sequence tells them apart. */
function olderInLongTransaction(fence: Fence): object {
  return {
    bool: {
      minimum_should_match: 1,
      should: [
        { range: { '_pgstream.version': { lt: String(fence.version) } } },
        {
          bool: {
            filter: [
              { term: { '_pgstream.version': String(fence.version) } },
              { range: { '_pgstream.seq': { lt: fence.seq } } },
            ],
          },
        },
      ],
    },
  };
}

function ofTable(table: TableIndex): object {
  const names = [table.tableId, ...table.state.names];
  return {
    bool: {
      minimum_should_match: 1,
      should: [{ terms: { '_pgstream.table': names } }, { term: { _table: table.tableId } }],
    },
  };
}
