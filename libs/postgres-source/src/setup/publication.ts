import type { Sql } from '../sql.ts';
import { qualified, quoteIdent, type PublicationNames, type TableName } from './names.ts';
import { flag, text } from './rows.ts';
import type { PublicationScope } from './table-selection.ts';

/** `all`: one publication made with the rights of a superuser. `list`: two explicit lists of tables the role owns. */
export type SetupMode = 'all' | 'list';

export interface PublicationFacts {
  readonly name: string;
  readonly oid: string;
  readonly allTables: boolean;
}

export async function listPublications(sql: Sql): Promise<PublicationFacts[]> {
  const { rows } = await sql.query(
    'SELECT pubname, oid::text AS oid, puballtables FROM pg_publication ORDER BY pubname',
  );
  return rows.map((row) => ({
    name: text(row, 'pubname'),
    oid: text(row, 'oid'),
    allTables: flag(row, 'puballtables'),
  }));
}

const EVERYTHING = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";
const INSERT_ONLY = "publish = 'insert, truncate', publish_via_partition_root = true";

/** Mode `all`. A limited scope still carries the log of schema changes. */
export function createFullSql(name: string, scope: PublicationScope, existing: readonly TableName[]): string {
  if (scope.kind === 'all')
    return `CREATE PUBLICATION ${quoteIdent(name)} FOR ALL TABLES WITH (${EVERYTHING});`;
  const tables = [...existing, { schema: 'pgstream', table: 'schema_log' }];
  const schemas = scope.schemas.map((schema) => `, TABLES IN SCHEMA ${quoteIdent(schema)}`).join('');
  const list = tables.map(qualified).join(', ');
  return `CREATE PUBLICATION ${quoteIdent(name)} FOR TABLE ${list}${schemas} WITH (${EVERYTHING});`;
}

/**
 * Mode `list`: tables are added one by one, each in a short transaction of its own. The log of schema changes is there from
 * the start: what comparing with the catalogue finds travels in it.
 */
export function createListsSql({ full, insertOnly }: PublicationNames): string[] {
  return [
    `CREATE PUBLICATION ${quoteIdent(full)} WITH (${EVERYTHING});`,
    `CREATE PUBLICATION ${quoteIdent(insertOnly)} FOR TABLE pgstream.schema_log WITH (${INSERT_ONLY});`,
  ];
}

export function addTableSql(publication: string, table: TableName): string {
  return `ALTER PUBLICATION ${quoteIdent(publication)} ADD TABLE ${qualified(table)};`;
}

export function dropPublicationSql(name: string): string {
  return `DROP PUBLICATION IF EXISTS ${quoteIdent(name)};`;
}

/** Tables of `names` that exist. */
export async function existingTables(sql: Sql, names: readonly TableName[]): Promise<TableName[]> {
  const { rows } = await sql.query(
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN unnest($1::text[], $2::text[]) w (s, t) ON w.s = n.nspname AND w.t = c.relname
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' ORDER BY 1, 2`,
    [names.map((name) => name.schema), names.map((name) => name.table)],
  );
  return rows.map((row) => ({ schema: text(row, 'schema'), table: text(row, 'table') }));
}

/** Publications FOR ALL TABLES that are not ours: their subscribers would receive the tables of schema pgstream. */
export function foreignPublications(found: readonly PublicationFacts[], ours: readonly string[]): string[] {
  return found.filter((one) => one.allTables && !ours.includes(one.name)).map((one) => one.name);
}

/** What `init` says when it refuses because of them. */
export function foreignPublicationText(names: readonly string[]): string {
  return (
    `Publication ${names.join(', ')} is FOR ALL TABLES and not of pgstream. Its subscribers would receive changes of ` +
    `pgstream.schema_log, pgstream.replication_state and others and stop with "logical replication target relation does ` +
    `not exist". Each subscriber needs these tables first (pg_dump --schema=pgstream --schema-only, then ` +
    `ALTER SUBSCRIPTION … REFRESH PUBLICATION); then run init with --allow-foreign-publication.`
  );
}
