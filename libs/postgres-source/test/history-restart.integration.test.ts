import { endpoints } from '@pgstream/test-kit';
import { parseLsn } from '@pgstream/wal-event';
import { Reconciler } from '../src/history/reconciler.ts';
import { changesOf, HistoryRig, rowEvents, schemaEvents } from './history-rig.ts';

const FAR = parseLsn('7FFFFFFF/FFFFFFFF');

let rig: HistoryRig;

beforeEach(async () => {
  rig = await HistoryRig.create(
    endpoints().postgresUrl,
    'CREATE SCHEMA app; CREATE TABLE app.t(id int PRIMARY KEY, a text, b int)',
  );
});
afterEach(() => rig.drop());

/** As without superuser: nobody writes the log. */
async function withoutTriggers(): Promise<void> {
  await rig.db.query('ALTER EVENT TRIGGER pgstream_ddl DISABLE; ALTER EVENT TRIGGER pgstream_drop DISABLE');
}

test('tables of before the slot are known, so that their rows need no explanation', async () => {
  const events = await rig.story(`INSERT INTO app.t VALUES (1, 'x', 2)`);
  expect(events).toMatchObject([{ kind: 'row', table: 'app.t', ids: ['1', '2', '3'] }]);
});

test('a restart at any position tells the same changes at the same positions', async () => {
  const statements = [
    'ALTER TABLE app.t ADD COLUMN c int DEFAULT 3',
    `INSERT INTO app.t VALUES (1, 'x', 2, 3)`,
    'ALTER TABLE app.t RENAME COLUMN a TO aa',
    'CREATE TABLE app.ctas AS SELECT 1 AS id',
    'ALTER SCHEMA app RENAME TO app2',
    'DROP TABLE app2.t',
  ];
  for (const statement of statements) await rig.db.query(statement);
  const first = await rig.read('peek');
  expect(rig.history.pendingCheckpoint(FAR)).toBe(true);
  await rig.history.checkpoint(FAR);
  expect(rig.history.pendingCheckpoint(FAR)).toBe(false);
  // Killed after the shapes were persisted and before the slot was told
  rig.history = rig.newHistory();
  await rig.history.load(await rig.confirmed());
  expect(await rig.read('get')).toEqual(first);
  await rig.history.checkpoint(FAR);
  rig.history = rig.newHistory();
  await rig.history.load(await rig.confirmed());
  const after = await rig.story('INSERT INTO app2.ctas VALUES (2)', 'ALTER TABLE app2.ctas ADD v int');
  expect(after).toMatchObject([
    { kind: 'row', table: 'app2.ctas' },
    { change: { changes: [{ kind: 'table_altered' }] } },
  ]);
});

test('rows of the log are acknowledged once they are confirmed', async () => {
  await rig.story('CREATE TABLE app.u(id int PRIMARY KEY)');
  await rig.history.checkpoint(FAR);
  const { rows } = await rig.db.query('SELECT acked FROM pgstream.schema_log');
  expect(rows).toEqual([{ acked: true }]);
});

test('without triggers a RELATION message reveals rename, retype, drop and add', async () => {
  await withoutTriggers();
  const events = await rig.story(
    'ALTER TABLE app.t RENAME COLUMN a TO aa',
    'ALTER TABLE app.t ALTER COLUMN b TYPE bigint',
    'ALTER TABLE app.t ADD COLUMN c numeric(8,2)',
    `INSERT INTO app.t VALUES (1, 'x', 2, 3)`,
    'ALTER TABLE app.t DROP COLUMN aa',
    'ALTER TABLE app.t RENAME TO t2',
    'INSERT INTO app.t2 VALUES (2, 3, 4)',
  );
  expect(schemaEvents(events).map(({ source }) => source)).toEqual(['relation', 'relation']);
  expect(changesOf(events)).toMatchObject([
    {
      renamed: [{ from: 'a', to: 'aa' }],
      retyped: [{ name: 'b', from: 'integer', to: 'bigint' }],
      added: [{ name: 'c', type: 'numeric(8,2)', constant_default: null }],
    },
    { from: { schema: 'app', name: 't' }, dropped: [{ name: 'aa' }], added: [], renamed: [] },
  ]);
  expect(rowEvents(events).map(({ ids }) => ids)).toEqual([
    ['1', '2', '3', '4'],
    ['1', '3', '4'],
  ]);
  expect(schemaEvents(await rig.story('INSERT INTO app.t2 VALUES (3, 3, 4)'))).toEqual([]);
});

