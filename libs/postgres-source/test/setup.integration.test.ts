import { fail } from 'node:assert';
import { PipelineError } from '@pgstream/failure';
import { runMigrations } from '@pgstream/postgres-client';
import { endpoints, waitFor } from '@pgstream/test-kit';
import {
  addMissingTables,
  checkBeforeStart,
  listGaps,
  loadState,
  planInit,
  status,
  tearDown,
  type SetupConnections,
} from '@pgstream/postgres-source';
import { fingerprint, MIGRATIONS, setupRig, type RigRole, type SetupRig } from './setup-rig.ts';

let rig: SetupRig;
beforeEach(async () => {
  rig = await setupRig();
});
afterEach(() => rig.close());

/** One table for each way of having no usable identity, and two that have one. */
const KEYLESS_TABLES = `
  CREATE TABLE plain (a int, b text);
  CREATE TABLE unique_only (a int NOT NULL UNIQUE, b text);
  CREATE TABLE defer_pk (a int PRIMARY KEY DEFERRABLE, b text);
  CREATE TABLE no_ident (a int PRIMARY KEY, b text); ALTER TABLE no_ident REPLICA IDENTITY NOTHING;
  CREATE TABLE index_gone (a int PRIMARY KEY, b int NOT NULL); CREATE UNIQUE INDEX gone ON index_gone (b);
    ALTER TABLE index_gone REPLICA IDENTITY USING INDEX gone; DROP INDEX gone;
  CREATE TABLE parted (a int, b text) PARTITION BY RANGE (a);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
  CREATE TABLE leafkey (a int, b text) PARTITION BY RANGE (a);
    CREATE TABLE leafkey_1 PARTITION OF leafkey (PRIMARY KEY (a)) FOR VALUES FROM (0) TO (100);
  CREATE TABLE keyed (a int PRIMARY KEY, b text);
  CREATE TABLE chosen (a int PRIMARY KEY, b int NOT NULL); CREATE UNIQUE INDEX chosen_b ON chosen (b);
    ALTER TABLE chosen REPLICA IDENTITY USING INDEX chosen_b;`;
const WITHOUT = ['defer_pk', 'index_gone', 'no_ident', 'parted', 'parted_1', 'plain', 'unique_only'];
const WRITABLE = [
  'plain',
  'unique_only',
  'defer_pk',
  'no_ident',
  'index_gone',
  'parted',
  'leafkey',
  'keyed',
  'chosen',
];

/** The owner's INSERT, UPDATE and DELETE on each table; the first failure is thrown. */
async function writeEverywhere(tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    await rig.admin.query(`INSERT INTO ${table} VALUES (1, '1'), (2, '2')`);
    await rig.admin.query(`UPDATE ${table} SET b = '7' WHERE a = 1`);
    await rig.admin.query(`DELETE FROM ${table}`);
  }
}

test('init makes migrations, publication, slot and state, and a second run changes nothing', async () => {
  await rig.admin.query('CREATE TABLE t (a int PRIMARY KEY)');
  const first = await rig.init();
  expect(first).toMatchObject({ plan: { mode: 'all' }, slot: { created: true, epoch: 1, gap: null } });
  const before = [await fingerprint(rig), await loadState(rig.admin, rig.slot)];
  const second = await rig.init();
  expect(second).toMatchObject({ migrations: [], identities: [], slot: { created: false } });
  expect([await fingerprint(rig), await loadState(rig.admin, rig.slot)]).toEqual(before);
  await expect(status(rig.admin, rig.slot)).resolves.toMatchObject({
    schemaExists: true,
    migrationVersion: first.migrations.length,
    slot: { plugin: 'pgoutput', active: false, walStatus: 'reserved', database: rig.database },
    publications: [{ name: rig.publication, exists: true, allTables: true }],
    state: { mode: 'all', epoch: 1 },
    gaps: [],
  });
  const shapes = await rig.admin.query(
    "SELECT count(*)::int AS n FROM pgstream.table_shapes WHERE object = 'table'",
  );
  expect(shapes.rows).toEqual([{ n: 1 }]);
});

