import { parseJson } from './column-path.ts';
import { Literal } from './json-bytes.ts';
import type { TableRef } from './table.ts';

/** A table and its metadata as bytes, met before. */
export interface KnownTable {
  readonly head: Literal;
  readonly metadata: Literal;
  readonly ref: TableRef;
}

/** Tables remembered before all are forgotten; one that is met again is interned anew. */
const MAX_TABLES = 50_000;
const NONE: readonly string[] = [];

/** Interns tables, so that equal ones are the same objects and can key caches. */
export class KnownTables {
  readonly #known = new Map<string, KnownTable>();

  /**
   * @param head `,"schema":…,"table":…,"columns":`
   * @param metadata `,"metadata":{…}`
   */
  intern(head: string, metadata: string): KnownTable {
    const key = head + metadata;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_TABLES) this.#known.clear();
    const names = parseObject(`{${head.slice(1)}null}`);
    const meta = parseObject(metadata.slice(',"metadata":'.length));
    const ids = meta['id_col_pgstream_id'];
    const ref: TableRef = {
      schema: String(names['schema']),
      table: String(names['table']),
      tableId: String(meta['table_pgstream_id']),
      keyColumnIds: Array.isArray(ids) ? ids.map(String) : NONE,
    };
    const table = { head: new Literal(head), metadata: new Literal(metadata), ref };
    this.#known.set(key, table);
    return table;
  }
}

function parseObject(json: string): Record<string, unknown> {
  const value = parseJson(json);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
