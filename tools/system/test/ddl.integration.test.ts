import { DirectPath } from '../direct-path.ts';

let path: DirectPath;
/** One transaction, unless it says otherwise. */
const sql = (text: string) => path.sql.query(text);

beforeAll(async () => {
  path = await DirectPath.start('ddl', {
    before: `CREATE DOMAIN amount AS int; CREATE DOMAIN tags AS text[]; CREATE TYPE pair AS (a int, b text);
      CREATE TABLE older (id int PRIMARY KEY, t tags); CREATE TABLE oldest (id int PRIMARY KEY, n amount, p pair)`,
  });
});

afterAll(async () => {
  await path.close();
});

/** What is reported stale, and the documents where that is not to be: `[]` says that the index equals the table. */
async function state(table: string): Promise<string[]> {
  await path.settled();
  const stale = await path.stale(table);
  return stale.length > 0
    ? stale.map((reason) => `stale: ${reason}`)
    : [...(await path.differences(table, { lackingIsNull: true }))];
}

const numbered = (table: string, rows = 20) =>
  `CREATE TABLE ${table} (id int PRIMARY KEY, a text, b int); INSERT INTO ${table} SELECT g, 'a' || g, g FROM generate_series(1, ${rows}) g`;

describe('columns', () => {
  test('added without a default, with a constant one, and with defaults of every kind of text', async () => {
    await sql(numbered('adds'));
    await sql('ALTER TABLE adds ADD COLUMN c text');
    await sql(`ALTER TABLE adds ADD COLUMN d int NOT NULL DEFAULT 7, ADD COLUMN e timestamptz DEFAULT '2024-05-05 04:00:00.000001+02',
      ADD COLUMN f numeric DEFAULT 1.50, ADD COLUMN g jsonb DEFAULT '{"k": [1.0, "x"]}', ADD COLUMN h bytea DEFAULT '\\x00ff',
      ADD COLUMN i text[] DEFAULT '{"a,b",NULL}', ADD COLUMN j boolean DEFAULT true, ADD COLUMN k text DEFAULT 'it''s "q" \\ ñ'`);
    await sql(
      `UPDATE adds SET c = 'set', d = 8 WHERE id < 5; INSERT INTO adds (id) VALUES (100); DELETE FROM adds WHERE id = 20`,
    );
    expect(await state('adds')).toEqual([]);
    expect(
      (await path.documents('adds')).filter((line) => / d=7 e="2024-05-05T02:00:00.000001Z" /.test(line)),
    ).toHaveLength(16);
  });

  test('added with a volatile default: stored rows changed unseen, and the table is reported', async () => {
    await sql(numbered('volatile'));
    await sql('ALTER TABLE volatile ADD COLUMN u uuid DEFAULT gen_random_uuid()');
    expect(await state('volatile')).toEqual(['stale: volatile_default']);
    await sql(`UPDATE volatile SET b = b + 1`);
    await path.settled();
    expect(await path.differences('volatile')).toEqual([]);
  });

  test('renamed, also onto a name that was dropped just before', async () => {
    await sql(numbered('renames'));
    await sql('ALTER TABLE renames RENAME COLUMN a TO label');
    expect(await state('renames')).toEqual([]);
    await sql(`ALTER TABLE renames DROP COLUMN b; ALTER TABLE renames RENAME COLUMN label TO b; ALTER TABLE renames ADD COLUMN label int DEFAULT 5;
               UPDATE renames SET b = 'new' WHERE id = 1`);
    expect(await state('renames')).toEqual([]);
  });

  test('dropped and added again', async () => {
    await sql(numbered('drops'));
    await sql('ALTER TABLE drops DROP COLUMN a');
    expect(await state('drops')).toEqual([]);
    expect((await path.documents('drops'))[0]).toBe('id=1 b=1');
    await sql(`ALTER TABLE drops ADD COLUMN a text; UPDATE drops SET a = 'again' WHERE id < 3`);
    expect(await state('drops')).toEqual([]);
  });

  test('of another type: reported stale, and right once every row was written again', async () => {
    await sql(numbered('retypes'));
    await sql("ALTER TABLE retypes ALTER COLUMN b TYPE text USING b || '!', ALTER COLUMN a TYPE varchar(50)");
    expect(await state('retypes')).toEqual(['stale: retyped']);
    await sql('UPDATE retypes SET a = a');
    await path.settled();
    expect(await path.differences('retypes')).toEqual([]);
  });

  test('of domains and composites, in tables older than init: stale once their types are told', async () => {
    await sql(`INSERT INTO older VALUES (1, '{a,b}'); INSERT INTO oldest VALUES (1, 5, '(1,x)')`);
    await sql(`ALTER TABLE older ADD COLUMN c int; ALTER TABLE oldest ADD COLUMN c int`);
    for (const table of ['older', 'oldest']) expect(await state(table)).toEqual(['stale: retyped']);
    await sql(
      `UPDATE older SET c = 1; UPDATE oldest SET c = 1; INSERT INTO oldest VALUES (2, 6, '(2,y)', 2)`,
    );
    await path.settled();
    expect([...(await path.differences('older')), ...(await path.differences('oldest'))]).toEqual([]);
  });

  test('whose enum gets a value while its rows go on', async () => {
    await sql(
      `CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE spot AS (x int); CREATE TABLE moods (id int PRIMARY KEY, m mood, s spot)`,
    );
    await sql(`INSERT INTO moods VALUES (1, 'sad', '(1)')`);
    await sql(`ALTER TYPE mood ADD VALUE 'ok' BEFORE 'sad'`);
    await sql(`INSERT INTO moods VALUES (2, 'ok', '(2)')`);
    expect(await state('moods')).toEqual([]);
  });
});