test.each([15, 16, 18] as const)('PostgreSQL %i: init, status and tear-down', async (major) => {
  const other = await setupRig(endpoints().postgresUrls[major]);
  try {
    await other.admin.query('CREATE TABLE plain (a int)');
    await expect(other.init({ keyless: 'full' })).resolves.toMatchObject({ slot: { created: true } });
    await other.admin.query('INSERT INTO plain VALUES (1); UPDATE plain SET a = 2; DELETE FROM plain');
    await expect(checkBeforeStart(other.admin, { slot: other.slot })).resolves.toMatchObject({
      state: { epoch: 1 },
    });
    await expect(status(other.admin, other.slot)).resolves.toMatchObject({ slot: { walStatus: 'reserved' } });
    await tearDown(other.admin, { slot: other.slot });
    await expect(fingerprint(other)).resolves.toMatchObject({
      schemas: null,
      slots: null,
      tables: ['plain d'],
    });
  } finally {
    await other.close();
  }
});

test('a table in use delays init and is never made to wait', async () => {
  await rig.admin.query('CREATE TABLE busy (a int)');
  await rig.admin.withClient(async (client) => {
    await client.query('BEGIN; INSERT INTO busy VALUES (1)');
    const initialised = rig.init({ keyless: 'full' });
    await waitFor('init to give way once', async () => {
      const { rows } = await rig.admin.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows.length > 0;
    });
    await rig.admin.query(
      "SET statement_timeout = '5s'; INSERT INTO busy VALUES (2); RESET statement_timeout",
    );
    await client.query('COMMIT');
    await expect(initialised).resolves.toMatchObject({ slot: { created: true } });
  });
});

test('a run that died after the slot was made is finished by the next', async () => {
  await rig.init();
  await rig.admin.query('UPDATE pgstream.replication_state SET consistent_point = NULL');
  await expect(rig.init()).resolves.toMatchObject({ slot: { created: true, gap: null } });
});

test('tables without identity stop init, which changes nothing and prints the SQL of each', async () => {
  await rig.admin.query(KEYLESS_TABLES);
  const before = await fingerprint(rig);
  const error = await rig.init().catch((cause: unknown) => cause);
  if (!(error instanceof PipelineError)) fail('init went on');
  expect(error).toMatchObject({ code: 'PG_IDENTITY_MISSING', exitCode: 78 });
  for (const table of WITHOUT)
    expect(error.message).toContain(`ALTER TABLE "public"."${table}" REPLICA IDENTITY FULL;`);
  expect(error.message).not.toContain('"keyed"');
  await expect(fingerprint(rig)).resolves.toEqual(before);
  const asked: string[][] = [];
  const refuse = async (tables: readonly { table: string }[]) => {
    asked.push(tables.map(({ table }) => table));
    return false;
  };
  await expect(rig.init({ keyless: 'ask', confirm: refuse })).rejects.toMatchObject({
    code: 'PG_IDENTITY_MISSING',
  });
  expect(asked).toEqual([WITHOUT]);
});

test('with consent the owner goes on writing, before and after init; tear-down puts everything back', async () => {
  await rig.admin.query(KEYLESS_TABLES);
  await writeEverywhere(WRITABLE);
  const before = await fingerprint(rig);
  const result = await rig.init({ keyless: 'full' });
  expect(result.identities).toHaveLength(WITHOUT.length);
  await writeEverywhere(WRITABLE);
  await rig.admin.query(
    'CREATE TABLE later (a int, b text); ALTER TABLE keyed DROP CONSTRAINT keyed_pkey; DROP INDEX chosen_b',
  );
  await writeEverywhere([...WRITABLE, 'later']);
  await rig.admin.query('DROP TABLE later; ALTER TABLE keyed ADD PRIMARY KEY (a)');
  await rig.admin.query(
    'CREATE UNIQUE INDEX chosen_b ON chosen (b); ALTER TABLE chosen REPLICA IDENTITY USING INDEX chosen_b',
  );
  await tearDown(rig.admin, { slot: rig.slot });
  await expect(fingerprint(rig)).resolves.toMatchObject({
    ...before,
    // Its index is gone: NOTHING is what that meant.
    tables: before.tables?.map((one) => one.replace('index_gone i', 'index_gone n')),
  });
  await expect(tearDown(rig.admin, { slot: rig.slot })).resolves.toEqual([]);
});

test('--set-identity takes the UNIQUE NOT NULL index where there is one', async () => {
  await rig.admin.query('CREATE TABLE u (a int NOT NULL UNIQUE); CREATE TABLE n (a int UNIQUE)');
  await expect(rig.init({ setIdentity: true })).rejects.toMatchObject({ code: 'PG_IDENTITY_MISSING' });
  const { identities } = await rig.init({ setIdentity: true, keyless: 'full' });
  expect(identities).toEqual([
    'ALTER TABLE "public"."n" REPLICA IDENTITY FULL;',
    'ALTER TABLE "public"."u" REPLICA IDENTITY USING INDEX "u_a_key";',
  ]);
});

