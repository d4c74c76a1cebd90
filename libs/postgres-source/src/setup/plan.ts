import { PipelineError } from '@pgstream/failure';
import type { Sql } from '../sql.ts';
import { identitySql, listKeyless, type KeylessTable } from './identity.ts';
import { assertSlotName, publicationNames, quoteIdent, quoteLiteral, type TableName } from './names.ts';
import {
  createFullSql,
  createListsSql,
  dropPublicationSql,
  existingTables,
  foreignPublications,
  listPublications,
  type PublicationFacts,
  type SetupMode,
} from './publication.ts';
import { texts } from './rows.ts';
import { serverFacts, type ServerFacts } from './server.ts';
import { hasStateTable } from './state.ts';
import {
  EVERY_TABLE,
  selectionIncludes,
  publicationScope,
  type PublicationScope,
  type TableSelection,
} from './table-selection.ts';

export interface PlanOptions {
  readonly slot: string;
  /** `auto`: what exists; else `all` with a superuser at hand, `list` without. */
  readonly mode?: 'auto' | SetupMode;
  readonly filter?: TableSelection;
  /** Use a UNIQUE NOT NULL index as replica identity where there is one. */
  readonly setIdentity?: boolean;
  /** Text of the migrations as one script, for the SQL that a superuser may run by hand. */
  readonly migrationsScript?: string;
}

export interface InitPlan {
  readonly slot: string;
  readonly mode: SetupMode;
  /** The role that streams. */
  readonly role: ServerFacts;
  /** Somebody with a superuser's rights takes part. */
  readonly superuser: boolean;
  readonly scope: PublicationScope;
  readonly publications: readonly string[];
  /** Statements that make the publications that do not exist yet. */
  readonly createPublications: readonly string[];
  /** Tables that the publication would make unwritable, with the statement that prevents it. */
  readonly keyless: readonly (KeylessTable & { readonly fix: string })[];
  readonly foreign: readonly string[];
  /** Tables that the filter names and that do not exist yet. */
  readonly missingTables: readonly TableName[];
  /** What this mode cannot do, in sentences for the user. */
  readonly limits: readonly string[];
  /** A script that gives the full mode when a superuser runs it in this database; then run init again. */
  readonly superuserSql: string;
}

/**
 * Looks, and changes nothing.
 * @param admin a session with more rights than the streaming role, where there is one (`--admin-url`).
 */
export async function planInit(sql: Sql, options: PlanOptions, admin?: Sql): Promise<InitPlan> {
  assertSlotName(options.slot, 'replication-slot');
  const [role, adminFacts, found] = [
    await serverFacts(sql),
    admin === undefined ? null : await serverFacts(admin),
    await listPublications(sql),
  ];
  assertSameDatabase(role, adminFacts);
  const filter = options.filter ?? EVERY_TABLE;
  const superuser = role.superuser || adminFacts?.superuser === true;
  const names = publicationNames(options.slot);
  const mode = chooseMode(options, superuser, found);
  assertAdminHelps(options.slot, mode, adminFacts);
  const scope = publicationScope(filter);
  const wanted = scope.kind === 'list' ? scope.tables : [];
  const existing = wanted.length === 0 ? [] : await existingTables(sql, wanted);
  const published = (name: string) => found.some((one) => one.name === name);
  const fullSql = createFullSql(names.full, scope, existing);
  const create = mode === 'all' ? [[names.full, fullSql] as const] : zipLists(names.full, names.insertOnly);
  const keyless = withFix(await listKeyless(sql), filter, scope, options.setIdentity === true);
  return {
    slot: options.slot,
    mode,
    role,
    superuser,
    scope,
    publications: create.map(([name]) => name),
    createPublications: create.filter(([name]) => !published(name)).map(([, statement]) => statement),
    keyless: mode === 'all' ? keyless : [],
    foreign: foreignPublications(found, [names.full, ...(await publicationsOfOtherSlots(sql))]),
    missingTables: wanted.filter((name) => !existing.some((one) => sameTable(one, name))),
    limits: mode === 'list' ? LIST_LIMITS : [],
    superuserSql: superuserScript({ options, role, keyless, fullSql, lists: mode === 'list' }),
  };
}

export const LIST_LIMITS: readonly string[] = [
  'Only tables that this role owns can be captured: ALTER PUBLICATION … ADD TABLE needs ownership.',
  'A new table is captured from the moment the producer adds it; rows written before are a recorded gap, CREATE TABLE AS included.',
  'Of tables without a usable replica identity only INSERT and TRUNCATE are captured.',
  'A table that loses its key, or the index that is its replica identity, refuses UPDATE and DELETE until the running producer has moved it to the list of those without (seconds).',
  'There are no event triggers: schema changes are told from RELATION messages, when the next row arrives.',
];

function assertSameDatabase(role: ServerFacts, admin: ServerFacts | null): void {
  if (admin === null || (admin.systemId === role.systemId && admin.database === role.database)) return;
  throw new PipelineError('CONFIG_INVALID', {
    detail: `admin-url: leads to database ${admin.database} of another server or to another database than postgres-url (${role.database}).`,
  });
}

