import { endpoints } from '@pgstream/test-kit';
import type { ShapeChange } from '@pgstream/wal-event';
import { Reconciler } from '../src/history/reconciler.ts';
import { changesOf, HistoryRig, rowEvents, schemaEvents } from './history-rig.ts';

type Altered = Extract<ShapeChange, { kind: 'table_altered' }>;

function altered(changes: readonly ShapeChange[]): Altered {
  expect(changes.map(({ kind }) => kind)).toEqual(['table_altered']);
  const [change] = changes;
  if (change?.kind !== 'table_altered') throw new Error('not altered');
  return change;
}

describe.each([15, 17, 18] as const)('schema history on PostgreSQL %i', (version) => {
  let rig: HistoryRig;

  beforeAll(async () => {
    rig = await HistoryRig.create(endpoints().postgresUrls[version]);
    await rig.story('CREATE SCHEMA app');
  });
  afterAll(() => rig.drop());

  test('a table is created with its columns, key and types, before its rows', async () => {
    const events = await rig.story(
      `CREATE TABLE app.t(id bigint PRIMARY KEY, price numeric(10,2) DEFAULT 5, tags text[], at timestamptz(3) NOT NULL)`,
      `INSERT INTO app.t VALUES (1, 2.50, '{a}', now())`,
    );
    expect(events.map(({ kind }) => kind)).toEqual(['schema', 'row']);
    const [change] = schemaEvents(events);
    expect(change).toMatchObject({
      schema_name: 'app',
      command_tag: 'CREATE TABLE',
      source: 'trigger',
      changes: [{ kind: 'table_created', table: { schema: 'app', name: 't', identity_columns: ['id'] } }],
    });
    expect(change!.objects.map(({ type, identity }) => `${type} ${identity}`)).toEqual([
      'index app.t_pkey',
      'table app.t',
    ]);
    const [row] = rowEvents(events);
    expect(row!.types).toEqual(['bigint', 'numeric(10,2)', 'text[]', 'timestamp(3) with time zone']);
    expect(row!.encodings).toEqual(['number', 'number', 'text', 'text']);
    expect(row!.keyColumnIds).toEqual([`${row!.tableId}-1`]);
  });

  test('ADD COLUMN with a constant default tells the text that old rows show; a volatile one makes the table stale', async () => {
    await rig.story('CREATE TABLE app.dflt(id int PRIMARY KEY)', 'INSERT INTO app.dflt VALUES (1)');
    const constant = altered(
      await rig.changes(`ALTER TABLE app.dflt ADD COLUMN at timestamptz DEFAULT '2020-01-01 00:00+03', ADD n int DEFAULT 0,
        ADD a int[] DEFAULT '{1,NULL}', ADD plain text, ADD b bytea DEFAULT '\\x00ff'`),
    );
    expect(constant.added.map(({ name, constant_default }) => [name, constant_default])).toEqual([
      ['at', '2019-12-31 21:00:00+00'],
      ['n', '0'],
      ['a', '{1,NULL}'],
      ['plain', null],
      ['b', '\\x00ff'],
    ]);
    expect(constant.stale).toEqual([]);
    const volatile = altered(await rig.changes('ALTER TABLE app.dflt ADD COLUMN s bigserial'));
    expect(volatile.stale).toEqual(['volatile_default']);
    const generated = altered(
      await rig.changes('ALTER TABLE app.dflt ADD COLUMN g int GENERATED ALWAYS AS (id + 1) STORED'),
    );
    expect(generated.stale).toEqual(['generated']);
    const [row] = rowEvents(await rig.story('INSERT INTO app.dflt(id) VALUES (2)'));
    expect(row!.columns).toEqual(['id', 'at', 'n', 'a', 'plain', 'b', 's']);
  });

  test('columns are renamed, retyped, dropped and added again under new ids, and rows follow', async () => {
    await rig.story('CREATE TABLE app.c(id int PRIMARY KEY, name text, qty int)');
    const renamed = altered(await rig.changes('ALTER TABLE app.c RENAME COLUMN name TO title'));
    expect(renamed.renamed).toEqual([{ id: expect.stringMatching(/-2$/), from: 'name', to: 'title' }]);
    const retyped = altered(await rig.changes('ALTER TABLE app.c ALTER COLUMN qty TYPE bigint'));
    expect(retyped.retyped).toEqual([
      { id: expect.stringMatching(/-3$/), name: 'qty', from: 'integer', to: 'bigint' },
    ]);
    expect(retyped.stale).toEqual(['retyped']);
    const dropped = altered(await rig.changes('ALTER TABLE app.c DROP COLUMN title'));
    expect(dropped.dropped).toEqual([{ id: expect.stringMatching(/-2$/), name: 'title' }]);
    const again = altered(await rig.changes('ALTER TABLE app.c ADD COLUMN title text'));
    expect(again.added).toEqual([
      { id: expect.stringMatching(/-4$/), name: 'title', type: 'text', constant_default: null },
    ]);
    const [row] = rowEvents(await rig.story(`INSERT INTO app.c VALUES (1, 2, 'x')`));
    expect([row!.columns, row!.ids]).toEqual([
      ['id', 'qty', 'title'],
      ['1', '3', '4'],
    ]);
  });

  test('a table keeps its id when it is renamed and moved, and gets a new one when it is made again', async () => {
    await rig.story('CREATE SCHEMA other', 'CREATE TABLE app.mv(id int PRIMARY KEY)');
    const renamed = altered(await rig.changes('ALTER TABLE app.mv RENAME TO mv2'));
    expect(renamed).toMatchObject({
      from: { schema: 'app', name: 'mv' },
      table: { schema: 'app', name: 'mv2' },
    });
    const moved = altered(await rig.changes('ALTER TABLE app.mv2 SET SCHEMA other'));
    expect(moved).toMatchObject({
      from: { schema: 'app', name: 'mv2' },
      table: { schema: 'other', name: 'mv2' },
    });
    expect(moved.table.table_id).toBe(renamed.table.table_id);
    const again = await rig.changes('DROP TABLE other.mv2', 'CREATE TABLE other.mv2(id int PRIMARY KEY)');
    expect(again).toEqual([
      { kind: 'table_dropped', table_id: moved.table.table_id, schema: 'other', name: 'mv2' },
      expect.objectContaining({ kind: 'table_created' }),
    ]);
    expect(again[1]).not.toMatchObject({ table: { table_id: moved.table.table_id } });
  });

  test('schemas are created, renamed and dropped with their tables', async () => {
    await rig.story(
      'CREATE SCHEMA s1',
      'CREATE TABLE s1.a(id int PRIMARY KEY)',
      'CREATE TABLE s1.b(id int PRIMARY KEY)',
    );
    const renamed = await rig.story('ALTER SCHEMA s1 RENAME TO s2', 'INSERT INTO s2.a VALUES (1)');
    expect(changesOf(renamed)).toEqual([{ kind: 'schema_renamed', schema: 's2', from: 's1' }]);
    expect(rowEvents(renamed).map(({ table }) => table)).toEqual(['s2.a']);
    const dropped = await rig.changes('DROP SCHEMA s2 CASCADE');
    expect(dropped.map((change) => [change.kind, 'name' in change ? change.name : change])).toEqual([
      ['table_dropped', 'a'],
      ['table_dropped', 'b'],
      ['schema_dropped', { kind: 'schema_dropped', schema: 's2' }],
    ]);
  });

  test('rows of CREATE TABLE AS and SELECT INTO come after a witness, and the log row agrees with it', async () => {
    const events = await rig.story(
      'CREATE TABLE app.ctas AS SELECT 1::numeric(6,2) AS n, now()::timestamp(0) AS at',
    );
    expect(events.map((event) => (event.kind === 'row' ? 'row' : event.change.source))).toEqual([
      'relation',
      'row',
      'trigger',
    ]);
    const [witness, log] = schemaEvents(events);
    expect(witness!.changes).toMatchObject([{ kind: 'table_created', table: { name: 'ctas' } }]);
    expect(log!.changes).toMatchObject([
      {
        kind: 'table_altered',
        added: [],
        dropped: [],
        renamed: [],
        retyped: [],
        key_changed: false,
        stale: [],
      },
    ]);
    expect(rowEvents(events)[0]!.types).toEqual(['numeric(6,2)', 'timestamp(0) without time zone']);
    const into = await rig.story('SELECT 1 AS id INTO app.into_table');
    expect(schemaEvents(into).map(({ command_tag }) => command_tag)).toEqual(['CREATE TABLE', 'SELECT INTO']);
  });

  test('a change of primary key is told, and rows carry the new key', async () => {
    await rig.story('CREATE TABLE app.k(a int NOT NULL, b int NOT NULL, CONSTRAINT k_pk PRIMARY KEY (a))');
    const changes = await rig.changes(
      'ALTER TABLE app.k DROP CONSTRAINT k_pk, ADD CONSTRAINT k_pk2 PRIMARY KEY (b, a)',
    );
    expect(altered(changes)).toMatchObject({
      key_changed: true,
      stale: ['key_changed'],
      table: { identity_columns: ['b', 'a'] },
    });
    const [row] = rowEvents(await rig.story('INSERT INTO app.k VALUES (1, 2)'));
    expect(row!.keyColumnIds.map((id) => id.split('-')[1])).toEqual(['2', '1']);
  });

  test('domains, enums, composites and arrays of them come with their names and are encoded by their base', async () => {
    const events = await rig.story(
      `CREATE TYPE app.mood AS ENUM ('sad')`,
      'CREATE DOMAIN app.pos AS int CHECK (VALUE > 0)',
      'CREATE TYPE app.pair AS (x int, y app.mood)',
      'CREATE TABLE app.ty(id app.pos PRIMARY KEY, m app.mood, p app.pair, ms app.mood[], c char(5), b bit(3), iv interval(2))',
      `INSERT INTO app.ty VALUES (1, 'sad', '(1,sad)', '{sad}', 'x', B'101', '1 day')`,
    );
    const created = changesOf(events).find((change) => change.kind === 'table_created');
    const { columns } = created!.table;
    expect(columns.map(({ type, base_type }) => [type, base_type]).slice(0, 4)).toEqual([
      ['app.pos', 'integer'],
      ['app.mood', 'enum'],
      ['app.pair', 'composite'],
      ['app.mood[]', 'app.mood[]'],
    ]);
    expect(columns[2]!.attributes).toEqual([
      { name: 'x', type: 'integer' },
      { name: 'y', type: 'app.mood' },
    ]);
    const [row] = rowEvents(events);
    expect(row!.encodings[0]).toBe('number');
    expect(row!.types.slice(4)).toEqual(['character(5)', 'bit(3)', 'interval(2)']);
    const later = await rig.story(
      `ALTER TYPE app.mood ADD VALUE 'ok'`,
      'ALTER TYPE app.pair ADD ATTRIBUTE z int',
    );
    expect(schemaEvents(later).map(({ command_tag }) => command_tag)).toEqual(['ALTER TYPE', 'ALTER TYPE']);
    expect(altered(changesOf(later)).table.columns[2]!.attributes).toHaveLength(3);
  });

  test('a cascade that drops a column, and an index that was the identity, are told of their table', async () => {
    await rig.story(
      `CREATE TYPE app.gone AS ENUM ('a')`,
      'CREATE TABLE app.casc(id int PRIMARY KEY, g app.gone)',
      'CREATE TABLE app.uq(code text NOT NULL, v int)',
      'CREATE UNIQUE INDEX uq_code ON app.uq(code)',
    );
    expect(altered(await rig.changes('DROP TYPE app.gone CASCADE')).dropped).toMatchObject([{ name: 'g' }]);
    const lost = altered(await rig.changes('DROP INDEX app.uq_code'));
    expect(lost).toMatchObject({ key_changed: true, table: { name: 'uq', identity_columns: [] } });
    const back = altered(await rig.changes('CREATE UNIQUE INDEX uq_code ON app.uq(code)'));
    expect(back).toMatchObject({ key_changed: true, table: { name: 'uq', identity_columns: ['code'] } });
    const concurrently = altered(await rig.changes('DROP INDEX CONCURRENTLY app.uq_code'));
    expect(concurrently).toMatchObject({ key_changed: true, table: { identity_columns: [] } });
  });

  test('DDL and rows mixed in one transaction, down to DROP, keep their order and shapes', async () => {
    const events =
      await rig.story(`BEGIN; CREATE TABLE app.x(id int PRIMARY KEY); INSERT INTO app.x VALUES (1);
      ALTER TABLE app.x ADD COLUMN v int; INSERT INTO app.x VALUES (2, 2); ALTER TABLE app.x RENAME TO y;
      INSERT INTO app.y VALUES (3, 3); DROP TABLE app.y; COMMIT`);
    const told = events.map((event) =>
      event.kind === 'row' ? `${event.table} ${event.columns.join()}` : event.change.changes[0]!.kind,
    );
    expect(told).toEqual([
      'table_created',
      'app.x id',
      'table_altered',
      'app.x id,v',
      'table_altered',
      'app.y id,v',
      'table_dropped',
    ]);
  });

  test('partitions: rows and shapes are of the root; ATTACH, DETACH and DROP of one make it stale', async () => {
    const events = await rig.story(
      'CREATE TABLE app.p(id int, k text, PRIMARY KEY (id, k)) PARTITION BY LIST (k)',
      `CREATE TABLE app.p_a PARTITION OF app.p FOR VALUES IN ('a')`,
      `CREATE TABLE app.p_b PARTITION OF app.p FOR VALUES IN ('b')`,
      `INSERT INTO app.p VALUES (1, 'a')`,
      'CREATE TABLE app.loose(id int, k text NOT NULL, PRIMARY KEY (id, k))',
    );
    expect(changesOf(events).map((change) => 'table' in change && change.table.name)).toEqual(['p', 'loose']);
    expect(rowEvents(events).map(({ table }) => table)).toEqual(['app.p']);
    const attached = await rig.changes(`ALTER TABLE app.p ATTACH PARTITION app.loose FOR VALUES IN ('c')`);
    expect(attached).toMatchObject([
      { kind: 'table_dropped', name: 'loose' },
      { kind: 'table_altered', stale: ['partition_attached'] },
    ]);
    expect(altered(await rig.changes('DROP TABLE app.p_b')).stale).toEqual(['partition_dropped']);
    const detached = await rig.changes('ALTER TABLE app.p DETACH PARTITION app.p_a');
    expect(detached).toMatchObject([
      { kind: 'table_altered', stale: ['partition_detached'] },
      { kind: 'table_created', table: { name: 'p_a' } },
    ]);
    const added = altered(await rig.changes('ALTER TABLE app.p ADD COLUMN n int DEFAULT 7'));
    expect(added.added).toMatchObject([{ name: 'n', constant_default: '7' }]);
  });

  test('temporary, unlogged, extension and own objects and skipped sessions leave nothing', async () => {
    const events = await rig.story(
      'CREATE TEMP TABLE tmp(id int)',
      'CREATE UNLOGGED TABLE app.ul(id int)',
      'CREATE EXTENSION IF NOT EXISTS citext',
      `SET pgstream.skip_log = 'TRUE'`,
      'CREATE TABLE app.skipped(id int)',
      'RESET pgstream.skip_log',
    );
    expect(schemaEvents(events)).toEqual([]);
    const identity = await rig.db.query(
      `SELECT relreplident FROM pg_class WHERE oid = 'app.skipped'::regclass`,
    );
    expect(identity.rows).toEqual([{ relreplident: 'f' }]);
    const logged = await rig.changes('ALTER TABLE app.ul SET LOGGED');
    expect(logged).toMatchObject([{ kind: 'table_created', table: { name: 'ul', replica_identity: 'f' } }]);
  });

  test('after all of this the comparison with the catalogue finds nothing that was not told', async () => {
    await rig.story(
      'DROP TABLE app.skipped',
      `CREATE TABLE app.p_d PARTITION OF app.p FOR VALUES IN ('d') PARTITION BY LIST (k)`,
    );
    await rig.story(`CREATE TABLE app.p_d1 PARTITION OF app.p_d FOR VALUES IN ('d')`);
    const reconciler = new Reconciler(rig.db, rig.history);
    const rounds = [await reconciler.round(), await reconciler.round()];
    const found = await rig.db.query(
      `SELECT shapes, dropped, schemas FROM pgstream.schema_log WHERE source = 'catalogue'`,
    );
    expect(found.rows).toEqual([]);
    expect(rounds).toEqual([0, 0]);
  });
});