test('a foreign FOR ALL TABLES publication is refused unless allowed', async () => {
  await rig.admin.query('CREATE PUBLICATION theirs FOR ALL TABLES');
  const before = await fingerprint(rig);
  await expect(rig.init()).rejects.toMatchObject({
    code: 'PG_FOREIGN_PUBLICATION',
    exitCode: 78,
    message: expect.stringMatching(/theirs.*pg_dump --schema=pgstream.*--allow-foreign-publication/s),
  });
  await expect(fingerprint(rig)).resolves.toEqual(before);
  await expect(rig.init({ allowForeignPublication: true })).resolves.toMatchObject({
    slot: { created: true },
  });
});

test('include lists are pushed into the publication; globs are left to the reader', async () => {
  await rig.admin.query(
    'CREATE SCHEMA s; CREATE TABLE s.a (a int PRIMARY KEY); CREATE TABLE b (a int PRIMARY KEY)',
  );
  await rig.init({ filter: { include: ['b', 's.*', 'public.later'], exclude: [] } });
  const { rows } = await rig.admin.query(
    "SELECT schemaname || '.' || tablename AS name FROM pg_publication_tables WHERE pubname = $1 ORDER BY 1",
    [rig.publication],
  );
  expect(rows.map((row) => row['name'])).toEqual(['pgstream.schema_log', 'public.b', 's.a']);
  const plan = await planInit(rig.admin, {
    slot: 'other',
    filter: { include: ['b', 'public.later'], exclude: [] },
  });
  expect(plan.missingTables).toEqual([{ schema: 'public', table: 'later' }]);
  await expect(
    planInit(rig.admin, { slot: 'other', filter: { include: ['s.a*'], exclude: [] } }),
  ).resolves.toMatchObject({ scope: { kind: 'all' } });
});

test('two slots in one database: each is torn down alone, the last takes the schema', async () => {
  await rig.init();
  const other = `${rig.database}_two`;
  await rig.init({ slot: other });
  await tearDown(rig.admin, { slot: rig.slot });
  await expect(status(rig.admin, other)).resolves.toMatchObject({
    schemaExists: true,
    slot: { plugin: 'pgoutput' },
  });
  await tearDown(rig.admin, { slot: other });
  await expect(fingerprint(rig)).resolves.toEqual({
    schemas: null,
    triggers: null,
    publications: null,
    slots: null,
    functions: null,
    tables: null,
  });
});

test('init and tear-down in parts', async () => {
  await rig.init({ only: 'migrations' });
  await expect(fingerprint(rig)).resolves.toMatchObject({ publications: null, slots: null });
  await expect(rig.init({ only: 'slot' })).rejects.toMatchObject({ code: 'PG_PUBLICATION_MISSING' });
  await rig.init();
  await tearDown(rig.admin, { slot: rig.slot, only: 'slot' });
  await expect(fingerprint(rig)).resolves.toMatchObject({ publications: [rig.publication], slots: null });
  await expect(rig.init({ only: 'slot' })).resolves.toMatchObject({ slot: { created: true } });
  await tearDown(rig.admin, { slot: rig.slot, only: 'migrations' });
  await expect(fingerprint(rig)).resolves.toMatchObject({ schemas: null, slots: [rig.slot] });
});

async function labRole(): Promise<{ role: RigRole; connections: SetupConnections }> {
  const role = await rig.role('REPLICATION');
  await rig.admin.query(`GRANT ALL PRIVILEGES ON DATABASE ${rig.database} TO ${role.name}`);
  const connections: SetupConnections = {
    sql: role.pool,
    connection: role.config,
    migrate: (options) => runMigrations(role.pool, MIGRATIONS, options),
  };
  return { role, connections };
}

