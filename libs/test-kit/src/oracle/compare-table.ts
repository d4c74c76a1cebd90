import type { Queries } from '@pgstream/postgres-client';
import { fieldTextOf, readDocuments, type FieldText } from './read-documents.ts';

export interface CompareOptions {
  /** A session with pinned settings, so that values have the text that the stream carries. */
  readonly sql: Queries;
  readonly searchUrl: string;
  readonly schema: string;
  readonly table: string;
  /** Alias or index with the documents. Default `{schema}.{table}`. */
  readonly index?: string;
  /** The raw JSON a document must show for a value of `type` that PostgreSQL prints as `text`. */
  readonly fieldOf: (type: string, text: string | null) => string;
  /** Columns that name a row. Default: the primary key. */
  readonly keyColumns?: readonly string[];
  /** A document may lack a field whose column is NULL: one that was added after it was written. */
  readonly lackingIsNull?: boolean;
  /** Columns the index may lack, for example stored generated ones before PostgreSQL 18. */
  readonly ignoreColumns?: readonly string[];
}

export interface Comparison {
  readonly table: string;
  readonly rows: number;
  readonly documents: number;
  /** The first differences, for people: which row, which field, both texts. */
  readonly differences: readonly string[];
}

export interface ComparedColumn {
  readonly name: string;
  readonly type: string;
  readonly isKey: boolean;
}

const MAX_DIFFERENCES = 10;

/** Compares a table with its index row by row and field by field, in both directions. */
export async function compareTable(options: CompareOptions): Promise<Comparison> {
  const { schema, table } = options;
  const columns = (await columnsOf(options)).filter(
    ({ name }) => options.ignoreColumns?.includes(name) !== true,
  );
  const keyed = columns.map((column) => ({
    ...column,
    isKey: options.keyColumns?.includes(column.name) ?? column.isKey,
  }));
  const index = options.index ?? `${schema}.${table}`;
  return compareRows(
    { ...options, index, table: `${schema}.${table}` },
    keyed,
    await rowsOf(options, columns),
  );
}

export interface CompareRowsOptions {
  readonly searchUrl: string;
  readonly index: string;
  /** For people. */
  readonly table: string;
  readonly fieldOf: CompareOptions['fieldOf'];
  readonly lackingIsNull?: boolean;
}

/**
 * Compares rows, from wherever they are, with an index.
 * @param rows PostgreSQL's text of each column.
 */
export async function compareRows(
  options: CompareRowsOptions,
  columns: readonly ComparedColumn[],
  rows: ReadonlyArray<ReadonlyArray<string | null>>,
): Promise<Comparison> {
  const keys = columns.filter(({ isKey }) => isKey);
  const documents = new Map<string, ReadonlyMap<string, FieldText>>();
  const differences: string[] = [];
  let found = 0;
  for await (const document of readDocuments(options.searchUrl, options.index)) {
    found += 1;
    const key = keyOf(keys, (name) => document.get(name) ?? 'absent');
    if (documents.has(key)) differences.push(`${key}: two documents of one key`);
    documents.set(key, document);
  }
  for (const row of rows) {
    const expected = new Map(
      columns.map(({ name, type }, i) => [name, fieldTextOf(options.fieldOf(type, row[i] ?? null))]),
    );
    const key = keyOf(keys, (name) => expected.get(name) ?? 'absent');
    differences.push(...differencesOf(key, expected, withNulls(options, expected, documents.get(key))));
    documents.delete(key);
  }
  for (const key of documents.keys()) differences.push(`${key}: a document without a row`);
  return {
    table: options.table,
    rows: rows.length,
    documents: found,
    differences: differences.slice(0, MAX_DIFFERENCES),
  };
}

function differencesOf(
  key: string,
  expected: ReadonlyMap<string, string>,
  document: ReadonlyMap<string, FieldText> | undefined,
): string[] {
  if (document === undefined) return [`${key}: a row without a document`];
  const different = [...expected].filter(([name, text]) => document.get(name) !== text);
  const extra = [...document.keys()].filter((name) => name !== '_pgstream' && !expected.has(name));
  return [
    ...different.map(
      ([name, text]) => `${key}.${name}: table ${text}, index ${document.get(name) ?? 'absent'}`,
    ),
    ...extra.map((name) => `${key}.${name}: only in the index`),
  ];
}

function withNulls(
  { lackingIsNull }: Pick<CompareOptions, 'lackingIsNull'>,
  expected: ReadonlyMap<string, string>,
  document: ReadonlyMap<string, FieldText> | undefined,
): ReadonlyMap<string, FieldText> | undefined {
  if (document === undefined || lackingIsNull !== true) return document;
  return new Map([...[...expected.keys()].map((name) => [name, 'null'] as const), ...document]);
}

function keyOf(keys: readonly ComparedColumn[], textOf: (name: string) => string): string {
  return keys.map(({ name }) => `${name}=${textOf(name)}`).join(',');
}

async function columnsOf({ sql, schema, table }: CompareOptions): Promise<ComparedColumn[]> {
  const { rows } = await sql.query(
    `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
            coalesce(a.attnum = ANY (i.indkey::int2[]), false) AS "isKey"
       FROM pg_attribute a
       LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
      WHERE a.attrelid = format('%I.%I', $1::text, $2::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped
      ORDER BY a.attnum`,
    [schema, table],
  );
  return rows.map((row) => ({
    name: String(row['name']),
    type: String(row['type']),
    isKey: row['isKey'] === true,
  }));
}

async function rowsOf(
  options: CompareOptions,
  columns: readonly ComparedColumn[],
): Promise<Array<Array<string | null>>> {
  const list = columns.map(({ name }, i) => `${printed(identifier(name))} AS c${i}`).join(', ');
  const { rows } = await options.sql.query(
    `SELECT ${list} FROM ${identifier(options.schema)}.${identifier(options.table)}`,
  );
  return rows.map((row) => columns.map((_, i) => textOrNull(row[`c${i}`])));
}

/** As the stream has it, by the type's own output: a cast to text drops the padding of char(n) and completes inet. */
function printed(column: string): string {
  return `CASE WHEN num_nulls(${column}) = 0 THEN format('%s', ${column}) END`;
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
