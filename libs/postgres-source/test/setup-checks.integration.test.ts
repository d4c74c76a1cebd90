import {
  checkBeforeStart,
  listGaps,
  loadState,
  preflight,
  savePosition,
  tearDown,
  type PreflightCheck,
} from '@pgstream/postgres-source';
import { removeCluster, startPostgres, stopPostgres, waitFor, type PostgresServer } from '@pgstream/test-kit';
import { Client } from 'pg';
import { fingerprint, setupRig, type SetupRig } from './setup-rig.ts';

let rig: SetupRig;
beforeEach(async () => {
  rig = await setupRig();
});
afterEach(() => rig.close());

const check = () => checkBeforeStart(rig.admin, { slot: rig.slot });
const setState = (assignment: string) =>
  rig.admin.query(`UPDATE pgstream.replication_state SET ${assignment}`);
const dropSlot = () => rig.admin.query(`SELECT pg_drop_replication_slot('${rig.slot}')`);
const makeSlot = () =>
  rig.admin.query(`SELECT pg_create_logical_replication_slot('${rig.slot}', 'pgoutput')`);

async function walLsn(): Promise<string> {
  const { rows } = await rig.admin.query('SELECT pg_current_wal_lsn()::text AS lsn');
  return String(rows[0]?.['lsn']);
}

/** Somebody else reads and confirms the slot. */
async function advanceSlot(): Promise<string> {
  await rig.admin.query(
    'CREATE TABLE IF NOT EXISTS noise (a int); INSERT INTO noise SELECT generate_series(1, 100)',
  );
  const lsn = await walLsn();
  await rig.admin.query('SELECT pg_replication_slot_advance($1, $2::pg_lsn)', [rig.slot, lsn]);
  return lsn;
}

describe('before START', () => {
  test('a database that was not prepared', async () => {
    await expect(check()).rejects.toMatchObject({ code: 'PG_NOT_INITIALISED', exitCode: 78 });
    await rig.init({ only: 'migrations' });
    await expect(check()).rejects.toMatchObject({ code: 'PG_NOT_INITIALISED' });
  });

  test('what init made is in order, also after positions were saved', async () => {
    const { slot } = await rig.init();
    await expect(check()).resolves.toMatchObject({
      confirmedLsn: slot?.consistentPoint,
      state: { epoch: 1 },
    });
    await savePosition(rig.admin, rig.slot, await walLsn());
    await expect(check()).resolves.toMatchObject({ confirmedLsn: slot?.consistentPoint });
    // The sink's last record lies before the end of its commit, where the slot stands.
    const sinkLsn = '0/1';
    await expect(checkBeforeStart(rig.admin, { slot: rig.slot, sinkLsn })).resolves.toMatchObject({
      state: { epoch: 1 },
    });
  });

  test('another cluster: refused, and a new epoch begins only when told', async () => {
    await rig.init();
    await setState("system_id = '42'");
    await expect(check()).rejects.toMatchObject({ code: 'PG_OTHER_CLUSTER', exitCode: 78 });
    await expect(rig.init({ acceptGap: true })).rejects.toMatchObject({ code: 'PG_OTHER_CLUSTER' });
    await expect(rig.init({ newEpoch: true })).resolves.toMatchObject({ slot: { created: true, epoch: 2 } });
    await expect(check()).resolves.toMatchObject({ state: { epoch: 2 } });
  });

  test('another timeline: says whether changes are missing', async () => {
    await rig.init();
    await setState('timeline = 7');
    await expect(check()).rejects.toMatchObject({
      code: 'PG_TIMELINE_CHANGED',
      exitCode: 78,
      message: expect.stringContaining('nothing is missing'),
    });
    await savePosition(rig.admin, rig.slot, 'FFFF/0');
    await expect(check()).rejects.toMatchObject({ message: expect.stringContaining('which this server') });
    await savePosition(rig.admin, rig.slot, await walLsn());
    await rig.init({ acceptTimeline: true });
    await expect(check()).resolves.toMatchObject({ state: { epoch: 1 } });
  });

  test.each([
    ['dropped', ''],
    ['made anew', 'CREATE PUBLICATION "%" FOR ALL TABLES'],
  ])('a publication that was %s', async (_, again) => {
    await rig.init();
    await rig.admin.query(`DROP PUBLICATION "${rig.publication}"; ${again.replace('%', rig.publication)}`);
    await expect(check()).rejects.toMatchObject({ code: 'PG_PUBLICATION_MISSING', exitCode: 78 });
  });

  test('the slot was dropped: init refuses to hide the gap, and records it when told', async () => {
    const { slot } = await rig.init();
    await savePosition(rig.admin, rig.slot, slot?.consistentPoint ?? '');
    await dropSlot();
    await expect(check()).rejects.toMatchObject({ code: 'PG_SLOT_MISSING', exitCode: 78 });
    await expect(rig.init()).rejects.toMatchObject({ code: 'PG_SLOT_MISSING' });
    await expect(rig.init({ acceptGap: true })).resolves.toMatchObject({
      slot: { created: true, gap: 'PG_SLOT_MISSING' },
    });
    await expect(listGaps(rig.admin, rig.slot)).resolves.toMatchObject([
      { table: null, fromLsn: slot?.consistentPoint, reason: 'PG_SLOT_MISSING' },
    ]);
    await expect(check()).resolves.toMatchObject({ state: { confirmedLsn: null } });
  });

  test('a slot of the same name that we did not make', async () => {
    await makeSlot();
    await expect(rig.init()).rejects.toMatchObject({
      code: 'PG_SLOT_FOREIGN',
      message: expect.stringContaining(`pg_drop_replication_slot('${rig.slot}')`),
    });
    await dropSlot();
    await rig.init();
    await setState("consistent_point = 'FFFF/0'");
    await expect(check()).rejects.toMatchObject({ code: 'PG_SLOT_FOREIGN', exitCode: 78 });
  });

  test('a slot of another database', async () => {
    await rig.init();
    await dropSlot();
    const other = await setupRig();
    try {
      await other.admin.query(`SELECT pg_create_logical_replication_slot('${rig.slot}', 'pgoutput')`);
      await expect(check()).rejects.toMatchObject({
        code: 'PG_SLOT_FOREIGN',
        message: expect.stringContaining(`database ${other.database}`),
      });
    } finally {
      await other.close();
    }
  });

  test('somebody else advanced the slot: a gap, recorded when accepted', async () => {
    const { slot } = await rig.init();
    const stored = slot?.consistentPoint ?? '';
    await savePosition(rig.admin, rig.slot, stored);
    const lsn = await advanceSlot();
    await expect(check()).rejects.toMatchObject({ code: 'PG_SLOT_ADVANCED', exitCode: 78 });
    await expect(rig.init()).rejects.toMatchObject({ code: 'PG_SLOT_ADVANCED' });
    await expect(rig.init({ acceptGap: true })).resolves.toMatchObject({
      slot: { created: false, gap: 'PG_SLOT_ADVANCED' },
    });
    await expect(check()).resolves.toMatchObject({ confirmedLsn: lsn });
    await expect(listGaps(rig.admin, rig.slot)).resolves.toMatchObject([{ fromLsn: stored, toLsn: lsn }]);
  });

  test('the stored position, or the sink, is ahead of the server', async () => {
    await rig.init();
    const ahead = { code: 'PG_POSITION_AHEAD', exitCode: 78 };
    await expect(checkBeforeStart(rig.admin, { slot: rig.slot, sinkLsn: 'FFFF/0' })).rejects.toMatchObject(
      ahead,
    );
    await savePosition(rig.admin, rig.slot, 'FFFF/0');
    await expect(check()).rejects.toMatchObject(ahead);
  });
});