describe('tables', () => {
  test('renamed: the index follows, and a new table of the old name starts empty', async () => {
    await sql(numbered('before'));
    await sql('ALTER TABLE before RENAME TO after; UPDATE after SET b = 0 WHERE id = 1');
    expect(await state('after')).toEqual([]);
    expect(await path.indices()).not.toContain('public.before');
    await sql(numbered('before', 3));
    expect([...(await state('before')), ...(await state('after'))]).toEqual([]);
    await sql(
      'ALTER TABLE before RENAME TO tmp; ALTER TABLE after RENAME TO before; ALTER TABLE tmp RENAME TO after; UPDATE after SET b = 9',
    );
    expect([...(await state('before')), ...(await state('after'))]).toEqual([]);
    expect(await path.documents('after')).toHaveLength(3);
  });

  test('moved to another schema', async () => {
    await sql('CREATE SCHEMA depot');
    await sql(numbered('mover'));
    await sql('ALTER TABLE mover SET SCHEMA depot; INSERT INTO depot.mover VALUES (100)');
    expect(await state('depot.mover')).toEqual([]);
    expect(await path.indices()).not.toContain('public.mover');
  });

  test('dropped, and made again with other columns', async () => {
    await sql(numbered('phoenix'));
    await sql('DROP TABLE phoenix');
    await path.settled();
    expect(await path.indices()).not.toContain('public.phoenix');
    await sql(
      `CREATE TABLE phoenix (a int PRIMARY KEY, id jsonb); INSERT INTO phoenix VALUES (1, '{}'), (2, '[]')`,
    );
    expect(await state('phoenix')).toEqual([]);
    await sql(`DROP TABLE phoenix; ${numbered('phoenix', 5)}; DROP TABLE phoenix; ${numbered('phoenix', 2)}`);
    expect(await state('phoenix')).toEqual([]);
    expect(await path.documents('phoenix')).toHaveLength(2);
  });

  test('made by CREATE TABLE AS and SELECT INTO: reported, since their rows came before their key', async () => {
    await sql(
      `CREATE TABLE copied AS SELECT g AS id, 'x' || g AS v FROM generate_series(1, 30) g; ALTER TABLE copied ADD PRIMARY KEY (id)`,
    );
    await sql(`SELECT g AS id, g AS v INTO chosen FROM generate_series(1, 5) g`);
    await sql('ALTER TABLE chosen ADD PRIMARY KEY (id)');
    await sql('UPDATE copied SET v = v WHERE id < 10; INSERT INTO chosen VALUES (6, 6)');
    for (const table of ['copied', 'chosen']) expect(await state(table)).toEqual(['stale: key_changed']);
    expect(await path.documents('copied')).toHaveLength(9);
    expect(await path.documents('chosen')).toEqual(['id=6 v=6']);
  });

  test('with another primary key: reported stale, and rows go on under the new one', async () => {
    await sql(numbered('rekeyed'));
    await sql('ALTER TABLE rekeyed DROP CONSTRAINT rekeyed_pkey, ADD PRIMARY KEY (b, id)');
    await sql(`UPDATE rekeyed SET a = 'new' WHERE id = 3; INSERT INTO rekeyed VALUES (100, 'x', 100)`);
    expect(await state('rekeyed')).toEqual(['stale: key_changed']);
    expect(await path.documents('rekeyed')).toEqual(
      expect.arrayContaining(['id=3 a="new" b=3', 'id=100 a="x" b=100']),
    );
  });
});

