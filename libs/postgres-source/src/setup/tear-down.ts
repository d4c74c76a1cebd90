import type { Sql } from '../sql.ts';
import { restoreIdentitySql } from './identity.ts';
import { publicationNames, quoteIdent } from './names.ts';
import { dropPublicationSql, listPublications } from './publication.ts';
import { optionalText, text } from './rows.ts';
import { withShortLock } from './short-lock.ts';
import { dropSlot } from './slot.ts';
import { hasStateTable, loadState } from './state.ts';

export interface TearDownOptions {
  readonly slot: string;
  /** End our own walsender that still reads the slot. */
  readonly force?: boolean;
  /** `slot` leaves migrations, publications and identities; `migrations` leaves slot and publications. */
  readonly only?: 'migrations' | 'slot';
}

/** What was removed or put back, as statements; empty where nothing was left. */
export type TearDownResult = readonly string[];

/**
 * Takes back what init made: the slot first, since one that is read stops it before anything is lost; then event triggers,
 * publications, replica identities, and schema pgstream with the last slot that uses it. Idempotent.
 * @param sql a session that may: a superuser, or the streaming role in list mode.
 * @throws {PipelineError} PG_SLOT_ACTIVE, PG_PRIVILEGE_MISSING.
 */
export async function tearDown(sql: Sql, options: TearDownOptions): Promise<TearDownResult> {
  const done: string[] = [];
  if (options.only !== 'migrations') done.push(...(await removeSlot(sql, options)));
  if (options.only === 'slot') return done;
  const run = async (statements: readonly string[]) => {
    for (const statement of statements) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await withShortLock(sql, statement);
      done.push(statement);
    }
  };
  const last = await isLastSlot(sql, options.slot);
  if (last) await run(await eventTriggerDrops(sql));
  if (options.only !== 'migrations') await run(await publicationDrops(sql, options.slot));
  if (last) {
    await run(await identityRestores(sql));
    await run(await schemaDrop(sql));
  } else {
    await run(await stateDeletes(sql, options.slot));
  }
  return done;
}

async function removeSlot(sql: Sql, { slot, force }: TearDownOptions): Promise<string[]> {
  const dropped = await dropSlot(sql, slot, { terminate: force === true });
  // The rest of the state stays for a later init, which then knows that the slot was given up on purpose.
  if ((await loadState(sql, slot)) !== null) {
    await sql.query(
      'UPDATE pgstream.replication_state SET consistent_point = NULL, updated_at = now() WHERE slot = $1',
      [slot],
    );
  }
  return dropped ? [`SELECT pg_drop_replication_slot('${slot}');`] : [];
}

async function isLastSlot(sql: Sql, slot: string): Promise<boolean> {
  if (!(await hasStateTable(sql))) return true;
  const { rows } = await sql.query('SELECT 1 FROM pgstream.replication_state WHERE slot <> $1 LIMIT 1', [
    slot,
  ]);
  return rows.length === 0;
}

async function eventTriggerDrops(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query(
    `SELECT t.evtname AS name FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid
     JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'pgstream' ORDER BY 1`,
  );
  return rows.map((row) => `DROP EVENT TRIGGER IF EXISTS ${quoteIdent(text(row, 'name'))};`);
}

async function publicationDrops(sql: Sql, slot: string): Promise<string[]> {
  const state = await loadState(sql, slot);
  const names = publicationNames(slot);
  const ours = new Set([names.full, names.insertOnly, ...(state?.publications ?? [])]);
  return (await listPublications(sql))
    .filter((one) => ours.has(one.name))
    .map((one) => dropPublicationSql(one.name));
}

/** Only where the identity is still the one that pgstream set: a later choice of the owner stays. */
async function identityRestores(sql: Sql): Promise<string[]> {
  if (!(await has(sql, 'pgstream.identity_set'))) return [];
  const { rows } = await sql.query(
    `SELECT n.nspname AS schema, c.relname AS table, s.previous::text AS was FROM pgstream.identity_set s
     JOIN pg_class c ON c.oid = s.table_oid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND (c.relreplident = 'f' OR (c.relreplident = 'i' AND s.previous <> 'i')) ORDER BY 1, 2`,
  );
  return rows.map((row) => {
    const change = { schema: text(row, 'schema'), table: text(row, 'table'), was: text(row, 'was') };
    return restoreIdentitySql(change);
  });
}

async function schemaDrop(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query("SELECT to_regnamespace('pgstream')::text AS name");
  return optionalText(rows[0], 'name') === null ? [] : ['DROP SCHEMA IF EXISTS pgstream CASCADE;'];
}

async function stateDeletes(sql: Sql, slot: string): Promise<string[]> {
  const tables = ['replication_state', 'table_shapes', 'gaps'];
  const present = await Promise.all(tables.map((table) => has(sql, `pgstream.${table}`)));
  return tables
    .filter((_, at) => present[at])
    .map((table) => `DELETE FROM pgstream.${table} WHERE slot = '${slot}';`);
}

async function has(sql: Sql, table: string): Promise<boolean> {
  const { rows } = await sql.query('SELECT to_regclass($1)::text AS name', [table]);
  return optionalText(rows[0], 'name') !== null;
}
