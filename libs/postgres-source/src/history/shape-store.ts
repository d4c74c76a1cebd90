import { formatLsn, type Lsn, type TableShape } from '@pgstream/wal-event';
import type { Sql } from '../sql.ts';
import type { KnownTable } from './known-table.ts';
import type { LedgerEntry } from './shape-ledger.ts';
import { tableIdOf, type SourceIdentity } from './table-ids.ts';
import { tableShape } from './table-shape.ts';

/** Tables and schemas as one transaction saw them in the catalogue. */
export interface CatalogueShapes {
  readonly tables: readonly KnownTable[];
  readonly schemas: readonly { readonly oid: number; readonly name: string }[];
}

/**
 * Everything that can be captured, as the transaction of `sql` sees it: inside the slot's exported snapshot it is what the
 * stream starts from. Two queries however many tables there are.
 */
export async function captureInitialShapes(sql: Sql): Promise<CatalogueShapes> {
  const tables = await sql.query(
    "SELECT s.shape FROM pgstream.shapes_of(pgstream.captured_tables()) AS s WHERE (s.shape->>'captured')::boolean",
  );
  const schemas = await sql.query(
    `SELECT oid::int8::text AS oid, nspname::text AS name FROM pg_namespace WHERE pgstream.is_user_schema(nspname) ORDER BY oid`,
  );
  return {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the form that pgstream.shapes_of builds
    tables: tables.rows.map((row) => row['shape'] as KnownTable),
    schemas: schemas.rows.map((row) => ({ oid: Number(row['oid']), name: String(row['name']) })),
  };
}

/** The public form of every captured table. */
export async function readShapes(sql: Sql, source: SourceIdentity): Promise<TableShape[]> {
  const { tables } = await captureInitialShapes(sql);
  return tables.map((table) => tableShape(table, (oid) => tableIdOf(source, oid)));
}

/**
 * Makes `shapes` what the history of `slot` starts from, at the slot's consistent point. Replaces an older history: the slot
 * is new.
 */
export async function saveInitialShapes(
  sql: Sql,
  slot: string,
  consistentPoint: Lsn,
  shapes: CatalogueShapes,
): Promise<void> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- below every transaction that starts there, like no commit: those are aligned
  const commitLsn = (consistentPoint - 1n) as Lsn;
  const at = { commitLsn, seq: 0, sub: 1 } as const;
  await sql.query('DELETE FROM pgstream.table_shapes WHERE slot = $1', [slot]);
  await saveEntries(sql, slot, [
    ...shapes.schemas.map(({ oid, name }) => ({ object: 'schema' as const, oid, at, shape: { name } })),
    ...shapes.tables.map((shape) => ({ object: 'table' as const, oid: shape.oid, at, shape })),
  ]);
}

const ENTRIES_PER_QUERY = 500;

export async function saveEntries(sql: Sql, slot: string, entries: readonly LedgerEntry[]): Promise<void> {
  for (let from = 0; from < entries.length; from += ENTRIES_PER_QUERY) {
    const rows = entries.slice(from, from + ENTRIES_PER_QUERY).map(({ object, oid, at, shape }, index) => ({
      index,
      object,
      oid,
      commit_lsn: formatLsn(at.commitLsn),
      seq: at.seq,
      sub: at.sub,
      shape,
    }));
    await sql.query(
      `INSERT INTO pgstream.table_shapes (slot, object, object_oid, commit_lsn, seq, sub, shape)
       SELECT DISTINCT ON (e.object, e.oid, e.commit_lsn, e.seq, e.sub)
         $1, e.object, e.oid::oid, e.commit_lsn, e.seq, e.sub, CASE WHEN jsonb_typeof(e.shape) = 'object' THEN e.shape END
       FROM jsonb_to_recordset($2::jsonb)
         AS e(index int, object text, oid int8, commit_lsn pg_lsn, seq int8, sub int2, shape jsonb)
       ORDER BY e.object, e.oid, e.commit_lsn, e.seq, e.sub, e.index DESC
       ON CONFLICT (slot, object, object_oid, commit_lsn, seq, sub) DO UPDATE SET shape = excluded.shape, saved_at = now()`,
      [slot, JSON.stringify(rows)],
    );
  }
}

/** The newest version of everything at or below `confirmed`: of transactions that end there or before. */
export async function loadShapes(sql: Sql, slot: string, confirmed: Lsn): Promise<CatalogueShapes> {
  const { rows } = await sql.query(
    `SELECT object, object_oid::int8::text AS oid, shape FROM (
       SELECT DISTINCT ON (object, object_oid) object, object_oid, shape FROM pgstream.table_shapes
       WHERE slot = $1 AND commit_lsn < $2::pg_lsn
       ORDER BY object, object_oid, commit_lsn DESC, seq DESC, sub DESC) AS newest
     WHERE shape IS NOT NULL`,
    [slot, formatLsn(confirmed)],
  );
  const tables: KnownTable[] = [];
  const schemas: { oid: number; name: string }[] = [];
  for (const { object, oid, shape } of rows) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what saveEntries wrote
    if (object === 'table') tables.push(shape as KnownTable);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what saveEntries wrote
    else schemas.push({ oid: Number(oid), name: (shape as { name: string }).name });
  }
  return { tables, schemas };
}

/**
 * Removes versions that were superseded below `confirmed` more than a day ago. Not earlier: after a crash of the server the
 * slot may stand where its last checkpoint left it.
 */
export async function pruneShapes(sql: Sql, slot: string, confirmed: Lsn): Promise<void> {
  await sql.query(
    `DELETE FROM pgstream.table_shapes AS old USING pgstream.table_shapes AS newer
     WHERE old.slot = $1 AND newer.slot = $1 AND old.object = newer.object AND old.object_oid = newer.object_oid
       AND (newer.commit_lsn, newer.seq, newer.sub) > (old.commit_lsn, old.seq, old.sub)
       AND newer.commit_lsn < $2::pg_lsn AND newer.saved_at < now() - interval '1 day'`,
    [slot, formatLsn(confirmed)],
  );
}

/** Marks rows of the schema log as taken into the log of records. */
export async function ack(sql: Sql, ids: readonly string[]): Promise<void> {
  await sql.query('UPDATE pgstream.schema_log SET acked = true WHERE id = ANY ($1::text[]) AND NOT acked', [
    [...ids],
  ]);
}

export async function databaseOid(sql: Sql): Promise<number> {
  const { rows } = await sql.query(
    'SELECT oid::int8::text AS oid FROM pg_database WHERE datname = current_database()',
  );
  return Number(rows[0]?.['oid']);
}
