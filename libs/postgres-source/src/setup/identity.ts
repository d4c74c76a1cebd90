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
 * them unless a partition has a key, since its changes are published under the root's identity.
 */
const KEYLESS = `
SELECT n.nspname AS schema, c.relname AS table, c.relreplident::text AS replica_identity,
  rn.nspname AS root_schema, r.relname AS root_table,
  CASE c.relreplident
    WHEN 'n' THEN 'REPLICA IDENTITY NOTHING'
    WHEN 'i' THEN 'the index of its replica identity was dropped or is invalid'
    ELSE CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
      THEN 'its primary key is deferrable' ELSE 'no primary key' END
  END AS reason,
  (SELECT ic.relname FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
      AND NOT EXISTS (SELECT FROM unnest(i.indkey[0:i.indnkeyatts - 1]) k (attnum)
        LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum WHERE a.attnotnull IS NOT TRUE)
    ORDER BY i.indnatts, ic.relname LIMIT 1) AS unique_index
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class r ON r.oid = coalesce(pg_partition_root(c.oid), c.oid) JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
  AND c.relreplident <> 'f'
  AND NOT EXISTS (SELECT FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE (t.oid = c.oid OR (c.relkind = 'p' AND t.oid IN (SELECT relid FROM pg_partition_tree(c.oid))))
      AND i.indisvalid AND i.indimmediate
      AND CASE t.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END)
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