describe('schemas', () => {
  test('renamed with their tables, and dropped with them', async () => {
    await sql(`CREATE SCHEMA north; ${numbered('north.x')}; ${numbered('north.y')}`);
    await sql('ALTER SCHEMA north RENAME TO south; INSERT INTO south.x VALUES (50)');
    expect([...(await state('south.x')), ...(await state('south.y'))]).toEqual([]);
    expect((await path.indices()).filter((name) => name.startsWith('north.'))).toEqual([]);
    await sql('DROP SCHEMA south CASCADE');
    await path.settled();
    expect((await path.indices()).filter((name) => name.startsWith('south.'))).toEqual([]);
  });
});

test('DDL and rows mixed in one transaction keep their order', async () => {
  await sql(`BEGIN; ${numbered('mixed')}; ALTER TABLE mixed ADD COLUMN c int DEFAULT 3; UPDATE mixed SET c = 4 WHERE id < 5;
    ALTER TABLE mixed RENAME COLUMN c TO d; INSERT INTO mixed VALUES (100, 'x', 1, 2); ALTER TABLE mixed DROP COLUMN a;
    UPDATE mixed SET d = 9 WHERE id = 7; ALTER TABLE mixed RENAME TO blended; DELETE FROM blended WHERE id = 8;
    ALTER TABLE blended ADD COLUMN a int DEFAULT 1; INSERT INTO blended VALUES (101, 1, 1, 1); COMMIT`);
  expect(await state('blended')).toEqual([]);
  await sql(
    `BEGIN; ALTER TABLE blended ADD COLUMN never int; INSERT INTO blended VALUES (102, 1, 1, 1, 1); ROLLBACK`,
  );
  expect(await state('blended')).toEqual([]);
});

/** One transaction of many changes. */
async function addColumns(table: string): Promise<void> {
  await path.sql.transaction(async (one) => {
    for (let i = 0; i < 8; i++) {
      await one.query(
        `ALTER TABLE ${table} ADD COLUMN c${i} int DEFAULT ${i}; UPDATE ${table} SET c${i} = -1 WHERE id = ${i}`,
      );
    }
  });
}

test('two sessions that change one schema at once', async () => {
  await sql(`${numbered('left_one')}; ${numbered('right_one')}`);
  await Promise.all(['left_one', 'right_one'].map(addColumns));
  expect([...(await state('left_one')), ...(await state('right_one'))]).toEqual([]);
});

test('DDL while nothing streams is caught up with', async () => {
  await sql(`${numbered('away')}; ${numbered('gone')}; ${numbered('kept')}`);
  await path.settled();
  await path.stop();
  await sql(`ALTER TABLE away ADD COLUMN c int DEFAULT 3; UPDATE away SET c = 4 WHERE id = 1; ALTER TABLE away RENAME TO back;
             ALTER TABLE back DROP COLUMN a; INSERT INTO back VALUES (100, 1, 1)`);
  await sql('DROP TABLE gone; INSERT INTO kept VALUES (100)');
  await sql(numbered('newborn'));
  await sql('ALTER TABLE newborn RENAME COLUMN a TO z; UPDATE newborn SET z = NULL WHERE id < 3');
  path.run();
  for (const table of ['back', 'kept', 'newborn']) expect([table, ...(await state(table))]).toEqual([table]);
  expect(await path.indices()).not.toContain('public.gone');
});

test('--handle-ddl=false: no mapping changes and nothing is dropped; rows go on', async () => {
  await sql(`${numbered('fixed')}; ${numbered('stays')}`);
  await path.settled();
  await path.stop();
  path.run({ PGSTREAM_HANDLE_DDL: 'false' });
  await sql(
    'ALTER TABLE fixed ADD COLUMN c int DEFAULT 3; UPDATE fixed SET c = 4 WHERE id = 1; DROP TABLE stays',
  );
  await path.settled();
  expect(await path.documents('stays')).toHaveLength(20);
  expect(await path.documents('fixed')).toContain('id=1 a="a1" b=1 c=4');
  expect(await path.documents('fixed')).toContain('id=2 a="a2" b=2');
});
