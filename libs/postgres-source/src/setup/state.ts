import { randomUUID } from 'node:crypto';
import type { Sql } from '../sql.ts';
import type { TableName } from './names.ts';
import type { SetupMode } from './publication.ts';
import { optionalText, text, texts, type Row } from './rows.ts';

/** A row of pgstream.replication_state. LSNs as PostgreSQL writes them. */
export interface ReplicationState {
  readonly slot: string;
  readonly systemId: string;
  readonly timeline: number;
  /** Grows when the cluster's LSNs start over. */
  readonly epoch: number;
  /** Where the slot begins; `null` while init has not made it yet. */
  readonly consistentPoint: string | null;
  readonly mode: SetupMode;
  readonly publications: readonly string[];
  readonly facts: StateFacts;
  /** Everything up to here is durable; saved before the slot is told. `null`: nobody saves it. */
  readonly confirmedLsn: string | null;
  /** Opaque text of the caller: keying, partition count, filters. */
  readonly routingHash: string | null;
}

export interface StateFacts {
  /** By name. A publication that was dropped and made again has another one. */
  readonly publicationOids: Readonly<Record<string, string>>;
  /** Of the slot when it was made. */
  readonly catalogXmin: string | null;
  /** How far the slot may have been told since `confirmedLsn` was saved; beyond it somebody else told it. */
  readonly reservedLsn: string | null;
  /** The session of ours that saved last: while it stands here, no other of ours has told the slot anything. */
  readonly reservedBy?: string | null;
  /** A change of timeline that an operator accepted, by where it happened; the next start verifies it against the log. */
  readonly acceptedSwitch?: string | null;
}

export async function hasStateTable(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query("SELECT to_regclass('pgstream.replication_state')::text AS name");
  return optionalText(rows[0], 'name') !== null;
}

/** `null`: the database was not prepared for this slot. */
export async function loadState(sql: Sql, slot: string): Promise<ReplicationState | null> {
  if (!(await hasStateTable(sql))) return null;
  const { rows } = await sql.query(
    `SELECT slot, system_id, timeline, epoch, consistent_point::text AS consistent_point, mode, publications,
       facts, confirmed_lsn::text AS confirmed_lsn, routing_hash
     FROM pgstream.replication_state WHERE slot = $1`,
    [slot],
  );
  const [row] = rows;
  return row === undefined ? null : toState(row);
}

function toState(row: Row): ReplicationState {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by saveState alone
  const facts = (row['facts'] ?? {}) as Partial<StateFacts>;
  return {
    slot: text(row, 'slot'),
    systemId: text(row, 'system_id'),
    timeline: Number(row['timeline']),
    epoch: Number(row['epoch']),
    consistentPoint: optionalText(row, 'consistent_point'),
    mode: text(row, 'mode') === 'list' ? 'list' : 'all',
    publications: texts(row, 'publications'),
    facts: {
      publicationOids: facts.publicationOids ?? {},
      catalogXmin: facts.catalogXmin ?? null,
      reservedLsn: facts.reservedLsn ?? null,
      reservedBy: facts.reservedBy ?? null,
      acceptedSwitch: facts.acceptedSwitch ?? null,
    },
    confirmedLsn: optionalText(row, 'confirmed_lsn'),
    routingHash: optionalText(row, 'routing_hash'),
  };
}

export async function saveState(sql: Sql, state: ReplicationState): Promise<void> {
  await sql.query(
    `INSERT INTO pgstream.replication_state AS s
       (slot, system_id, timeline, epoch, consistent_point, mode, publications, facts, confirmed_lsn, routing_hash, slot_fingerprint)
     VALUES ($1, $2, $3, $4, $5::pg_lsn, $6, $7, $8::jsonb, $9::pg_lsn, $10, $5::text)
     ON CONFLICT (slot) DO UPDATE SET system_id = excluded.system_id, timeline = excluded.timeline, epoch = excluded.epoch,
       consistent_point = excluded.consistent_point, mode = excluded.mode, publications = excluded.publications,
       facts = excluded.facts, confirmed_lsn = excluded.confirmed_lsn, routing_hash = excluded.routing_hash,
       slot_fingerprint = excluded.slot_fingerprint, updated_at = now()`,
    [
      state.slot,
      state.systemId,
      state.timeline,
      state.epoch,
      state.consistentPoint,
      state.mode,
      [...state.publications],
      JSON.stringify(state.facts),
      state.confirmedLsn,
      state.routingHash,
    ],
  );
}

/** Remembers how records are routed: start-up compares, and refuses a change while the log is behind. */
export async function saveRouting(sql: Sql, slot: string, routingHash: string): Promise<void> {
  await sql.query(
    'UPDATE pgstream.replication_state SET routing_hash = $2, updated_at = now() WHERE slot = $1',
    [slot, routingHash],
  );
}