const failed = (checks: readonly PreflightCheck[], name: string) =>
  checks.find((one) => one.name === name && !one.ok) ?? null;

describe('preflight', () => {
  test('tables without identity need an answer before init', async () => {
    await rig.admin.query('CREATE TABLE plain (a int)');
    const checks = await preflight(rig.admin, { slot: rig.slot });
    expect(failed(checks, 'replica_identity')).toMatchObject({ severity: 'error' });
  });

  test('before and after init nothing is wrong but what the server was told', async () => {
    const wrong = async () =>
      (await preflight(rig.admin, { slot: rig.slot })).filter((one) => !one.ok && one.severity === 'error');
    await expect(wrong()).resolves.toEqual([]);
    await rig.init();
    await expect(wrong()).resolves.toEqual([]);
  });

  test('each thing that is missing is named with its remedy', async () => {
    await rig.init();
    await rig.admin.query('CREATE TABLE plain (a int); ALTER TABLE plain REPLICA IDENTITY NOTHING');
    await rig.admin.query(
      'ALTER EVENT TRIGGER pgstream_ddl DISABLE; ALTER EVENT TRIGGER pgstream_drop DISABLE',
    );
    await rig.admin.query('CREATE TABLE bare (a int)');
    await rig.admin.query(`CREATE PUBLICATION theirs FOR ALL TABLES; DROP PUBLICATION "${rig.publication}"`);
    await rig.admin.query(`ALTER DATABASE ${rig.database} SET datestyle = 'SQL'`);
    await dropSlot();
    const poor = await rig.role('');
    await rig.admin.query(
      `GRANT USAGE ON SCHEMA pgstream TO ${poor.name}; GRANT SELECT ON ALL TABLES IN SCHEMA pgstream TO ${poor.name}`,
    );
    const checks = await preflight(poor.pool, { slot: rig.slot });
    expect(failed(checks, 'role_replication')?.remedy).toBe(`ALTER ROLE "${poor.name}" REPLICATION;`);
    expect(failed(checks, 'publications')?.detail).toContain(rig.publication);
    expect(failed(checks, 'replica_identity')).toMatchObject({ severity: 'warning' });
    expect(failed(checks, 'replica_identity')?.remedy).toContain(
      'ALTER TABLE "public"."bare" REPLICA IDENTITY FULL;',
    );
    expect(failed(checks, 'foreign_publications')?.detail).toContain('theirs');
    expect(failed(checks, 'event_triggers')?.remedy).toContain('--admin-url');
    expect(failed(checks, 'slot')?.remedy).toContain('--accept-gap');
    expect(failed(checks, 'role_superuser')?.severity).toBe('info');
    expect(checks.find((one) => one.name === 'text_settings')?.detail).toContain('datestyle');
    const fresh = await preflight(poor.pool, { slot: rig.slot, initialised: false });
    expect(failed(fresh, 'role_create')?.remedy).toContain(`GRANT CREATE ON DATABASE "${rig.database}"`);
  });
});