function chooseMode(options: PlanOptions, superuser: boolean, found: readonly PublicationFacts[]): SetupMode {
  const existing = existingMode(options.slot, found);
  const asked = options.mode ?? 'auto';
  if (existing !== null && asked !== 'auto' && asked !== existing) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `mode: the publications of slot ${options.slot} exist in mode ${existing}. Run tear-down first.`,
    });
  }
  if (existing !== null) return existing;
  if (asked === 'auto') return superuser ? 'all' : 'list';
  if (asked === 'list' || superuser) return asked;
  throw new PipelineError('PG_PRIVILEGE_MISSING', {
    detail:
      'Publications FOR ALL TABLES and event triggers need a superuser: use --admin-url, or run the printed SQL.',
  });
}

/** List mode is what the streaming role can do alone; a half of it made by somebody else it could not go on with. */
function assertAdminHelps(slot: string, mode: SetupMode, admin: ServerFacts | null): void {
  if (admin === null || mode === 'all') return;
  throw new PipelineError('CONFIG_INVALID', {
    detail: admin.superuser
      ? `admin-url: slot ${slot} was made in list mode. Run tear-down first, then init with --admin-url.`
      : `admin-url: role ${admin.role} is not a superuser.`,
  });
}

function existingMode(slot: string, found: readonly PublicationFacts[]): SetupMode | null {
  const names = publicationNames(slot);
  const has = (name: string) => found.some((one) => one.name === name);
  // A list beside it tells the two modes apart: the publication of mode `all` may be limited to some tables.
  if (has(names.insertOnly)) return 'list';
  return has(names.full) ? 'all' : null;
}

function zipLists(full: string, insertOnly: string): (readonly [string, string])[] {
  const [fullSql = '', insertOnlySql = ''] = createListsSql({ full, insertOnly });
  return [
    [full, fullSql],
    [insertOnly, insertOnlySql],
  ];
}

function withFix(
  tables: readonly KeylessTable[],
  filter: TableSelection,
  scope: PublicationScope,
  useIndex: boolean,
) {
  // A publication FOR ALL TABLES reaches tables that the filter leaves out as well.
  const affected = tables.filter((table) => scope.kind === 'all' || selectionIncludes(filter, table.root));
  return affected.map((table) => ({ ...table, fix: identitySql(table, useIndex) }));
}

function sameTable(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}

async function publicationsOfOtherSlots(sql: Sql): Promise<string[]> {
  if (!(await hasStateTable(sql))) return [];
  const { rows } = await sql
    .query('SELECT publications FROM pgstream.replication_state')
    // Not readable for this role (yet): then they count as foreign, which errs on the safe side.
    .catch(() => ({ rows: [] }));
  return rows.flatMap((row) => texts(row, 'publications'));
}

interface ScriptParts {
  readonly options: PlanOptions;
  readonly role: ServerFacts;
  readonly keyless: InitPlan['keyless'];
  readonly fullSql: string;
  /** The script replaces what list mode makes. */
  readonly lists: boolean;
}

function superuserScript({ options, role, keyless, fullSql, lists }: ScriptParts): string {
  const names = publicationNames(options.slot);
  return [
    `-- To be run by a superuser in database ${quoteIdent(role.database)}; afterwards run pgstream init again.`,
    ...(role.replication ? [] : [`ALTER ROLE ${quoteIdent(role.role)} REPLICATION;`]),
    ...(lists
      ? [
          ...replaceListsSql(role.role, options.slot),
          dropPublicationSql(names.full),
          dropPublicationSql(names.insertOnly),
        ]
      : []),
    ...(options.migrationsScript === undefined ? [] : [options.migrationsScript]),
    `INSERT INTO pgstream.settings (key, value) VALUES ('mode', 'all'), ('keyless', 'full')`,
    `  ON CONFLICT (key) DO UPDATE SET value = excluded.value;`,
    ...keyless.map((table) => table.fix),
    fullSql,
    ...grantsSql(role.role),
    '',
  ].join('\n');
}

/** The schema that the role made in list mode is made anew: a superuser's event trigger must not run another role's functions. */
function replaceListsSql(role: string, slot: string): string[] {
  return [
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slot)};`,
    `DO $$ BEGIN IF (SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'pgstream') = ` +
      `${quoteLiteral(quoteIdentIfNeeded(role))} THEN DROP SCHEMA pgstream CASCADE; END IF; END $$;`,
  ];
}

/** As regrole prints it. */
function quoteIdentIfNeeded(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : quoteIdent(name);
}

/** What the streaming role needs of a schema that somebody else owns. */
export function grantsSql(role: string): string[] {
  const to = quoteIdent(role);
  return [
    `GRANT USAGE ON SCHEMA pgstream TO ${to};`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pgstream TO ${to};`,
    `GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA pgstream TO ${to};`,
    `ALTER DEFAULT PRIVILEGES IN SCHEMA pgstream GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${to};`,
  ];
}