/** After a failover that was compared with the log: nothing is missing on either side. */
export async function saveTimeline(sql: Sql, slot: string, timeline: number): Promise<void> {
  await sql.query(
    `UPDATE pgstream.replication_state SET timeline = $2, facts = facts - 'acceptedSwitch', updated_at = now()
     WHERE slot = $1`,
    [slot, timeline],
  );
}

/** What a session reserves: see {@link savePosition}. */
export interface Reservation {
  /** How far the slot may be told. */
  readonly lsn: string;
  readonly by: string;
  /** Who stood there when the session began. Anybody else has led since. */
  readonly after: string;
}

/**
 * Remembers that everything up to `lsn` is durable, and that the slot may be told up to `reserved.lsn` without another save.
 * Save before the slot is told: a crash between the two would look like somebody else's hand on the slot.
 * @returns false where another session has reserved since this one began: nothing was saved. A process that slept wakes up
 *   with positions below those of its successor, and the slot has followed the successor.
 */
export async function savePosition(
  sql: Sql,
  slot: string,
  lsn: string,
  reserved?: Reservation,
): Promise<boolean> {
  const { rows } = await sql.query(
    `UPDATE pgstream.replication_state SET confirmed_lsn = $2::pg_lsn, updated_at = now(),
       facts = facts || jsonb_build_object('reservedLsn', $3::pg_lsn::text, 'reservedBy', $4::text)
     WHERE slot = $1 AND ($5::text[] IS NULL OR coalesce(facts ->> 'reservedBy', '') = ANY ($5::text[]))
     RETURNING slot`,
    [
      slot,
      lsn,
      reserved?.lsn ?? lsn,
      reserved?.by ?? '',
      reserved === undefined ? null : [reserved.by, reserved.after],
    ],
  );
  return rows.length > 0;
}

/** The session that reserved last; empty where none has, `null` without a stored state. */
export async function lastReserver(sql: Sql, slot: string): Promise<string | null> {
  const { rows } = await sql.query(
    `SELECT coalesce(facts ->> 'reservedBy', '') AS by FROM pgstream.replication_state WHERE slot = $1`,
    [slot],
  );
  return optionalText(rows[0], 'by');
}

/** Gives back what `by` reserved beyond `lsn`, unless somebody else has reserved since. */
export async function settlePosition(sql: Sql, slot: string, lsn: string, by: string): Promise<void> {
  await sql.query(
    `UPDATE pgstream.replication_state SET confirmed_lsn = $2::pg_lsn, updated_at = now(),
       facts = facts || jsonb_build_object('reservedLsn', $2::pg_lsn::text)
     WHERE slot = $1 AND facts ->> 'reservedBy' = $3`,
    [slot, lsn, by],
  );
}

/** Those facts as nobody's: what a session stores that began before is refused, so that it takes back nothing of what init did. */
export function takenOver(facts: StateFacts): StateFacts {
  return { ...facts, reservedBy: `init ${randomUUID()}` };
}

/** The switches that the event triggers read. */
export async function saveTriggerSettings(sql: Sql, mode: SetupMode): Promise<void> {
  await sql.query(
    `INSERT INTO pgstream.settings (key, value) VALUES ('mode', $1), ('keyless', $2)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
    [mode, mode === 'all' ? 'full' : 'none'],
  );
}

/** Changes that no sink will ever see. */
export interface Gap {
  readonly slot: string;
  /** `null`: the whole database. */
  readonly table: TableName | null;
  readonly fromLsn: string | null;
  readonly toLsn: string | null;
  readonly reason: string;
}

export async function recordGap(sql: Sql, gap: Gap): Promise<void> {
  await sql.query(
    `INSERT INTO pgstream.gaps (slot, schema_name, table_name, from_lsn, to_lsn, reason)
     VALUES ($1, $2, $3, $4::pg_lsn, $5::pg_lsn, $6)`,
    [gap.slot, gap.table?.schema ?? null, gap.table?.table ?? null, gap.fromLsn, gap.toLsn, gap.reason],
  );
}

export async function listGaps(sql: Sql, slot: string): Promise<Gap[]> {
  const { rows } = await sql.query(
    `SELECT schema_name, table_name, from_lsn::text AS from_lsn, to_lsn::text AS to_lsn, reason
     FROM pgstream.gaps WHERE slot = $1 ORDER BY id`,
    [slot],
  );
  return rows.map((row) => ({
    slot,
    table:
      optionalText(row, 'table_name') === null
        ? null
        : { schema: text(row, 'schema_name'), table: text(row, 'table_name') },
    fromLsn: optionalText(row, 'from_lsn'),
    toLsn: optionalText(row, 'to_lsn'),
    reason: text(row, 'reason'),
  }));
}
