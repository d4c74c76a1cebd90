import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import { codeOfProblem, type BulkFailure, type SearchStore } from '@pgstream/search-store';

/** One change of one entry. */
export interface EntryWrite {
  readonly entryId: string;
  /** The lines of the bulk; `isSlim` leaves out what may be too large for the store. */
  readonly lines: (isSlim: boolean) => string;
}

/** Below the smallest `http.max_content_length` that managed clusters have. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/**
 * Writes entries, each if it is as expected. What is too large for the store is kept without its values.
 * @returns the entries that were not as expected
 */
export async function writeEntries(
  store: SearchStore,
  index: string,
  writes: readonly EntryWrite[],
): Promise<Set<string>> {
  const conflicted = new Set<string>();
  let group: Array<{ write: EntryWrite; text: string }> = [];
  let bytes = 0;
  for (const write of writes) {
    const text = write.lines(false);
    const size = Buffer.byteLength(text);
    if (group.length > 0 && bytes + size > MAX_REQUEST_BYTES) {
      // oxlint-disable-next-line no-await-in-loop -- requests of a bounded size, one after the other
      await send(store, index, group, conflicted);
      group = [];
      bytes = 0;
    }
    group.push({ write, text });
    bytes += size;
  }
  if (group.length > 0) await send(store, index, group, conflicted);
  return conflicted;
}

async function send(
  store: SearchStore,
  index: string,
  group: ReadonlyArray<{ write: EntryWrite; text: string }>,
  conflicted: Set<string>,
): Promise<void> {
  let failures: readonly BulkFailure[];
  try {
    ({ failures } = await post(store, group));
  } catch (cause) {
    if (!(cause instanceof PipelineError) || cause.code !== 'SEARCH_BULK_TOO_LARGE') throw cause;
    const slim = group.map(({ write }) => ({ write, text: write.lines(true) }));
    ({ failures } = await post(store, slim));
  }
  for (const failure of failures) {
    const entryId = group[failure.item]?.write.entryId ?? '';
    if (failure.status === 409 || failure.type === 'document_missing_exception') conflicted.add(entryId);
    else {
      throw new PipelineError(codeOfProblem(failure), {
        detail: `${index}: ${failure.status} ${failure.type}: ${failure.reason}`,
        facts: { index },
      });
    }
  }
}

async function post(
  store: SearchStore,
  group: ReadonlyArray<{ text: string }>,
): Promise<{ failures: readonly BulkFailure[] }> {
  const body = Buffer.from(group.map(({ text }) => text).join(''));
  return store.bulk(body, group.length, { requireAlias: false });
}
