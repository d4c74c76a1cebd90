import {
  DDL_PREFIX,
  formatPosition,
  type ChangeRecord,
  type RecordColumn,
  type RecordValue,
  type SchemaChange,
  type ShapeChange,
} from '@pgstream/wal-event';
import type { LogEntry } from './log.ts';

/** Column id to PostgreSQL's text. */
type Row = Map<string, string | null>;

interface ReplayedColumn {
  readonly name: string;
  readonly type: string;
}

interface ReplayedTable {
  name: string;
  readonly columns: Map<string, ReplayedColumn>;
  readonly rows: Map<string, Row>;
}

export interface Replayed {
  /** Rows by `schema.table`. */
  readonly tables: ReadonlyMap<string, ReplayedRows>;
  /** What cannot have happened to one row in this order: at most ten, in words. */
  readonly brokenChains: readonly string[];
}

export interface ReplayedRows {
  /** Of columns that rows have, in the order in which they were met. */
  readonly columns: readonly ReplayedColumn[];
  /** PostgreSQL's text of each column; `undefined` for one that the log never showed. */
  readonly rows: ReadonlyArray<ReadonlyArray<string | null | undefined>>;
}

/** What the tables hold if one does what the log says and nothing else: a second, simple reader of the contract. */
export function replayTables(log: readonly LogEntry[]): Replayed {
  const state: State = { tables: new Map(), brokenChains: [] };
  for (const { record } of log) apply(state, record);
  const tables = [...state.tables.values()].map(({ name, columns, rows }) => {
    const ids = [...columns.keys()];
    const lines = [...rows.values()].map((row) => ids.map((id) => row.get(id)));
    return [name, { columns: [...columns.values()], rows: lines }] as const;
  });
  return { tables: new Map(tables), brokenChains: state.brokenChains.slice(0, 10) };
}

/** @returns by `schema.table` the rows, each as `name=text` in the order of names. */
export function replay(log: readonly LogEntry[]): Map<string, readonly string[]> {
  return new Map([...replayTables(log).tables].map(([name, table]) => [name, linesOf(table)]));
}

/** Each row as {@link rowText}, sorted. */
export function linesOf({ columns, rows }: ReplayedRows): string[] {
  const lines = rows.map((row) =>
    rowText(
      columns.flatMap(({ name }, i) => {
        const { [i]: text } = row;
        return text === undefined ? [] : [[name, text] as const];
      }),
    ),
  );
  return lines.toSorted();
}

export function rowText(fields: ReadonlyArray<readonly [name: string, text: string | null]>): string {
  const texts = fields.map(([name, text]) => `${name}=${text ?? '∅'}`);
  return texts.toSorted().join(' ');
}

interface State {
  readonly tables: Map<string, ReplayedTable>;
  readonly brokenChains: string[];
}

function apply(state: State, record: ChangeRecord): void {
  const { tables } = state;
  if (record.action === 'M') {
    if (record.message?.prefix !== DDL_PREFIX) return;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the content of a schema record
    const change = JSON.parse(record.message.content) as SchemaChange;
    for (const shape of change.changes) applyShape(tables, shape);
    return;
  }
  const table = tableOf(tables, record.tableId, `${record.schema}.${record.table}`);
  if (record.action === 'T') table.rows.clear();
  else applyRow(state, table, record);
}

function applyRow(state: State, table: ReplayedTable, record: ChangeRecord): void {
  const { columns, identity } = record;
  const keyIds = record.keyColumnIds ?? [];
  const oldKey = keyOf(identity ?? columns ?? [], keyIds);
  const before = table.rows.get(oldKey);
  if (record.action !== 'I') table.rows.delete(oldKey);
  const row = rowOf(table, columns ?? []);
  const broken = brokenChain(table, record, { before, row });
  if (broken !== undefined) state.brokenChains.push(`${table.name} ${oldKey}: ${broken}`);
  if (columns === null) return;
  keepUnchanged(table, record.unchanged, { before, row });
  table.rows.set(keyOf(columns, keyIds), row);
}

function keepUnchanged(
  { columns }: ReplayedTable,
  unchanged: readonly string[],
  { before, row }: { readonly before: Row | undefined; readonly row: Row },
): void {
  for (const [id, { name }] of columns) if (unchanged.includes(name)) row.set(id, before?.get(id) ?? null);
}

function rowOf(table: ReplayedTable, columns: readonly RecordColumn[]): Row {
  const row: Row = new Map();
  for (const { id, name, type, value } of columns) {
    table.columns.set(id, { name, type });
    row.set(id, textOf(value));
  }
  return row;
}

/** Rows of a workload count their changes in `version`: one that is missing, doubled or out of turn shows in the next. */
function brokenChain(
  table: ReplayedTable,
  { action, position }: ChangeRecord,
  rows: { readonly before: Row | undefined; readonly row: Row },
): string | undefined {
  const at = `at ${formatPosition(position)}`;
  const { before, row } = rows;
  if (action === 'I') return before === undefined ? undefined : `inserted ${at} although it is there`;
  if (before === undefined) return `${action === 'U' ? 'updated' : 'deleted'} ${at} although it is not there`;
  const versionId = [...table.columns].find(([, { name }]) => name === 'version')?.[0];
  if (action === 'D' || versionId === undefined) return undefined;
  const [old, now] = [before.get(versionId), row.get(versionId)];
  return Number(now) === Number(old) + 1 ? undefined : `version ${now} behind ${old} ${at}`;
}

function applyShape(tables: Map<string, ReplayedTable>, change: ShapeChange): void {
  if (change.kind === 'table_dropped') tables.delete(change.table_id);
  if (change.kind !== 'table_altered' && change.kind !== 'table_created') return;
  const { table_id: tableId, schema, name, columns } = change.table;
  const table = tableOf(tables, tableId, `${schema}.${name}`);
  table.name = `${schema}.${name}`;
  for (const column of columns) table.columns.set(column.id, { name: column.name, type: column.type });
  if (change.kind === 'table_created') return;
  for (const { id } of change.dropped) table.columns.delete(id);
  for (const row of table.rows.values()) {
    for (const { id } of change.dropped) row.delete(id);
    for (const { id, constant_default: text } of change.added) row.set(id, text);
  }
}

function tableOf(tables: Map<string, ReplayedTable>, tableId: string, name: string): ReplayedTable {
  const table = tables.get(tableId) ?? {
    name,
    columns: new Map<string, ReplayedColumn>(),
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
