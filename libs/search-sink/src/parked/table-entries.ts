import { Buffer } from 'node:buffer';
import type { SearchStore } from '@pgstream/search-store';
import type { SchemaChange, ShapeChange } from '@pgstream/wal-event';
import type { Fence } from '../fence.ts';
import { forgetFields } from '../generations.ts';
import { editFields, editsOf, isEditedSince, stamped } from '../row-rewrite.ts';
import type { ParkedEntry, StoredEntry } from './parked-entry.ts';
import type { ParkedStore } from './parked-store.ts';

type Altered = Extract<ShapeChange, { kind: 'table_altered' }>;
type FieldOf = (column: { readonly id: string; readonly name: string }) => string;

const PAGE = 50;
/** Entries that others keep changing are read again, so many times. */
const MAX_ROUNDS = 20;

/** Entries of a table, or of what else the filters say, as they are now: page by page. */
export async function* pagesOf(
  parked: ParkedStore,
  filters: readonly object[],
): AsyncGenerator<ParkedEntry[]> {
  for await (const ids of parked.ids(filters)) {
    for (let from = 0; from < ids.length; from += PAGE)
      yield await parked.entries(ids.slice(from, from + PAGE));
  }
}

/**
 * A TRUNCATE or DROP of their table ends parked keys. Each document is deleted once more, also where there is none: a
 * process that is about to write it, and has been paused since, is then too late.
 * @returns the ids of the entries that went
 */
export async function removeOlder(
  options: { readonly store: SearchStore; readonly parked: ParkedStore },
  filters: readonly object[],
  fence: Fence,
): Promise<string[]> {
  const { store, parked } = options;
  const gone: string[] = [];
  for await (const page of pagesOf(parked, filters)) {
    let open = page.filter((entry) => isOlder(entry, fence));
    for (let round = 0; open.length > 0 && round < MAX_ROUNDS; round += 1) {
      const lines = open.map(({ index, id }) => tombstone(index, id, fence.version));
      await store.bulk(Buffer.from(lines.join('')), lines.length);
      const changed = await parked.remove(open);
      gone.push(...open.map(({ entryId }) => entryId).filter((entryId) => !changed.has(entryId)));
      open = (await parked.entries([...changed])).filter((entry) => isOlder(entry, fence));
    }
  }
  return gone;
}

/** Follows a change of the table that wrote rows anew without row events, as its documents in the index do. */
export async function editOlderEntries(
  parked: ParkedStore,
  change: Altered,
  options: EditOptions,
): Promise<void> {
  const filters = [{ term: { table_id: change.table.table_id } }];
  for await (const page of pagesOf(parked, filters)) {
    let open = page.filter((entry) => isOlder(entry, options.fence));
    for (let round = 0; open.length > 0 && round < MAX_ROUNDS; round += 1) {
      const advances = open.flatMap((entry) => {
        const fields = editedFields(entry, change, options);
        return fields === null ? [] : [{ head: entry, fields: () => fields }];
      });
      const changed = await parked.advance(advances);
      open = (await parked.entries([...changed])).filter((entry) => isOlder(entry, options.fence));
    }
  }
}

/** Tables whose parked keys a schema change may have made writable, or taken away. */
export function tablesOf(change: SchemaChange): string[] {
  return change.changes.flatMap((one) => {
    if ('table' in one) return [one.table.table_id];
    return 'table_id' in one ? [one.table_id] : [];
  });
}

interface EditOptions {
  readonly fence: Fence;
  readonly fieldOf: FieldOf;
}

function editedFields(
  entry: ParkedEntry,
  change: Altered,
  options: EditOptions,
): Partial<StoredEntry> | null {
  const { schema, name } = change.table;
  const document = entry.document === null ? null : editedDocument(entry.document, change, options);
  const isRenamed = schema !== entry.schema || name !== entry.table;
  if (document === null && !isRenamed) return null;
  return { schema, table: name, ...(document === null ? {} : { document, edited: true }) };
}

/** `null` where it is as it should be. */
function editedDocument(document: string, change: Altered, { fence, fieldOf }: EditOptions): string | null {
  if (isEditedSince(document, fence)) return null;
  const { edits } = editsOf({ change, fieldOf });
  const moved = editFields(document, edits) ?? document;
  // PostgreSQL wrote these values anew, as what, we were not told.
  const edited = forgetFields(moved, change.retyped.map(fieldOf));
  return edited === document ? null : stamped(edited, fence);
}

function isOlder({ version, position }: ParkedEntry, fence: Fence): boolean {
  return version === fence.version ? position.seq < fence.seq : version < fence.version;
}

function tombstone(index: string, id: string, version: bigint): string {
  return `{"delete":{"_index":${JSON.stringify(index)},"_id":${JSON.stringify(id)},"version":${version},"version_type":"external_gte"}}\n`;
}
