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
    `SELECT plugin, database, current_database() AS here, active, active_pid, wal_status, confirmed_flush_lsn, restart_lsn
       FROM pg_replication_slots WHERE slot_name = ${literal(name)}`,
  );
  if (row === undefined) throw new PipelineError('PG_SLOT_MISSING', { detail: `Slot ${name}.` });
  const { plugin, database, here, active, active_pid: pid, wal_status: status } = row;
  if (plugin !== 'pgoutput' || database !== here || database === null || database === undefined) {
    const detail = `Slot ${name} has plugin ${plugin}, database ${database}; the URL names ${here}.`;
    throw new PipelineError('PG_SLOT_FOREIGN', { detail });
  }
  const flushed = row['confirmed_flush_lsn'];
  if (status === 'lost' || flushed === null || flushed === undefined) {
    throw new PipelineError('PG_SLOT_LOST', { detail: `Slot ${name} is ${status ?? 'without a position'}.` });
  }
  if (active === 't') throw new PipelineError('PG_SLOT_ACTIVE', { facts: { slot: name, pid: pid ?? '' } });
  const restart = row['restart_lsn'];
  return {
    name,
    plugin,
    database,
    confirmedFlushLsn: parseLsn(flushed),
    restartLsn: restart === null || restart === undefined ? null : parseLsn(restart),
    walStatus: status ?? '',
  };
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
