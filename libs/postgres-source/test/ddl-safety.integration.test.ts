import { endpoints } from '@pgstream/test-kit';
import { changesOf, HistoryRig, rowEvents, schemaEvents } from './history-rig.ts';

/** What PostgreSQL says of a table's replica identity. */
async function identityOf(rig: HistoryRig, table: string): Promise<string> {
  const { rows } = await rig.db.query<{ relreplident: string }>(
    'SELECT relreplident FROM pg_class WHERE oid = $1::regclass',
    [table],
  );
  return rows[0]!.relreplident;
}

describe.each([15, 17, 18] as const)('DDL of the user on PostgreSQL %i', (version) => {
  let rig: HistoryRig;

  beforeAll(async () => {
    rig = await HistoryRig.create(endpoints().postgresUrls[version]);
    await rig.story('CREATE SCHEMA app');
  });
  afterAll(() => rig.drop());

  test('two sessions run DDL in one schema at once: neither waits nor fails, and both are told', async () => {
    const [one, two] = [await rig.session(), await rig.session()];
    await one.query('BEGIN; CREATE TABLE app.one(id int PRIMARY KEY)');
    await two.query(`BEGIN; SET LOCAL lock_timeout = '2s'; CREATE TABLE app.two(id int PRIMARY KEY)`);
    await one.query('ALTER TABLE app.one ADD COLUMN v int');
    await two.query('COMMIT');
    await one.query('COMMIT');
    const names = changesOf(await rig.read()).map((change) => 'table' in change && change.table.name);
    expect(names).toEqual(['two', 'one', 'one']);
  });

  test('a log that is locked holds the user up for a second at most, and the next row is explained all the same', async () => {
    const locker = await rig.session();
    await locker.query('BEGIN; LOCK TABLE pgstream.schema_log IN ACCESS EXCLUSIVE MODE');
    await rig.db.query('CREATE TABLE app.locked(id int PRIMARY KEY)');
    await locker.query('ROLLBACK');
    const events = await rig.story('INSERT INTO app.locked VALUES (1)');
    expect(schemaEvents(events)).toMatchObject([
      { source: 'relation', changes: [{ kind: 'table_created' }] },
    ]);
  });

  test('a statement_timeout that fires inside the trigger does not fail the DDL', async () => {
    const locker = await rig.session();
    await locker.query('BEGIN; LOCK TABLE pgstream.schema_log IN ACCESS EXCLUSIVE MODE');
    const user = await rig.session();
    await user.query(`SET statement_timeout = '300ms'`);
    await user.query('CREATE TABLE app.timed(id int PRIMARY KEY)');
    await locker.query('ROLLBACK');
    await user.query('INSERT INTO app.timed VALUES (1)');
    expect(rowEvents(await rig.read()).map(({ table }) => table)).toEqual(['app.timed']);
  });

  test('a role without rights on pgstream, and a session that replays as a replica, are recorded too', async () => {
    const role = `${rig.name}_user`;
    await rig.db.query(
      `CREATE ROLE ${role} LOGIN PASSWORD '${role}'; GRANT CREATE, USAGE ON SCHEMA app TO ${role}`,
    );
    try {
      const user = await rig.session(role);
      await user.query('CREATE TABLE app.his(id int)');
      await user.query('INSERT INTO app.his VALUES (1)');
      await user.query('UPDATE app.his SET id = 2');
      await user.query('DELETE FROM app.his');
      await rig.db.query(`SET session_replication_role = replica`);
      await rig.db.query('CREATE TABLE app.replica(id int PRIMARY KEY)');
      await rig.db.query('RESET session_replication_role');
      const events = await rig.read();
      expect(schemaEvents(events).map(({ source }) => source)).toEqual(['trigger', 'trigger']);
      expect(rowEvents(events).map(({ action }) => action)).toEqual(['I', 'U', 'D']);
    } finally {
      await rig.db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await rig.read();
    }
  });

  test('a table that never had or loses its identity gets FULL in the same transaction, and gives it back to a key', async () => {
    await rig.db.query(`CREATE TABLE app.nokey(v int);
      CREATE TABLE app.uq(code text NOT NULL UNIQUE, v int);
      CREATE TABLE app.deferred(id int PRIMARY KEY DEFERRABLE);
      CREATE TABLE app.lost(id int CONSTRAINT lost_pk PRIMARY KEY); ALTER TABLE app.lost DROP CONSTRAINT lost_pk;
      CREATE TABLE app.idx(id int NOT NULL); CREATE UNIQUE INDEX idx_i ON app.idx(id);
      ALTER TABLE app.idx REPLICA IDENTITY USING INDEX idx_i`);
    expect(await identityOf(rig, 'app.idx')).toBe('i');
    await rig.db.query('DROP INDEX app.idx_i');
    await rig.db.query(
      'CREATE TABLE app.nothing(id int PRIMARY KEY); ALTER TABLE app.nothing REPLICA IDENTITY NOTHING',
    );
    await rig.db.query('CREATE TABLE app.pn(id int) PARTITION BY LIST (id)');
    await rig.db.query('CREATE TABLE app.pn_1 PARTITION OF app.pn FOR VALUES IN (1)');
    for (const table of ['nokey', 'uq', 'deferred', 'lost', 'idx', 'nothing', 'pn', 'pn_1']) {
      expect([table, await identityOf(rig, `app.${table}`)]).toEqual([table, 'f']);
    }
    await rig.db.query(`INSERT INTO app.uq VALUES ('x', 1); UPDATE app.uq SET v = 2; DELETE FROM app.uq;
      INSERT INTO app.pn VALUES (1); UPDATE app.pn SET id = 1; DELETE FROM app.pn`);
    await rig.db.query('ALTER TABLE app.nokey ADD PRIMARY KEY (v)');
    expect(await identityOf(rig, 'app.nokey')).toBe('d');
    const events = await rig.read();
    const update = rowEvents(events).find(({ table, action }) => table === 'app.uq' && action === 'U');
    expect(update!.keyColumnIds).toEqual([`${update!.tableId}-1`]);
  });

  test('partitions get FULL with their root, and give it back with it', async () => {
    await rig.db.query(`CREATE TABLE app.pk(id int, CONSTRAINT pk_pk PRIMARY KEY (id)) PARTITION BY LIST (id);
      CREATE TABLE app.pk_1 PARTITION OF app.pk FOR VALUES IN (1)`);
    await rig.db.query('ALTER TABLE app.pk DROP CONSTRAINT pk_pk');
    expect([await identityOf(rig, 'app.pk'), await identityOf(rig, 'app.pk_1')]).toEqual(['f', 'f']);
    await rig.db.query('INSERT INTO app.pk VALUES (1); UPDATE app.pk SET id = 1; DELETE FROM app.pk');
    await rig.db.query('ALTER TABLE app.pk ADD PRIMARY KEY (id)');
    expect([await identityOf(rig, 'app.pk'), await identityOf(rig, 'app.pk_1')]).toEqual(['d', 'd']);
    await rig.read();
  });

  test('what a parent table loses, its heirs lose: both are told, and the heir keeps an identity', async () => {
    await rig.db.query(`CREATE TABLE app.parent(a int, b int); CREATE TABLE app.heir() INHERITS (app.parent);
      ALTER TABLE app.heir ADD PRIMARY KEY (a)`);
    await rig.read();
    const changes = await rig.changes('ALTER TABLE app.parent DROP COLUMN a');
    const names = changes.map((change) => 'table' in change && change.table.name);
    expect(new Set(names)).toEqual(new Set(['heir', 'parent']));
    expect(await identityOf(rig, 'app.heir')).toBe('f');
  });

  test('identity stays as it is where init did not ask for FULL', async () => {
    await rig.db.query(`UPDATE pgstream.settings SET value = 'none' WHERE key = 'keyless'`);
    await rig.db.query('CREATE TABLE app.own(v int)');
    expect(await identityOf(rig, 'app.own')).toBe('d');
    await rig.db.query(`UPDATE pgstream.settings SET value = 'full' WHERE key = 'keyless'`);
    await rig.read();
  });
});

