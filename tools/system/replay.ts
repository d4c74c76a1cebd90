import {
  DDL_PREFIX,
  type ChangeRecord,
  type RecordColumn,
  type RecordValue,
  type SchemaChange,
  type ShapeChange,
} from '@pgstream/wal-event';
import type { LogEntry } from './log.ts';

/** Column id to PostgreSQL's text. */
type Row = Map<string, string | null>;

interface ReplayedTable {
  name: string;
  columnNames: Map<string, string>;
  readonly rows: Map<string, Row>;
}

/**
 * What the tables hold if one does what the log says and nothing else: a second, simple reader of the contract.
 *
 * @returns by `schema.table` the rows, each as `name=text` in the order of names.
 */
export function replay(log: readonly LogEntry[]): Map<string, readonly string[]> {
  const tables = new Map<string, ReplayedTable>();
  for (const { record } of log) apply(tables, record);
  return new Map(
    [...tables.values()].map(({ name, columnNames, rows }) => {
      const lines = [...rows.values()].map((row) =>
        rowText([...row].map(([id, text]) => [columnNames.get(id) ?? id, text])),
      );
      return [name, lines.toSorted()];
    }),
  );
}

export function rowText(fields: ReadonlyArray<readonly [name: string, text: string | null]>): string {
  const texts = fields.map(([name, text]) => `${name}=${text ?? '∅'}`);
  return texts.toSorted().join(' ');
}

function apply(tables: Map<string, ReplayedTable>, record: ChangeRecord): void {
  if (record.action === 'M') {
    if (record.message?.prefix !== DDL_PREFIX) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the content of a schema record
    const change = JSON.parse(record.message.content) as SchemaChange;
    for (const shape of change.changes) applyShape(tables, shape);
    return;
  }
  const table = tableOf(tables, record.tableId, `${record.schema}.${record.table}`);
  if (record.action === 'T') table.rows.clear();
  else applyRow(table, record);
}

function applyRow(table: ReplayedTable, record: ChangeRecord): void {
  const { columns, identity } = record;
  const keyIds = record.keyColumnIds ?? [];
  const oldKey = keyOf(identity ?? columns ?? [], keyIds);
  const before = table.rows.get(oldKey);
  if (record.action !== 'I') table.rows.delete(oldKey);
  if (columns === null) return;
  const row: Row = new Map();
  for (const { id, name, value } of columns) {
    table.columnNames.set(id, name);
    row.set(id, textOf(value));
  }
  const unchanged = [...table.columnNames].filter(([, name]) => record.unchanged.includes(name));
  for (const [id] of unchanged) row.set(id, before?.get(id) ?? null);
  table.rows.set(keyOf(columns, keyIds), row);
}

function applyShape(tables: Map<string, ReplayedTable>, change: ShapeChange): void {
  if (change.kind === 'table_dropped') tables.delete(change.table_id);
  if (change.kind !== 'table_altered' && change.kind !== 'table_created') return;
  const { table_id: tableId, schema, name, columns } = change.table;
  const table = tableOf(tables, tableId, `${schema}.${name}`);
  table.name = `${schema}.${name}`;
  for (const column of columns) table.columnNames.set(column.id, column.name);
  if (change.kind === 'table_created') return;
  for (const { id } of change.dropped) table.columnNames.delete(id);
  for (const row of table.rows.values()) {
    for (const { id } of change.dropped) row.delete(id);
    for (const { id, constant_default: text } of change.added) row.set(id, text);
  }
}

function tableOf(tables: Map<string, ReplayedTable>, tableId: string, name: string): ReplayedTable {
  const table = tables.get(tableId) ?? {
    name,
    columnNames: new Map<string, string>(),
    rows: new Map<string, Row>(),
  };
  tables.set(tableId, table);
  return table;
}

function keyOf(columns: readonly RecordColumn[], keyIds: readonly string[]): string {
  return keyIds
    .map((id) => textOf(columns.find((column) => column.id === id)?.value ?? null) ?? '∅')
    .join('/');
}

function textOf(value: RecordValue): string | null {
  if (value === null || typeof value === 'string') return value;
  return typeof value === 'boolean' ? String(value) : value.raw;
}
