import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { TableRef } from '@pgstream/wal-event';

type TableNames = Pick<TableRef, 'schema' | 'table' | 'tableId'>;

/** Where the documents of a table are kept. A library user may replace it. */
export interface IndexNaming {
  /** Whether several tables have the same index: ids then carry the table, and DROP deletes documents, not the index. */
  readonly shared: boolean;
  /** The name that searches use. Must be a valid index name and never that of a physical index. */
  alias(table: TableNames): string;
  /** The index itself. Generation 1 first; one more whenever a field must change its type. */
  physical(table: TableNames, generation: number): string;
}

/** One index per table, `{schema}.{table}-{id}`, behind the alias `{schema}.{table}`. */
export function tableNaming(template = '{schema}.{table}'): IndexNaming {
  const alias = (table: TableNames) =>
    indexName(
      template
        .replaceAll('{schema}', () => table.schema)
        .replaceAll('{table}', () => table.table)
        .replaceAll('{id}', () => table.tableId),
    );
  return {
    shared: false,
    alias,
    physical: (table, generation) =>
      `${shortened(alias(table), 200)}-${table.tableId.toLowerCase()}${generation === 1 ? '' : `-${generation}`}`,
  };
}

/** One named index for everything: `name` is the alias, `name-1` the index. */
export function pinnedNaming(name: string): IndexNaming {
  const alias = indexName(name);
  return {
    shared: true,
    alias: () => alias,
    physical: (_table, generation) => `${alias}-${generation}`,
  };
}

/** The layout of the original: one index `<schema>-1` behind the alias `<schema>`. Its ids carry the table id. */
export function schemaNaming(): IndexNaming {
  return {
    shared: true,
    alias: (table) => indexName(table.schema),
    physical: (table, generation) => `${indexName(table.schema)}-${generation}`,
  };
}

const MAX_NAME_BYTES = 230;

/**
 * A name that the engines accept for an index: lower case, none of `\ / * ? " < > | , # :` and white space, no
 * leading `-`, `_`, `+`, not `.` or `..`. Where more than the case had to change, a hash keeps names apart.
 */
export function indexName(wanted: string): string {
  const lower = wanted.toLowerCase();
  const safe = lower
    .replaceAll(/[\\/*?"<>|,#:\s%&]/gu, '_')
    .replace(/^[-_+.]+/u, (head) => 'x'.repeat(head.length));
  const name = safe === lower && safe !== '' ? safe : `${safe}~${hashOf(wanted)}`;
  return shortened(name, MAX_NAME_BYTES);
}

function shortened(name: string, maxBytes: number): string {
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const kept = Buffer.from(name)
    .subarray(0, maxBytes - 9)
    .toString()
    .replace(/\uFFFD+$/u, '');
  return `${kept}~${hashOf(name)}`;
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