test('a slot that is read is torn down only by force, and nothing is lost before', async () => {
  await rig.init();
  const before = await fingerprint(rig);
  const reader = new Client(Object.assign({}, rig.connections.connection, { replication: 'database' }));
  reader.on('error', () => {});
  await reader.connect();
  const reading = reader
    .query(
      `START_REPLICATION SLOT "${rig.slot}" LOGICAL 0/0 (proto_version '1', publication_names '"${rig.publication}"')`,
    )
    .catch((cause: unknown) => cause);
  await waitFor('the slot to be read', async () => {
    const { rows } = await rig.admin.query('SELECT active FROM pg_replication_slots WHERE slot_name = $1', [
      rig.slot,
    ]);
    return rows[0]?.['active'] === true;
  });
  await expect(tearDown(rig.admin, { slot: rig.slot })).rejects.toMatchObject({
    code: 'PG_SLOT_ACTIVE',
    message: expect.stringContaining('"pgstream test"'),
  });
  await expect(fingerprint(rig)).resolves.toEqual(before);
  await tearDown(rig.admin, { slot: rig.slot, force: true });
  await reading;
  await reader.end().catch(() => {});
  await expect(fingerprint(rig)).resolves.toMatchObject({ slots: null, schemas: null });
});

test('init says what the slot waits for', async () => {
  const told: string[] = [];
  await rig.admin.withClient(async (client) => {
    await client.query('BEGIN; CREATE TABLE held (a int PRIMARY KEY)');
    const initialised = rig.init({ onWaiting: (blockers) => void told.push(...blockers) });
    await waitFor('a word about who is in the way', () => told.length > 0);
    await client.query('COMMIT');
    await initialised;
  });
  expect(told[0]).toContain(`in database ${rig.database}`);
});

describe('a server of its own', () => {
  let server: PostgresServer;
  afterEach(async () => {
    await stopPostgres(server, 'SIGQUIT');
    removeCluster(server);
  });

  test('wal_level=replica: check and init say so, init makes no slot', async () => {
    server = await startPostgres({ major: 17, settings: { wal_level: 'replica' } });
    const own = await setupRig(server.url);
    const checks = await preflight(own.admin, { slot: own.slot });
    expect(checks.filter((one) => !one.ok && one.severity === 'error')).toMatchObject([
      { name: 'wal_level' },
    ]);
    await expect(own.init()).rejects.toMatchObject({
      code: 'PG_PREFLIGHT_FAILED',
      exitCode: 78,
      message: expect.stringContaining('ALTER SYSTEM SET wal_level = logical'),
    });
    await expect(fingerprint(own)).resolves.toMatchObject({ schemas: null, publications: null });
    await own.close();
  });

  test('a slot that lost its WAL, and one too many', async () => {
    server = await startPostgres({
      major: 17,
      settings: { max_slot_wal_keep_size: '1MB', max_wal_size: '32MB', max_replication_slots: '1' },
    });
    const own = await setupRig(server.url);
    await own.init();
    for (let segment = 0; segment < 4; segment += 1) {
      await own.admin.query("SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()");
    }
    await own.admin.query('CHECKPOINT');
    await expect(checkBeforeStart(own.admin, { slot: own.slot })).rejects.toMatchObject({
      code: 'PG_SLOT_LOST',
      exitCode: 78,
    });
    const checks = await preflight(own.admin, { slot: own.slot });
    expect(checks.find((one) => one.name === 'slot_wal_status')).toMatchObject({
      ok: false,
      severity: 'error',
    });
    await expect(own.init({ slot: 'one_more' })).rejects.toMatchObject({
      code: 'PG_PREFLIGHT_FAILED',
      message: expect.stringContaining('max_replication_slots'),
    });
    await expect(loadState(own.admin, own.slot)).resolves.toMatchObject({ epoch: 1 });
    await own.init({ acceptGap: true });
    await expect(checkBeforeStart(own.admin, { slot: own.slot })).resolves.toMatchObject({
      state: { epoch: 1 },
    });
    await own.close();
  });
});
