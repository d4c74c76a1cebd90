import { PipelineError } from '@pgstream/failure';
import type { Sql } from '../sql.ts';
import { identitySql, listKeyless, type KeylessTable } from './identity.ts';
import { publicationNames } from './names.ts';
import { PREFLIGHT_SETTINGS, serverChecks } from './preflight-server.ts';
import {
  foreignPublications,
  foreignPublicationText,
  listPublications,
  type PublicationFacts,
} from './publication.ts';
import { text, texts } from './rows.ts';
import { serverFacts, slotFacts, type ServerFacts, type SlotFacts } from './server.ts';
import { loadState, type ReplicationState } from './state.ts';

export interface PreflightCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What it means where `ok` is false: `error` stops, `warning` is said, `info` is told. */
  readonly severity: 'error' | 'warning' | 'info';
  readonly detail: string;
  /** SQL or words that put it right; `null` where nothing can be done, or needs to be. */
  readonly remedy: string | null;
}

export interface PreflightOptions {
  readonly slot: string;
  /** Before init the slot and the publications need not exist. Default: whether the state knows the slot. */
  readonly initialised?: boolean;
}

interface Facts {
  readonly server: ServerFacts;
  readonly slot: SlotFacts | null;
  readonly slotName: string;
  readonly state: ReplicationState | null;
  readonly initialised: boolean;
}

/** Everything that could stop or harm streaming, in the order in which to repair it. Changes nothing. */
export async function preflight(sql: Sql, options: PreflightOptions): Promise<PreflightCheck[]> {
  const state = await loadState(sql, options.slot);
  const facts: Facts = {
    server: await serverFacts(sql),
    slot: await slotFacts(sql, options.slot),
    slotName: options.slot,
    state,
    initialised: options.initialised ?? (state !== null && state.consistentPoint !== null),
  };
  const checks = [
    ...serverChecks({ ...facts, settings: await serverSettings(sql) }),
    ...roleChecks(facts),
    ...slotChecks(facts),
    ...(await catalogueChecks(sql, facts)),
    await textSettingsCheck(sql),
  ];
  return checks.map((check) => (check.ok ? { ...check, remedy: null } : check));
}

/** The part that init looks at before it changes anything: the server and its settings. */
export async function serverPreflight(sql: Sql, slot: string): Promise<PreflightCheck[]> {
  const found = { server: await serverFacts(sql), slot: await slotFacts(sql, slot) };
  return serverChecks({ ...found, settings: await serverSettings(sql) });
}

/** @throws {PipelineError} PG_PREFLIGHT_FAILED with every failed check that is an error. */
export function assertPreflight(checks: readonly PreflightCheck[]): void {
  const failed = checks.filter((check) => !check.ok && check.severity === 'error');
  if (failed.length === 0) return;
  const lines = failed.map((check) => `  ${check.name}: ${check.detail} ${check.remedy ?? ''}`.trimEnd());
  throw new PipelineError('PG_PREFLIGHT_FAILED', { detail: `\n${lines.join('\n')}` });
}

async function serverSettings(sql: Sql): Promise<Map<string, string>> {
  const { rows } = await sql.query(
    `SELECT name, setting FROM pg_settings WHERE name = ANY($1)
     UNION ALL SELECT 'slots', count(*)::text FROM pg_replication_slots
     UNION ALL SELECT 'walsenders', count(*)::text FROM pg_stat_replication`,
    [[...PREFLIGHT_SETTINGS]],
  );
  return new Map(rows.map((row) => [text(row, 'name'), text(row, 'setting')]));
}

const may = (right: boolean) => (right ? 'may' : 'may not');

function roleChecks({ server, initialised }: Facts): PreflightCheck[] {
  const role = `"${server.role}"`;
  return [
    {
      name: 'role_replication',
      ok: server.replication,
      severity: 'error',
      detail: `Role ${role} ${may(server.replication)} replicate.`,
      remedy: `ALTER ROLE ${role} REPLICATION;`,
    },
    {
      name: 'role_superuser',
      ok: server.superuser,
      severity: 'info',
      detail: server.superuser
        ? `Role ${role} is a superuser.`
        : `Role ${role} is not a superuser: init needs --admin-url or the SQL that it prints, or works in list mode.`,
      remedy: null,
    },
    {
      name: 'role_create',
      ok: initialised || server.mayCreate,
      severity: 'error',
      detail: `Role ${role} ${may(server.mayCreate)} create schemas and publications in database ${server.database}.`,
      remedy: `GRANT CREATE ON DATABASE "${server.database}" TO ${role};`,
    },
  ];
}

