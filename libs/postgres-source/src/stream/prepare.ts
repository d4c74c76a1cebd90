import { PipelineError } from '@pgstream/failure';
import { parseLsn, type Lsn } from '@pgstream/wal-event';
import type { Query } from './replication-connection.ts';
import { literal } from './start-sql.ts';

/** What a new connection finds before START. */
export interface StartFacts {
  readonly systemId: string;
  readonly timeline: number;
  /** End of WAL. */
  readonly serverLsn: Lsn;
  /** 150004 for 15.4. */
  readonly serverVersion: number;
  /** 0: the server waits for ever. */
  readonly walSenderTimeoutMs: number;
  readonly slot: {
    readonly name: string;
    readonly plugin: string;
    readonly database: string;
    readonly confirmedFlushLsn: Lsn;
    readonly restartLsn: Lsn | null;
    /** `reserved`, `extended`, `unreserved`. */
    readonly walStatus: string;
  };
}

/**
 * Looks at server, slot and publications through the replication connection itself.
 * @throws {PipelineError} PG_SLOT_MISSING, PG_SLOT_FOREIGN, PG_SLOT_LOST, PG_SLOT_ACTIVE, PG_PUBLICATION_MISSING
 */
export async function findStart(
  query: Query,
  slot: string,
  publications: readonly string[],
): Promise<StartFacts> {
  const [system] = await query('IDENTIFY_SYSTEM');
  const [server] = await query(
    `SELECT current_setting('server_version_num') AS version,
            (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout') AS timeout_ms`,
  );
  const found = await slotOf(query, slot);
  await requirePublications(query, publications);
  return {
    systemId: system?.['systemid'] ?? '',
    timeline: Number(system?.['timeline']),
    serverLsn: parseLsn(system?.['xlogpos'] ?? ''),
    serverVersion: Number(server?.['version']),
    walSenderTimeoutMs: Number(server?.['timeout_ms']),
    slot: found,
  };
}

async function slotOf(query: Query, name: string): Promise<StartFacts['slot']> {
  const [row] = await query(
    `SELECT coalesce(plugin, '') AS plugin, coalesce(database, '') AS database,
            coalesce(plugin = 'pgoutput' AND database = current_database(), false) AS fits,
            active, active_pid, coalesce(wal_status, '') AS wal_status, confirmed_flush_lsn, restart_lsn
       FROM pg_replication_slots WHERE slot_name = ${literal(name)}`,
  );
  if (row === undefined) throw new PipelineError('PG_SLOT_MISSING', { detail: `Slot ${name}.` });
  const { active, active_pid: pid } = row;
  const plugin = row['plugin'] ?? '';
  const database = row['database'] ?? '';
  const walStatus = row['wal_status'] ?? '';
  if (row['fits'] !== 't') {
    const detail = `Slot ${name} has plugin ${plugin} and database ${database}.`;
    throw new PipelineError('PG_SLOT_FOREIGN', { detail });
  }
  const confirmedFlushLsn = lsnOrNull(row['confirmed_flush_lsn']);
  if (walStatus === 'lost' || confirmedFlushLsn === null) {
    throw new PipelineError('PG_SLOT_LOST', { detail: `Slot ${name}, wal_status ${walStatus}.` });
  }
  if (active === 't') throw new PipelineError('PG_SLOT_ACTIVE', { facts: { slot: name, pid: pid ?? '' } });
  const restartLsn = lsnOrNull(row['restart_lsn']);
  return { name, plugin, database, confirmedFlushLsn, restartLsn, walStatus };
}

function lsnOrNull(text: string | null | undefined): Lsn | null {
  return text === null || text === undefined ? null : parseLsn(text);
}

async function requirePublications(query: Query, names: readonly string[]): Promise<void> {
  const rows = await query(
    `SELECT pubname FROM pg_publication WHERE pubname IN (${names.map(literal).join(', ')})`,
  );
  const found = new Set(rows.map((row) => row['pubname']));
  const missing = names.filter((name) => !found.has(name));
  if (missing.length > 0) {
    throw new PipelineError('PG_PUBLICATION_MISSING', { detail: `Missing: ${missing.join(', ')}.` });
  }
}