describe('the role of the lab: REPLICATION, all rights on the database, neither superuser nor owner', () => {
  test('with --admin-url it captures everything', async () => {
    const { connections } = await labRole();
    await rig.admin.query('CREATE TABLE productos (id serial PRIMARY KEY, nombre text)');
    const result = await rig.init({}, { ...connections, admin: rig.admin, migrate: rig.connections.migrate });
    expect(result).toMatchObject({ plan: { mode: 'all', limits: [] }, slot: { created: true } });
    await rig.admin.query('ALTER TABLE productos ADD COLUMN stock integer DEFAULT 0');
    // The streaming role reads and writes what it must.
    const log = await connections.sql.query(
      'UPDATE pgstream.schema_log SET acked = true RETURNING command_tag',
    );
    expect(log.rows).toEqual([{ command_tag: 'ALTER TABLE' }]);
    await connections.sql.query("UPDATE pgstream.replication_state SET routing_hash = 'x'");
    await expect(rig.init({}, connections)).resolves.toMatchObject({
      plan: { mode: 'all' },
      slot: { created: false },
    });
  });

  test('with the printed SQL it captures everything, also after list mode', async () => {
    const { role, connections } = await labRole();
    const plan = await planInit(role.pool, { slot: rig.slot, migrationsScript: rig.script });
    expect(plan).toMatchObject({ mode: 'list', superuser: false });
    await rig.init({}, connections);
    await rig.admin.query(plan.superuserSql);
    await expect(rig.init({}, connections)).resolves.toMatchObject({
      plan: { mode: 'all' },
      slot: { created: true },
    });
    const { rows } = await rig.admin.query('SELECT evtname::text FROM pg_event_trigger ORDER BY 1');
    expect(rows).toHaveLength(2);
  });

  test('alone it works in list mode, with the limits named', async () => {
    const { role, connections } = await labRole();
    await rig.admin.query('CREATE TABLE productos (id serial PRIMARY KEY)');
    await role.pool.query(`CREATE SCHEMA own; CREATE TABLE own.keyed (a int PRIMARY KEY, b text);
      CREATE TABLE own.plain (a int, b text)`);
    const result = await rig.init({}, connections);
    expect(result.plan.limits.join(' ')).toMatch(/owns.*recorded gap.*INSERT and TRUNCATE.*RELATION/s);
    expect(result.added).toMatchObject({
      full: [{ schema: 'own', table: 'keyed' }],
      insertOnly: [{ schema: 'own', table: 'plain' }],
      notOwned: [{ schema: 'public', table: 'productos' }],
      busy: [],
    });
    await writeEverywhere(['own.keyed', 'own.plain']);
    await expect(rig.init({}, connections)).resolves.toMatchObject({
      plan: { mode: 'list' },
      slot: { created: false },
    });
    await tearDown(role.pool, { slot: rig.slot });
    await expect(fingerprint(rig)).resolves.toMatchObject({
      publications: null,
      slots: null,
      schemas: ['own'],
    });
  });

  test('an --admin-url that cannot help is refused by name', async () => {
    const { role, connections } = await labRole();
    await expect(rig.init({}, { ...connections, admin: role.pool })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('not a superuser'),
    });
    await rig.init({}, connections);
    await expect(rig.init({}, { ...connections, admin: rig.admin })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('tear-down first'),
    });
  });

  test('list mode: a table made later is added without waiting, and the gap is recorded', async () => {
    const { role, connections } = await labRole();
    await rig.init({}, connections);
    await role.pool.query('CREATE SCHEMA own; CREATE TABLE own.later (a int PRIMARY KEY, b text)');
    const done = role.pool.withClient(async (client) => {
      await client.query('BEGIN; LOCK TABLE own.later');
      const busy = await addMissingTables(role.pool, { slot: rig.slot });
      await client.query('COMMIT');
      return busy;
    });
    await expect(done).resolves.toMatchObject({ full: [], busy: [{ schema: 'own', table: 'later' }] });
    await expect(addMissingTables(role.pool, { slot: rig.slot })).resolves.toMatchObject({
      full: [{ schema: 'own', table: 'later' }],
    });
    await expect(listGaps(role.pool, rig.slot)).resolves.toMatchObject([
      { table: { schema: 'own', table: 'later' } },
    ]);
    await role.pool.query('ALTER TABLE own.later DROP CONSTRAINT later_pkey');
    await addMissingTables(role.pool, { slot: rig.slot });
    await writeEverywhere(['own.later']);
    await expect(addMissingTables(role.pool, { slot: rig.slot })).resolves.toMatchObject({
      full: [],
      insertOnly: [],
    });
  });

  test('rights that are missing are named with the statement that grants them', async () => {
    const poor = await rig.role('');
    const connections = { ...rig.connections, sql: poor.pool, connection: poor.config };
    await expect(rig.init({}, connections)).rejects.toMatchObject({
      code: 'PG_PRIVILEGE_MISSING',
      message: expect.stringContaining(`ALTER ROLE "${poor.name}" REPLICATION;`),
    });
    await expect(rig.init({ mode: 'all' }, connections)).rejects.toMatchObject({
      code: 'PG_PRIVILEGE_MISSING',
    });
  });
});
