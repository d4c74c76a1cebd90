import type { Sql } from '../sql.ts';
import { qualified, quoteIdent, type TableName } from './names.ts';
import { optionalText, text } from './rows.ts';

/** A table whose owner's UPDATE and DELETE fail as soon as a publication publishes them. */
export interface KeylessTable extends TableName {
  /** pg_class.relreplident as it is now. */
  readonly replicaIdentity: string;
  readonly reason: string;
  /** The partitioned table it belongs to; itself where it is no partition. */
  readonly root: TableName;
  /** A UNIQUE NOT NULL index that could identify rows: `--set-identity` uses it. */
  readonly uniqueIndex: string | null;
}

/**
 * PostgreSQL's own rule: FULL, or a valid index that is not deferrable and is the primary key (DEFAULT) or the chosen one
 * (USING INDEX). A UNIQUE NOT NULL index alone does not count. Partitions answer for themselves; a root is listed beside
 * them unless a partition has a key, since its changes are published under the root's identity. Sets, not a lookup for each
 * table: it is asked of databases with thousands of tables.
 */
const KEYLESS = `
WITH usable AS MATERIALIZED (
  SELECT i.indrelid AS oid FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
  WHERE i.indrelid >= 16384 AND i.indisvalid AND i.indimmediate
    AND CASE t.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
), keyless AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relreplident, c.relnamespace, coalesce(pg_partition_root(c.oid), c.oid) AS root
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384 AND c.relreplident <> 'f'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
    AND c.oid NOT IN (SELECT oid FROM usable)
    AND NOT (c.relkind = 'p' AND EXISTS (SELECT FROM pg_partition_tree(c.oid) p WHERE p.relid IN (SELECT oid FROM usable)))
)
SELECT n.nspname AS schema, k.relname AS table, k.relreplident::text AS replica_identity,
  rn.nspname AS root_schema, r.relname AS root_table,
  CASE k.relreplident
    WHEN 'n' THEN 'REPLICA IDENTITY NOTHING'
    WHEN 'i' THEN 'the index of its replica identity was dropped or is invalid'
    ELSE CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.oid AND i.indisprimary)
      THEN 'its primary key is deferrable' ELSE 'no primary key' END
  END AS reason,
  (SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
    WHERE i.indrelid = k.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
      AND NOT EXISTS (SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1]) x (attnum)
        LEFT JOIN pg_attribute a ON a.attrelid = k.oid AND a.attnum = x.attnum WHERE a.attnotnull IS NOT TRUE)
    ORDER BY i.indnatts, ic.relname LIMIT 1) AS unique_index
FROM keyless k JOIN pg_namespace n ON n.oid = k.relnamespace
JOIN pg_class r ON r.oid = k.root JOIN pg_namespace rn ON rn.oid = r.relnamespace
ORDER BY 1, 2`;

/** All tables and partitions of the database without usable identity. */
export async function listKeyless(sql: Sql): Promise<KeylessTable[]> {
  const { rows } = await sql.query(KEYLESS);
  return rows.map((row) => ({
    schema: text(row, 'schema'),
    table: text(row, 'table'),
    replicaIdentity: text(row, 'replica_identity'),
    reason: text(row, 'reason'),
    root: { schema: text(row, 'root_schema'), table: text(row, 'root_table') },
    uniqueIndex: optionalText(row, 'unique_index'),
  }));
}

/** The statement that gives `table` an identity: its unique index where there is one and it is wanted, else FULL. */
export function identitySql(table: KeylessTable, useIndex: boolean): string {
  const identity =
    useIndex && table.uniqueIndex !== null ? `USING INDEX ${quoteIdent(table.uniqueIndex)}` : 'FULL';
  return `ALTER TABLE ${qualified(table)} REPLICA IDENTITY ${identity};`;
}

/** What {@link identitySql} changed, so that tear-down can put it back. */
export interface IdentityChange extends TableName {
  readonly was: string;
}

/** Puts an identity back. One by a dropped index cannot come back: nothing has the same effect. */
export function restoreIdentitySql(change: IdentityChange): string {
  return `ALTER TABLE ${qualified(change)} REPLICA IDENTITY ${change.was === 'd' ? 'DEFAULT' : 'NOTHING'};`;
}