function slotChecks({ slot, slotName, initialised }: Facts): PreflightCheck[] {
  if (slot === null) {
    const detail = `Slot ${slotName} does not exist${initialised ? '' : ' yet'}.`;
    const remedy = 'pgstream init --accept-gap, then a new snapshot.';
    return [{ name: 'slot', ok: !initialised, severity: 'error', detail, remedy }];
  }
  const lost = slot.walStatus === 'lost' || slot.invalidationReason !== null;
  const reader = slot.active ? `read by process ${slot.activePid}` : 'not read at the moment';
  const safe = slot.safeBytes === null ? '' : `, ${slot.safeBytes} bytes before it is lost`;
  return [
    {
      name: 'slot',
      ok: slot.plugin === 'pgoutput',
      severity: 'error',
      detail: `Slot ${slotName}: plugin ${slot.plugin}, ${reader}, keeps ${slot.retainedBytes ?? 0} bytes of WAL.`,
      remedy: `Choose another --replication-slot, or SELECT pg_drop_replication_slot('${slotName}');`,
    },
    {
      name: 'slot_wal_status',
      ok: !lost && slot.walStatus !== 'unreserved',
      severity: lost ? 'error' : 'warning',
      detail: `wal_status ${slot.walStatus}${safe}.`,
      remedy: lost
        ? 'pgstream init --accept-gap, then a new snapshot.'
        : 'Start the producer; raise max_slot_wal_keep_size.',
    },
  ];
}

async function catalogueChecks(sql: Sql, facts: Facts): Promise<PreflightCheck[]> {
  const found = await listPublications(sql);
  return [
    publicationCheck(facts, found),
    identityCheck(await listKeyless(sql), facts.state),
    foreignCheck(foreignPublications(found, [publicationNames(facts.slotName).full])),
    await triggerCheck(sql, facts),
  ];
}

function publicationCheck(
  { slotName, state, initialised }: Facts,
  found: readonly PublicationFacts[],
): PreflightCheck {
  const wanted = state?.publications ?? [publicationNames(slotName).full];
  const missing = wanted.filter((name) => !found.some((one) => one.name === name));
  const absent = `${missing.join(', ')} does not exist${initialised ? '' : ' yet'}.`;
  return {
    name: 'publications',
    ok: !initialised || missing.length === 0,
    severity: 'error',
    detail: missing.length === 0 ? wanted.join(', ') : absent,
    remedy: 'pgstream tear-down --slot-only, then pgstream init, then a new snapshot.',
  };
}

const SHOWN_TABLES = 20;

function identityCheck(keyless: readonly KeylessTable[], state: ReplicationState | null): PreflightCheck {
  const listMode = state?.mode === 'list';
  const shown = keyless
    .slice(0, SHOWN_TABLES)
    .map((table) => `${table.schema}.${table.table} (${table.reason})`);
  const more = keyless.length > SHOWN_TABLES ? ` and ${keyless.length - SHOWN_TABLES} more` : '';
  const effect = listMode
    ? 'only INSERT and TRUNCATE are captured'
    : 'UPDATE and DELETE fail under a publication FOR ALL TABLES';
  return {
    name: 'replica_identity',
    ok: keyless.length === 0,
    // Init needs an answer first; a producer that refused to start would not help the owner.
    severity: state === null ? 'error' : 'warning',
    detail:
      keyless.length === 0
        ? 'Every table has a usable replica identity.'
        : `${shown.join(', ')}${more}: ${effect}.`,
    remedy: keyless.map((table) => identitySql(table, false)).join(' '),
  };
}

function foreignCheck(foreign: readonly string[]): PreflightCheck {
  return {
    name: 'foreign_publications',
    ok: foreign.length === 0,
    severity: 'warning',
    detail: foreign.length === 0 ? 'None.' : foreignPublicationText(foreign),
    remedy: null,
  };
}

async function triggerCheck(sql: Sql, { initialised, state }: Facts): Promise<PreflightCheck> {
  const { rows } = await sql.query(
    `SELECT array_agg(t.evtname::text) AS names FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
     JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pgstream' AND t.evtenabled = 'A'`,
  );
  const present = texts(rows[0], 'names').length > 0;
  return {
    name: 'event_triggers',
    ok: present || !initialised,
    severity: state?.mode === 'list' ? 'info' : 'warning',
    detail: present
      ? 'Schema changes are recorded by event triggers.'
      : 'No event triggers: schema changes are told from RELATION messages and the catalogue.',
    remedy: 'pgstream init --admin-url …',
  };
}

/** Settings that would change the text of values; our sessions pin them. */
async function textSettingsCheck(sql: Sql): Promise<PreflightCheck> {
  const { rows } = await sql.query(
    `SELECT array_agg(DISTINCT lower(split_part(c, '=', 1))) AS names FROM pg_db_role_setting s, unnest(s.setconfig) c
     WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND s.setrole IN (0, current_user::regrole)
       AND lower(split_part(c, '=', 1)) IN
         ('datestyle', 'intervalstyle', 'timezone', 'extra_float_digits', 'bytea_output', 'lc_monetary')`,
  );
  const names = texts(rows[0], 'names').join(', ');
  const detail =
    names === ''
      ? 'None set for role or database.'
      : `${names} set for role or database; pinned by pgstream.`;
  return { name: 'text_settings', ok: true, severity: 'info', detail, remedy: null };
}