test('1,600 columns, and one shape written for one table among 5,000', async () => {
  const rig = await HistoryRig.create(
    endpoints().postgresUrl,
    `DO $$ BEGIN FOR i IN 1..5000 LOOP
       EXECUTE format('CREATE TABLE t%s(id int PRIMARY KEY, v text)', i);
       IF i % 500 = 0 THEN COMMIT; END IF;
     END LOOP; END $$`,
  );
  try {
    expect([...rig.history.ledger.tables()]).toHaveLength(5000);
    const columns = Array.from({ length: 1600 }, (_, i) => `c${i} int`).join(', ');
    await rig.db.query('CREATE SCHEMA app');
    const events = await rig.story('ALTER TABLE t77 ADD COLUMN w int', `CREATE TABLE app.wide(${columns})`);
    const { rows } = await rig.db.query(
      `SELECT jsonb_array_length(shapes) AS shapes FROM pgstream.schema_log WHERE command_tag LIKE '% TABLE' ORDER BY version`,
    );
    expect(rows).toEqual([{ shapes: 1 }, { shapes: 1 }]);
    expect(changesOf(events)).toMatchObject([
      { kind: 'schema_created' },
      { kind: 'table_altered', table: { name: 't77' } },
      { kind: 'table_created', table: { columns: { length: 1600 } } },
    ]);
  } finally {
    await rig.drop();
  }
});
