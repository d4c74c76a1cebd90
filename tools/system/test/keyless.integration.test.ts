import { waitFor } from '@pgstream/test-kit';
import { DirectPath } from '../direct-path.ts';

/** Statements that leave a table without a usable key, or make it without one. */
const TABLES: Readonly<Record<string, string>> = {
  bare: '(id int, v int)',
  unique_only: '(id int NOT NULL UNIQUE, v int)',
  late_key: '(id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v int)',
  key_dropped: '(id int PRIMARY KEY, v int)',
  index_dropped: '(id int NOT NULL, v int)',
  has_key: '(id int PRIMARY KEY, v int)',
};
const THEN: Readonly<Record<string, string>> = {
  key_dropped: 'ALTER TABLE %t DROP CONSTRAINT %t_pkey',
  index_dropped: 'DROP INDEX %t_code',
};
const createSql = (prefix: string) =>
  Object.entries(TABLES)
    .map(([name, columns]) => `CREATE TABLE ${prefix}_${name} ${columns}`)
    .join(';\n')
    .concat(
      `;\nCREATE UNIQUE INDEX ${prefix}_index_dropped_code ON ${prefix}_index_dropped (id);
       ALTER TABLE ${prefix}_index_dropped REPLICA IDENTITY USING INDEX ${prefix}_index_dropped_code;`,
    );

let path: DirectPath;

/** As the owner of the tables. */
const own = async (text: string) =>
  path.sql.query(path.role === null ? text : `SET LOCAL ROLE ${path.role}; ${text}`);

/** What an application would do: a failure of any statement is the test's. */
async function change(prefix: string, round: number): Promise<void> {
  for (const name of Object.keys(TABLES)) {
    const table = `${prefix}_${name}`;
    await own(
      `INSERT INTO ${table} SELECT g, ${round} FROM generate_series(${round * 10}, ${round * 10 + 5}) g`,
    );
    await own(`UPDATE ${table} SET v = v + 100 WHERE id % 2 = 0`);
    await own(`DELETE FROM ${table} WHERE id % 5 = 0`);
  }
}

async function takeKeysAway(prefix: string): Promise<void> {
  for (const [name, statement] of Object.entries(THEN)) {
    await own(statement.replaceAll('%t', `${prefix}_${name}`));
  }
}

async function listed(end = ''): Promise<string[]> {
  const { rows } = await path.sql.query(
    `SELECT DISTINCT tablename FROM pg_publication_tables WHERE schemaname = 'public' AND pubname LIKE '%' || $1`,
    [end],
  );
  return rows.map((row) => String(row['tablename']));
}

describe('tables without a key, where all tables are captured', () => {
  beforeAll(async () => {
    path = await DirectPath.start('keyless', { before: createSql('older') });
    await own(createSql('newer'));
  });

  afterAll(async () => {
    await path.close();
  });

  test('UPDATE and DELETE never fail, whatever took the key away, before init or after', async () => {
    for (const prefix of ['older', 'newer']) {
      await change(prefix, 1);
      await takeKeysAway(prefix);
      await change(prefix, 2);
    }
    await path.settled();
    const { rows } = await path.sql.query('SELECT count(*)::int AS n FROM newer_key_dropped');
    expect(rows[0]?.['n']).toBe(8);
  });

  test('rows that a unique index names are indexed; the other tables stop nothing, and get an index with their key', async () => {
    await own(
      'CREATE TABLE keyed (id int PRIMARY KEY, v int); INSERT INTO keyed VALUES (1, 1); UPDATE keyed SET v = 2',
    );
    await own(
      'DELETE FROM newer_bare; ALTER TABLE newer_bare ADD PRIMARY KEY (id); INSERT INTO newer_bare VALUES (7, 7)',
    );
    await path.settled();
    expect(await path.differences('keyed')).toEqual([]);
    expect(await path.differences('newer_bare')).toEqual([]);
    expect(await path.differences('newer_late_key')).toEqual([]);
    expect(await path.differences('newer_unique_only', { keyColumns: ['id'] })).toEqual([]);
    expect(await path.indices()).not.toContain('public.older_bare');
  });
});

describe('tables without a key, where the role lists what it owns', () => {
  const ROLE = '%db_owner';

  beforeAll(async () => {
    path = await DirectPath.start('keyless', {
      role: ROLE,
      before: `CREATE ROLE ${ROLE} LOGIN REPLICATION PASSWORD '${ROLE}'; GRANT CREATE ON DATABASE %db TO ${ROLE};
        GRANT CREATE ON SCHEMA public TO ${ROLE}; SET LOCAL ROLE ${ROLE}; ${createSql('older')}`,
    });
    await own(createSql('newer'));
  });

  afterAll(async () => {
    await path.close();
  });

  test('UPDATE and DELETE never fail, before and after the lists take the tables in', async () => {
    await change('older', 1);
    await change('newer', 1);
    await waitFor(
      'the new tables to be listed',
      async () => (await listed()).length === 2 * Object.keys(TABLES).length,
    );
    await change('newer', 2);
    await path.settled();
    expect(await path.differences('older_has_key')).toEqual([]);
  });

  test('a table that loses its key is moved to those without, where UPDATE and DELETE work', async () => {
    const lost = Object.keys(THEN);
    const remaining = async () =>
      (await listed('_pub')).filter((name) => lost.some((end) => name.endsWith(end)));
    expect(await remaining()).toHaveLength(4);
    await takeKeysAway('older');
    await takeKeysAway('newer');
    await waitFor('the tables to change lists', async () => (await remaining()).length === 0);
    await change('older', 3);
    await change('newer', 3);
    await path.settled();
    expect(await path.differences('older_has_key')).toEqual([]);
  });
});
