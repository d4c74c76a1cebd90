import type { AddedColumn, ShapeChange } from '@pgstream/wal-event';
import { columnsByAttnum, type KnownColumn, type KnownTable } from './known-table.ts';
import { columnId, tableShape, type IdOf } from './table-shape.ts';

/** `null` when sinks have nothing to learn from `after`. */
export function diffTable(
  before: KnownTable | undefined,
  after: KnownTable,
  idOf: IdOf,
  extraStale: readonly string[] = [],
): ShapeChange | null {
  if (before === undefined) return { kind: 'table_created', table: tableShape(after, idOf) };
  const table = tableShape(after, idOf);
  const same = JSON.stringify(tableShape(before, idOf)) === JSON.stringify(table);
  if (same && extraStale.length === 0 && before.learned === after.learned) return null;
  const columns = diffColumns(before, after, table.table_id);
  const keyChanged = before.identity.join() !== after.identity.join();
  const stale = new Set([...columns.stale, ...extraStale]);
  if (keyChanged) stale.add('key_changed');
  const moved = before.schema !== after.schema || before.name !== after.name;
  return {
    kind: 'table_altered',
    table,
    from: moved ? { schema: before.schema, name: before.name } : null,
    added: columns.added,
    dropped: columns.dropped,
    renamed: columns.renamed,
    retyped: columns.retyped,
    key_changed: keyChanged,
    stale: [...stale],
  };
}

export function tableDropped(table: KnownTable, idOf: IdOf): ShapeChange {
  return { kind: 'table_dropped', table_id: idOf(table.oid), schema: table.schema, name: table.name };
}

interface ColumnDiff {
  readonly added: AddedColumn[];
  readonly dropped: { id: string; name: string }[];
  readonly renamed: { id: string; from: string; to: string }[];
  readonly retyped: { id: string; name: string; from: string; to: string }[];
  readonly stale: Set<string>;
}

function diffColumns(before: KnownTable, after: KnownTable, tableId: string): ColumnDiff {
  const diff: ColumnDiff = { added: [], dropped: [], renamed: [], retyped: [], stale: new Set() };
  const old = columnsByAttnum(before);
  for (const column of after.columns) {
    const previous = old.get(column.attnum);
    if (previous === undefined) noteAdded(column, columnId(tableId, column.attnum), diff);
    else noteKept(previous, column, columnId(tableId, column.attnum), diff);
  }
  const now = columnsByAttnum(after);
  for (const { attnum, name } of before.columns) {
    if (!now.has(attnum)) diff.dropped.push({ id: columnId(tableId, attnum), name });
  }
  return diff;
}

function noteAdded(column: KnownColumn, id: string, diff: ColumnDiff): void {
  const { name, type, missing } = column;
  diff.added.push({ id, name, type, constant_default: missing });
  if (column.generated) diff.stale.add('generated');
  else if (missing === null && (column.default !== null || column.identity !== null))
    diff.stale.add('volatile_default');
}

function noteKept(previous: KnownColumn, column: KnownColumn, id: string, diff: ColumnDiff): void {
  const { name, type } = column;
  if (previous.name !== name) diff.renamed.push({ id, from: previous.name, to: name });
  if (retyped(previous, column)) {
    diff.retyped.push({ id, name, from: previous.type, to: type });
    diff.stale.add('retyped');
  }
  const regenerated = column.generated && previous.default !== column.default;
  if (previous.generated !== column.generated || regenerated) diff.stale.add('generated');
}

/** A renamed type is the same type; another type or length is not, since USING may have rewritten every value. */
function retyped(previous: KnownColumn, column: KnownColumn): boolean {
  return previous.type_oid !== column.type_oid || previous.type_mod !== column.type_mod;
}
