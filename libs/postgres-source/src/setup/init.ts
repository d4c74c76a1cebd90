import { PipelineError, sqlStateOf } from '@pgstream/failure';
import type { ClientConfig } from 'pg';
import { installTriggers } from '../history/install-triggers.ts';
import type { Sql } from '../sql.ts';
import { identitySql, listKeyless, type KeylessTable } from './identity.ts';
import { addMissingTables, type AddedTables } from './list-mode.ts';
import { qualified } from './names.ts';
import { grantsSql, planInit, type InitPlan, type PlanOptions } from './plan.ts';
import { assertPreflight, serverPreflight } from './preflight.ts';
import { foreignPublicationText, listPublications } from './publication.ts';
import { ensureSlot, type SlotOutcome } from './ensure-slot.ts';
import { withShortLock } from './short-lock.ts';
import { slotFacts } from './server.ts';
import { saveTriggerSettings } from './state.ts';

export interface SetupConnections {
  /** The streaming role. */
  readonly sql: Sql;
  /** A superuser, for what the role may not do. */
  readonly admin?: Sql;
  /** For the slot and its snapshot: the streaming role's ordinary configuration. */
  readonly connection: ClientConfig;
  /** Runs the migrations through the session with most rights, without the files for a superuser where it is none. */
  readonly migrate: (options: { readonly superuser: boolean }) => Promise<readonly string[]>;
}

export interface InitOptions extends PlanOptions {
  /** Tables without identity: `full` sets REPLICA IDENTITY FULL, `ask` calls `confirm`, `stop` (default) refuses. */
  readonly keyless?: 'full' | 'ask' | 'stop';
  readonly confirm?: (tables: InitPlan['keyless']) => Promise<boolean>;
  readonly allowForeignPublication?: boolean;
  /** `migrations` and `slot` do one part; `slot` needs the other to have been done. */
  readonly only?: 'migrations' | 'slot';
  /** Another cluster, or LSNs that start over: count the epoch up and make a new slot. */
  readonly newEpoch?: boolean;
  /** After a failover in which nothing was lost. */
  readonly acceptTimeline?: boolean;
  /** Changes are lost: record the gap and go on. */
  readonly acceptGap?: boolean;
  /** The slot survives a failover to a standby that synchronises slots. PostgreSQL 17 and newer. */
  readonly failover?: boolean;
  readonly onWaiting?: (blockers: readonly string[]) => void;
}

export interface InitResult {
  readonly plan: InitPlan;
  readonly migrations: readonly string[];
  readonly identities: readonly string[];
  readonly slot: SlotOutcome | null;
  /** List mode: what the lists hold now. */
  readonly added: AddedTables | null;
}

/**
 * Prepares the database: migrations, identities, publication, slot, in this order; a publication younger than its slot could
 * never be decoded. May be run again at any time, and goes on where an earlier run stopped.
 * @throws {PipelineError} PG_IDENTITY_MISSING, PG_FOREIGN_PUBLICATION, PG_PRIVILEGE_MISSING and those of {@link ensureSlot}.
 */
export async function init(connections: SetupConnections, options: InitOptions): Promise<InitResult> {
  const { sql, admin } = connections;
  const plan = await planInit(sql, options, admin);
  const privileged = admin ?? sql;
  assertMayBegin(plan, options);
  assertPreflight(await serverPreflight(sql, options.slot));
  if (options.only === 'slot') return { ...nothing(plan), slot: await makeSlot(connections, plan, options) };
  const wanted = await consent(plan, options);
  const migrations = await migrate(connections, plan);
  await requireTriggers(privileged, plan);
  if (options.only === 'migrations') return { ...nothing(plan), migrations };
  await saveTriggerSettings(privileged, plan.mode);
  const identities = await publish(connections, plan, {
    wanted,
    useIndex: options.setIdentity === true,
    unlogged: plan.createPublications.length > 0,
  });
  const recordGaps = (await slotFacts(sql, options.slot)) !== null;
  const added = plan.mode === 'list' ? await addMissingTables(sql, { ...options, recordGaps }) : null;
  const slot = await makeSlot(connections, plan, options);
  return { plan, migrations, identities, slot, added };
}

interface Identities {
  readonly wanted: readonly KeylessTable[];
  readonly useIndex: boolean;
  /** Before the first slot nobody reads the log of schema changes: the event triggers need not write it. */
  readonly unlogged: boolean;
}

/** Sets identities, then makes the publications that are missing. Returns the statements about identities. */
async function publish(connections: SetupConnections, plan: InitPlan, ids: Identities): Promise<string[]> {
  const { sql, admin = sql } = connections;
  const done = await setIdentities(admin, ids);
  // A list belongs to the streaming role, which is to add tables to it later.
  const publisher = plan.mode === 'list' ? sql : admin;
  for (const statement of plan.createPublications) {
    // oxlint-disable-next-line no-await-in-loop -- in order
    await publisher.query(statement);
  }
  if (plan.mode === 'list' || plan.scope.kind === 'list' || plan.createPublications.length === 0) return done;
  // Tables that were made between listing and publishing, before the event triggers stood.
  const late = await listKeyless(admin);
  return [...done, ...(await setIdentities(admin, { ...ids, wanted: late }))];
}

