import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import {
  codeOfProblem,
  refreshIndices,
  scanDocuments,
  type ScannedDocument,
  type SearchStore,
} from '@pgstream/search-store';
import { olderThan, type Fence } from './fence.ts';
import type { TableIndex } from './table-index.ts';

/** The lines of a bulk for one document; `null` leaves it as it is. */
type Change = (document: ScannedDocument) => string | null;

/**
 * Changes many documents by hand instead of by `_delete_by_query` and `_update_by_query`: those raise the version of a
 * document by one, and the next row of a long transaction, whose changes share a version, would then be refused as
 * old. Here every document keeps its version, a delete has that of the record that asked for it, and numbers keep
 * their digits. It also needs no module of the server. Safe to repeat, and never overwrites anything newer.
 * @returns how many documents were found
 */
async function changeAll(
  store: SearchStore,
  request: {
    readonly index: string;
    readonly query: object;
    readonly sources: boolean;
    readonly change: Change;
  },
  signal: AbortSignal,
): Promise<number> {
  const { index, query, sources, change } = request;
  let found = 0;
  for await (const page of scanDocuments(store, { index, query, sources, signal })) {
    found += page.length;
    const lines = page.map(change).filter((line) => line !== null);
    if (lines.length > 0) await send(store, lines, signal);
  }
  return found;
}

async function send(store: SearchStore, lines: readonly string[], signal: AbortSignal): Promise<void> {
  const { failures } = await store.bulk(Buffer.from(lines.join('')), lines.length, {
    signal,
    requireAlias: false,
  });
  for (const failure of failures) {
    if (failure.status === 409) continue;
    throw new PipelineError(codeOfProblem(failure), {
      detail: `${failure.status} ${failure.type}: ${failure.reason}`,
    });
  }
}

const MAX_ROUNDS = 50;

/**
 * Deletes the documents of a table that are older than the fence, until none is left. Nothing may be in flight.
 * @throws {PipelineError} SEARCH_DELETE_INCOMPLETE, to be tried again, where documents stay whatever is done.
 */
export async function deleteOlder(
  store: SearchStore,
  table: TableIndex,
  fence: Fence,
  options: { readonly shared: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { signal, shared } = options;
  const { name: index } = table.index;
  const change: Change = ({ id }) => actionLine('delete', index, id, String(fence.version));
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- until nothing older is left
    await refreshIndices(store, [index], { signal });
    const query = olderThan(table, fence, shared);
    // oxlint-disable-next-line no-await-in-loop -- until nothing older is left
    if ((await changeAll(store, { index, query, sources: false, change }, signal)) === 0) return;
  }
  throw new PipelineError('SEARCH_DELETE_INCOMPLETE', {
    detail: `${index}: documents of ${table.state.schema}.${table.state.table} are left after ${MAX_ROUNDS} rounds.`,
  });
}

/** Rewrites the sources of documents; `edit` answers `null` where a document is as it should be. */
export async function editOlder(
  store: SearchStore,
  table: TableIndex,
  edit: (source: string) => string | null,
  options: { readonly fence: Fence; readonly shared: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const { name: index } = table.index;
  await refreshIndices(store, [index], { signal: options.signal });
  const change: Change = ({ id, version, source }) => {
    const edited = edit(source);
    return edited === null ? null : `${actionLine('index', index, id, version)}${edited}\n`;
  };
  const query = olderThan(table, options.fence, options.shared);
  await changeAll(store, { index, query, sources: true, change }, options.signal);
  await refreshIndices(store, [index], { signal: options.signal });
}

/** Copies all documents into another index, with their versions. What is newer there stays. */
export async function copyAll(
  store: SearchStore,
  copy: { readonly from: string; readonly to: string; readonly edit: (source: string) => string },
  signal: AbortSignal,
): Promise<void> {
  const { from, to, edit } = copy;
  await refreshIndices(store, [from], { signal });
  const change: Change = ({ id, version, source }) =>
    `${actionLine('index', to, id, version)}${edit(source)}\n`;
  await changeAll(store, { index: from, query: { match_all: {} }, sources: true, change }, signal);
  await refreshIndices(store, [to], { signal });
}

function actionLine(action: 'index' | 'delete', index: string, id: string, version: string): string {
  const name = JSON.stringify(index);
  return `{"${action}":{"_index":${name},"_id":${JSON.stringify(id)},"version":${version},"version_type":"external_gte"}}\n`;
}
