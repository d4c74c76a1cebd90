import type { Sql } from '../sql.ts';
import { listPublications } from './publication.ts';
import { optionalText, text } from './rows.ts';
import { serverFacts, slotFacts, type SlotFacts } from './server.ts';
import { listGaps, loadState, type Gap, type ReplicationState } from './state.ts';

export interface SourceStatus {
  readonly database: string;
  readonly schemaExists: boolean;
  /** Number of the last migration that was applied; `null` without any. */
  readonly migrationVersion: number | null;
  readonly slotName: string;
  readonly slot: SlotFacts | null;
  readonly state: ReplicationState | null;
  readonly publications: readonly {
    readonly name: string;
    readonly exists: boolean;
    readonly allTables: boolean;
  }[];
  readonly gaps: readonly Gap[];
  /** Application and start of the session that reads the slot. */
  readonly reader: { readonly application: string; readonly since: string } | null;
}

/** What there is, for people and programs. Reads only; works before init and after tear-down. */
export async function status(sql: Sql, slot: string): Promise<SourceStatus> {
  const { database } = await serverFacts(sql);
  const state = await loadState(sql, slot);
  const found = await listPublications(sql);
  const names = new Set(state?.publications ?? []);
  const facts = await slotFacts(sql, slot);
  return {
    database,
    ...(await schemaFacts(sql)),
    slotName: slot,
    slot: facts,
    state,
    publications: [...names].map((name) => {
      const one = found.find((publication) => publication.name === name);
      return { name, exists: one !== undefined, allTables: one?.allTables === true };
    }),
    gaps: state === null ? [] : await listGaps(sql, slot),
    reader: await readerOf(sql, facts?.activePid ?? null),
  };
}

async function schemaFacts(sql: Sql): Promise<Pick<SourceStatus, 'schemaExists' | 'migrationVersion'>> {
  const { rows } = await sql.query(
    `SELECT to_regnamespace('pgstream')::text AS schema, to_regclass('pgstream.schema_migrations')::text AS migrations`,
  );
  const schemaExists = optionalText(rows[0], 'schema') !== null;
  if (optionalText(rows[0], 'migrations') === null) return { schemaExists, migrationVersion: null };
  const last = await sql.query('SELECT max(version)::text AS version FROM pgstream.schema_migrations');
  const version = optionalText(last.rows[0], 'version');
  return { schemaExists, migrationVersion: version === null ? null : Number(version) };
}

async function readerOf(sql: Sql, pid: number | null): Promise<SourceStatus['reader']> {
  if (pid === null) return null;
  const { rows } = await sql.query(
    'SELECT application_name AS application, backend_start::text AS since FROM pg_stat_activity WHERE pid = $1',
    [pid],
  );
  const [row] = rows;
  return row === undefined ? null : { application: text(row, 'application'), since: text(row, 'since') };
}