test('a transaction that was open while its schema was renamed does not rename it back', async () => {
  const writer = await rig.session();
  await writer.query(`BEGIN; INSERT INTO app.t VALUES (1, 'x', 2)`);
  await rig.db.query('ALTER SCHEMA app RENAME TO app2');
  await writer.query(`INSERT INTO app2.t VALUES (2, 'x', 2); COMMIT`);
  const events = await rig.read();
  expect(changesOf(events)).toEqual([{ kind: 'schema_renamed', schema: 'app2', from: 'app' }]);
  expect(rowEvents(events).map(({ table }) => table)).toEqual(['app2.t', 'app2.t']);
});

test('reconciliation finds what nobody recorded, once, and in its place in the stream', async () => {
  const reconciler = new Reconciler(rig.db, rig.history);
  expect([await reconciler.round(), await reconciler.round()]).toEqual([0, 0]);
  await rig.story('CREATE TABLE app.gone(id int PRIMARY KEY)');
  await withoutTriggers();
  for (const statement of [
    'DROP TABLE app.gone',
    'CREATE SCHEMA fresh',
    'CREATE TABLE fresh.empty(id int PRIMARY KEY)',
    'ALTER TABLE app.t ADD COLUMN c int DEFAULT 4',
  ]) {
    await rig.db.query(statement);
  }
  expect([await reconciler.round(), await reconciler.round()]).toEqual([0, 2]);
  const events = schemaEvents(await rig.read());
  expect(events.map(({ source }) => source)).toEqual(['catalogue', 'catalogue']);
  expect(events.flatMap(({ changes }) => changes)).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ kind: 'table_dropped', name: 'gone' }),
      expect.objectContaining({ kind: 'schema_created', schema: 'fresh' }),
      expect.objectContaining({ kind: 'table_created', table: expect.objectContaining({ name: 'empty' }) }),
      expect.objectContaining({
        kind: 'table_altered',
        added: [expect.objectContaining({ constant_default: '4' })],
      }),
    ]),
  );
  expect([await reconciler.round(), await reconciler.round()]).toEqual([0, 0]);
});

test('a finding is void when the stream explains the table before it', async () => {
  const reconciler = new Reconciler(rig.db, rig.history);
  await rig.db.query('ALTER TABLE app.t ADD COLUMN c int');
  // The stream is late: both rounds see a table that the log row is about to explain
  expect([await reconciler.round(), await reconciler.round()]).toEqual([0, 1]);
  expect(schemaEvents(await rig.read()).map(({ source }) => source)).toEqual(['trigger']);
});

test('types that only messages tell of have the names that the server gives them', async () => {
  await withoutTriggers();
  const { rows } = await rig.db.query<{ type: string }>(
    `SELECT format_type(t.oid, -1) || array_part AS type FROM pg_type AS t, unnest(ARRAY['', '[]']) AS array_part
     WHERE t.oid < 10000 AND t.typtype IN ('b', 'r', 'm') AND t.typcategory NOT IN ('A', 'Z') AND t.typname <> 'pg_node_tree'
       AND t.typnamespace = 'pg_catalog'::regnamespace AND t.typname <> 'aclitem'`,
  );
  const modified = [
    'numeric(9,4)',
    'varchar(7)',
    'char(3)',
    'bit(4)',
    'varbit(5)',
    'time(2)',
    'timetz(1)',
    'timestamp(3)',
  ];
  modified.push(
    'timestamptz(0)',
    'interval(4)',
    'interval minute to second(1)',
    'interval month',
    'varchar(9)[]',
  );
  const types = [...rows.map(({ type }) => type), ...modified];
  const columns = types.map((type, i) => `c${i} ${type}`).join(', ');
  const events = await rig.story(
    `CREATE TABLE app.types(${columns})`,
    'INSERT INTO app.types DEFAULT VALUES',
  );
  const names = await rig.db.query<{ name: string }>(
    `SELECT format_type(atttypid, atttypmod) AS name FROM pg_attribute
     WHERE attrelid = 'app.types'::regclass AND attnum > 0 ORDER BY attnum`,
  );
  expect(types.length).toBeGreaterThan(100);
  expect(rowEvents(events)[0]!.types).toEqual(names.rows.map(({ name }) => name));
});
