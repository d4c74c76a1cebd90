import { membersOf, type SearchStore } from '@pgstream/search-store';
import type { ShapeChange } from '@pgstream/wal-event';
import { classifyType, convertText } from './document/index.ts';
import type { Fence } from './fence.ts';
import { editOlder } from './mass-change.ts';
import type { TableIndex } from './table-index.ts';
import { MAX_VERSIONED_SEQ } from './version.ts';

interface Rewrite {
  readonly table: TableIndex;
  readonly change: Extract<ShapeChange, { kind: 'table_altered' }>;
  readonly fence: Fence;
  readonly fieldOf: (column: { readonly id: string; readonly name: string }) => string;
}

/** What one schema change does to the fields of a document. */
export interface FieldEdits {
  readonly renames: ReadonlyMap<string, string>;
  readonly removed: ReadonlySet<string>;
  /** Field to JSON text, for documents that lack it. */
  readonly defaults: ReadonlyMap<string, string>;
}

/**
 * Brings documents up to a change of the table that rewrote rows without row events: constant defaults of new columns,
 * new names, dropped columns. Runs any number of times with the same result, and never touches a newer document, nor one
 * that a newer change has edited: such a document has been through this one. One that was written again since, by a replay of
 * its row, has been through neither, and gets both as they come again.
 * @returns reasons for which documents stay as they are: `renamed` where names were swapped
 */
export async function rewriteRows(
  options: { readonly store: SearchStore; readonly shared: boolean },
  rewrite: Rewrite,
  signal: AbortSignal,
): Promise<string[]> {
  const { edits, stale } = editsOf(rewrite);
  if (edits.renames.size + edits.removed.size + edits.defaults.size > 0) {
    const { store, shared } = options;
    const { fence, table } = rewrite;
    const edit = (source: string) => {
      const edited = isEditedSince(source, fence) ? null : editFields(source, edits);
      return edited === null ? null : stamped(edited, fence);
    };
    await editOlder(store, table, edit, { fence, shared, signal });
  }
  return stale;
}

const NOTE = '_pgstream';
/** Of the note: the version of the newest change of the table that edited the document. */
const SHAPE = 'shape';

/** Whether a change of the table that is not older has edited the document: it has been through this one then. */
export function isEditedSince(source: string, fence: Fence): boolean {
  const note = membersOf(source).find(({ name }) => name === NOTE);
  const shape = note && membersOf(source, note.start).find(({ name }) => name === SHAPE);
  if (shape === undefined) return false;
  const version = BigInt(source.slice(shape.start, shape.end));
  // within a long transaction versions are equal: its changes are made again, as the last one of any other is
  return version > fence.version || (version === fence.version && fence.seq < MAX_VERSIONED_SEQ);
}

/** Notes in the document which change of the table it has been through. */
export function stamped(source: string, { version }: Fence): string {
  const members = membersOf(source).map(({ name, start, end }) => {
    const text = source.slice(start, end);
    return `${JSON.stringify(name)}:${name === NOTE ? withShape(text, version) : text}`;
  });
  return `{${members.join(',')}}`;
}

function withShape(note: string, version: bigint): string {
  const kept = membersOf(note)
    .filter(({ name }) => name !== SHAPE)
    .map(({ name, start, end }) => `${JSON.stringify(name)}:${note.slice(start, end)}`);
  return `{${[...kept, `"${SHAPE}":${version}`].join(',')}}`;
}

/** The source with the edits made; `null` where they were made before. Values keep their text. */
export function editFields(source: string, edits: FieldEdits): string | null {
  const members = membersOf(source);
  const names = new Set(members.map(({ name }) => name));
  const before = members.map(({ name }) => name);
  const kept = members.flatMap(({ name, start, end }) => {
    const to = newName(name, names, edits);
    return to === null ? [] : [{ name: to, text: source.slice(start, end) }];
  });
  for (const [name, text] of edits.defaults) if (!names.has(name)) kept.push({ name, text });
  const same = kept.length === before.length && kept.every(({ name }, i) => name === before[i]);
  return same ? null : `{${kept.map(({ name, text }) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
}

/** `null` where the field goes away: dropped, or renamed to one that has its value already. */
function newName(name: string, names: ReadonlySet<string>, edits: FieldEdits): string | null {
  if (edits.removed.has(name)) return null;
  const renamed = edits.renames.get(name);
  if (renamed === undefined) return name;
  return names.has(renamed) ? null : renamed;
}

/** What the change does to fields, and why some documents stay as they are. */
export function editsOf({ change, fieldOf }: Pick<Rewrite, 'change' | 'fieldOf'>): {
  edits: FieldEdits;
  stale: string[];
} {
  const moved = change.renamed
    .map(({ id, from, to }) => [fieldOf({ id, name: from }), fieldOf({ id, name: to })] as const)
    .filter(([from, to]) => from !== to);
  const sources = new Set(moved.map(([from]) => from));
  // Swapped names cannot be told from names that were swapped already.
  const renames = moved.filter(([, to]) => !sources.has(to));
  const present = new Set(change.table.columns.map(fieldOf));
  const constants = change.added.filter(({ constant_default: constant }) => constant !== null);
  return {
    edits: {
      renames: new Map(renames),
      removed: new Set(change.dropped.map(fieldOf).filter((field) => !present.has(field))),
      defaults: new Map(constants.map((column) => [fieldOf(column), defaultOf(change, column)])),
    },
    stale: renames.length === moved.length ? [] : ['renamed'],
  };
}

function defaultOf(
  change: Rewrite['change'],
  column: { readonly id: string; readonly type: string; readonly constant_default: string | null },
): string {
  const shape = change.table.columns.find(({ id }) => id === column.id);
  return convertText(classifyType(column.type, shape), column.constant_default ?? '', { lossy: false });
}