function nothing(plan: InitPlan): InitResult {
  return { plan, migrations: [], identities: [], slot: null, added: null };
}

function assertMayBegin(plan: InitPlan, options: InitOptions): void {
  if (plan.foreign.length > 0 && options.allowForeignPublication !== true) {
    throw new PipelineError('PG_FOREIGN_PUBLICATION', { detail: foreignPublicationText(plan.foreign) });
  }
  if (!plan.role.replication) {
    throw new PipelineError('PG_PRIVILEGE_MISSING', {
      detail: `Role ${plan.role.role} may not replicate. As a superuser: ALTER ROLE "${plan.role.role}" REPLICATION;`,
    });
  }
  if (options.failover === true && plan.role.version < 170_000) {
    throw new PipelineError('PG_PREFLIGHT_FAILED', {
      detail: '--failover needs PostgreSQL 17 or newer: older standbys have no logical slots.',
    });
  }
  if (plan.role.inRecovery) {
    throw new PipelineError('PG_PREFLIGHT_FAILED', {
      detail: 'The server is a standby: use the URL of the primary.',
    });
  }
}

async function makeSlot(
  connections: SetupConnections,
  plan: InitPlan,
  options: InitOptions,
): Promise<SlotOutcome> {
  const oids = new Map((await listPublications(connections.sql)).map((one) => [one.name, one.oid]));
  const missing = plan.publications.filter((name) => !oids.has(name));
  if (missing.length > 0) throw new PipelineError('PG_PUBLICATION_MISSING', { detail: missing.join(', ') });
  const publicationOids = Object.fromEntries(plan.publications.map((name) => [name, oids.get(name) ?? '']));
  return ensureSlot(connections, { ...options, mode: plan.mode, publicationOids });
}

/** The tables to change; asks where it is to ask. */
async function consent(plan: InitPlan, options: InitOptions): Promise<readonly KeylessTable[]> {
  if (plan.keyless.length === 0) return [];
  const agreed =
    options.keyless === 'full' ||
    (options.keyless === 'ask' && (await options.confirm?.(plan.keyless)) === true);
  const byIndex =
    options.setIdentity === true ? plan.keyless.filter((table) => table.uniqueIndex !== null) : [];
  const open = agreed ? [] : plan.keyless.filter((table) => !byIndex.includes(table));
  if (open.length > 0) {
    const lines = open.map((table) => `  ${table.fix}  -- ${table.schema}.${table.table}: ${table.reason}`);
    throw new PipelineError('PG_IDENTITY_MISSING', {
      detail: `Nothing was changed. Tables:\n${lines.join('\n')}\n`,
    });
  }
  return plan.keyless;
}

async function migrate(connections: SetupConnections, plan: InitPlan): Promise<readonly string[]> {
  try {
    const applied = await connections.migrate({ superuser: plan.superuser });
    if (connections.admin !== undefined) await connections.admin.query(grantsSql(plan.role.role).join('\n'));
    return applied;
  } catch (cause) {
    if (sqlStateOf(cause) !== '42501') throw cause;
    throw new PipelineError('PG_PRIVILEGE_MISSING', {
      cause,
      detail:
        `Role ${plan.role.role} may not create schema pgstream in database ${plan.role.database}. As its owner: ` +
        `GRANT CREATE ON DATABASE "${plan.role.database}" TO "${plan.role.role}"; or use --admin-url.`,
    });
  }
}

/** Under FOR ALL TABLES the triggers are what keeps the owner's UPDATE from failing on a table made without a key. */
async function requireTriggers(privileged: Sql, plan: InitPlan): Promise<void> {
  const installed = await installTriggers(privileged);
  if (installed || plan.mode === 'list') return;
  throw new PipelineError('PG_PREFLIGHT_FAILED', {
    detail:
      'The event triggers cannot be created: schema pgstream belongs to another role than the one that runs init now. ' +
      'Run tear-down with the URL that made it, then init again with --admin-url.',
  });
}

async function setIdentities(sql: Sql, { wanted, useIndex, unlogged }: Identities): Promise<string[]> {
  const done: string[] = [];
  for (const table of wanted) {
    const statement = identitySql(table, useIndex);
    // Recorded in the same transaction, so that tear-down knows what to put back.
    // oxlint-disable-next-line no-await-in-loop -- one table at a time
    await withShortLock(
      sql,
      `${unlogged ? "SET LOCAL pgstream.inside = 'true';" : ''}
       INSERT INTO pgstream.identity_set (table_oid, previous)
         VALUES ('${qualified(table).replaceAll("'", "''")}'::regclass, '${table.replicaIdentity}') ON CONFLICT DO NOTHING;
       ${statement}`,
    );
    done.push(statement);
  }
  return done;
}
