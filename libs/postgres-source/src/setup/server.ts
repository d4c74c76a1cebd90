import type { Sql } from '../sql.ts';
import { flag, optionalText, text, type Row } from './rows.ts';

/** Who and where a session is. */
export interface ServerFacts {
  readonly role: string;
  readonly database: string;
  readonly superuser: boolean;
  readonly replication: boolean;
  /** CREATE on the database: may make schemas and publications. */
  readonly mayCreate: boolean;
  readonly systemId: string;
  /** `null` on a standby. */
  readonly timeline: number | null;
  readonly inRecovery: boolean;
  /** The end of WAL, in LSN text. On a standby: what it replayed. */
  readonly walLsn: string;
  /** `server_version_num`, such as 170010. */
  readonly version: number;
}

// The timeline of pg_control_checkpoint() is older than a promotion until the next checkpoint; a WAL file's name is not.
const FACTS = `
SELECT current_user::text AS role, current_database()::text AS database, r.rolsuper AS superuser, r.rolreplication AS replication,
  has_database_privilege(current_database(), 'CREATE') AS may_create,
  (SELECT system_identifier::text FROM pg_control_system()) AS systemid,
  pg_is_in_recovery() AS in_recovery,
  CASE WHEN pg_is_in_recovery() THEN NULL ELSE left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) END AS timeline,
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text AS wal_lsn,
  current_setting('server_version_num') AS version
FROM pg_roles r WHERE r.rolname = current_user`;

export async function serverFacts(sql: Sql): Promise<ServerFacts> {
  const [row] = (await sql.query(FACTS)).rows;
  const timeline = optionalText(row, 'timeline');
  return {
    role: text(row, 'role'),
    database: text(row, 'database'),
    superuser: flag(row, 'superuser'),
    replication: flag(row, 'replication') || flag(row, 'superuser'),
    mayCreate: flag(row, 'may_create'),
    systemId: text(row, 'systemid'),
    timeline: timeline === null ? null : Number.parseInt(timeline, 16),
    inRecovery: flag(row, 'in_recovery'),
    walLsn: text(row, 'wal_lsn'),
    version: Number(text(row, 'version')),
  };
}

/** A slot as pg_replication_slots shows it; LSNs as text. */
export interface SlotFacts {
  readonly plugin: string;
  readonly database: string;
  readonly active: boolean;
  readonly activePid: number | null;
  readonly confirmedLsn: string | null;
  readonly restartLsn: string | null;
  readonly catalogXmin: string | null;
  readonly walStatus: string | null;
  /** Bytes of WAL kept for it. */
  readonly retainedBytes: number | null;
  /** Bytes that may still be written before it is lost; `null` without a limit. */
  readonly safeBytes: number | null;
  /** PostgreSQL 17 and newer. */
  readonly invalidationReason: string | null;
}

const SLOT = `
SELECT s.*, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
  s.restart_lsn)::text AS retained_bytes
FROM pg_replication_slots s WHERE s.slot_name = $1`;

export async function slotFacts(sql: Sql, slot: string): Promise<SlotFacts | null> {
  const [row] = (await sql.query(SLOT, [slot])).rows;
  if (row === undefined) return null;
  return {
    plugin: text(row, 'plugin'),
    database: text(row, 'database'),
    active: flag(row, 'active'),
    activePid: number(row, 'active_pid'),
    confirmedLsn: optionalText(row, 'confirmed_flush_lsn'),
    restartLsn: optionalText(row, 'restart_lsn'),
    catalogXmin: optionalText(row, 'catalog_xmin'),
    walStatus: optionalText(row, 'wal_status'),
    retainedBytes: number(row, 'retained_bytes'),
    safeBytes: number(row, 'safe_wal_size'),
    invalidationReason: optionalText(row, 'invalidation_reason'),
  };
}

function number(row: Row, column: string): number | null {
  const value = optionalText(row, column);
  return value === null ? null : Number(value);
}
