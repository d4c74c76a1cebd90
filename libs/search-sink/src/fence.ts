import type { TableIndex } from './table-index.ts';
import { MAX_VERSIONED_SEQ } from './version.ts';

/** A point in the history of a table: what came before it, and nothing else, is meant. */
export interface Fence {
  readonly version: bigint;
  readonly seq: number;
}

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

/** Within a transaction, all versions above 4,095 changes are equal: the sequence tells them apart. */
function olderInLongTransaction(fence: Fence): object {
  const before = { range: { '_pgstream.version': { lt: String(fence.version) } } };
  const earlier = [
    { term: { '_pgstream.version': String(fence.version) } },
    { range: { '_pgstream.seq': { lt: fence.seq } } },
  ];
  return { bool: { minimum_should_match: 1, should: [before, { bool: { filter: earlier } }] } };
}

function ofTable(table: TableIndex): object {
  const names = [table.tableId, ...table.state.names];
  const should = [{ terms: { '_pgstream.table': names } }, { term: { _table: table.tableId } }];
  return { bool: { minimum_should_match: 1, should } };
}
