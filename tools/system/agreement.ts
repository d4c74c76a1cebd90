import { expectedFieldOf } from '@pgstream/search-sink';
import { compareTable, disorderIn, readLog, replay, rowText } from '@pgstream/test-kit';
import type { System } from './system.ts';

export interface Agreement {
  readonly tables: number;
  readonly rows: number;
  readonly documents: number;
  /** Between tables and index, field by field. */
  readonly indexDifferences: readonly string[];
}

interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** Every table of the database against its index. */
export async function compareWithIndex(system: System): Promise<Agreement> {
  const { sql, servers } = system;
  const tables = await tablesOf(system);
  let [rows, documents] = [0, 0];
  const indexDifferences: string[] = [];
  for (const { schema, table } of tables) {
    const found = await compareTable({
      sql,
      searchUrl: servers.searchUrl,
      schema,
      table,
      fieldOf: expectedFieldOf,
    });
    rows += found.rows;
    documents += found.documents;
    indexDifferences.push(...found.differences.map((text) => `${schema}.${table}: ${text}`));
  }
  return { tables: tables.length, rows, documents, indexDifferences };
}

export interface LogAgreement {
  readonly records: number;
  readonly disorder: readonly string[];
  /** Rows that the log gives and the table lacks, and the other way round. */
  readonly differences: readonly string[];
}

/** The log, read from its start, against the tables; and its own order. */
export async function compareWithLog(system: System): Promise<LogAgreement> {
  const log = await readLog(system.connection, system.topic);
  const replayed = replay(log);
  const differences: string[] = [];
  for (const { schema, table } of await tablesOf(system)) {
    const name = `${schema}.${table}`;
    const { rows } = await system.sql.query(`SELECT * FROM ${schema}.${table}`);
    const inTable = new Set(
      rows.map((row) => rowText(Object.entries(row).map(([key, value]) => [key, textOf(value)]))),
    );
    const inLog = new Set(replayed.get(name) ?? []);
    for (const row of inTable)
      if (!inLog.has(row)) differences.push(`${name}: only in the table: ${row.slice(0, 200)}`);
    for (const row of inLog)
      if (!inTable.has(row)) differences.push(`${name}: only in the log: ${row.slice(0, 200)}`);
  }
  return { records: log.length, disorder: disorderIn(log), differences: differences.slice(0, 10) };
}

async function tablesOf({ sql, prefix }: System): Promise<TableName[]> {
  const { rows } = await sql.query(
    `SELECT n.nspname AS schema, c.relname AS "table"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND starts_with(n.nspname, $1) ORDER BY 1, 2`,
    [prefix],
  );
  return rows.map((row) => ({ schema: String(row['schema']), table: String(row['table']) }));
}

/** Of the types of the workload: integers, numeric and text. */
function textOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number' && value !== null)
    throw new TypeError('not expected here');
  return value === null ? null : `${value}`;
}
