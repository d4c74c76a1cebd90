import { DirectPath } from '../direct-path.ts';

let path: DirectPath;
const sql = (text: string) => path.sql.query(text);

/** Incompressible and of its own for each seed: it leaves the row. */
const big = (seed: string) =>
  `(SELECT string_agg(md5(g::text || (${seed})::text), '') FROM generate_series(1, 120) g)`;

const literal = (type: string, text = '') => `'${text.replaceAll("'", "''")}'::${type}`;

beforeAll(async () => {
  path = await DirectPath.start('keys');
  await sql('CREATE EXTENSION citext; CREATE EXTENSION ltree');
});

afterAll(async () => {
  await path.close();
});

/** Between these tables and their indices, when everything committed by now has arrived. */
async function differences(...tables: readonly string[]): Promise<string[]> {
  await path.settled();
  const found: string[] = [];
  for (const table of tables)
    for (const text of await path.differences(table)) found.push(`${table} ${text}`);
  return found;
}

/** Columns of documents whose values are not known. */
async function incomplete(table: string): Promise<number> {
  const documents = await path.documents(table);
  return documents.filter((line) => !/ big="[0-9a-f]{100,}"/.test(line)).length;
}

describe('big values that an UPDATE leaves out', () => {
  const IDENTITIES = {
    by_key: '',
    by_row: 'ALTER TABLE by_row REPLICA IDENTITY FULL',
    by_index: 'ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key',
  };
  const tables = Object.keys(IDENTITIES);

  beforeAll(async () => {
    for (const [table, identity] of Object.entries(IDENTITIES)) {
      await sql(
        `CREATE TABLE ${table} (id int PRIMARY KEY, code text NOT NULL UNIQUE, v int, big text); ${identity}`,
      );
    }
  });

  test('are kept through updates that arrive while earlier ones are on their way', async () => {
    for (const table of tables) {
      await sql(`INSERT INTO ${table} SELECT i, 'c' || i, 0, ${big('i')} FROM generate_series(1, 40) i`);
    }
    for (let round = 1; round <= 15; round++) {
      await Promise.all(
        tables.map((table) => sql(`UPDATE ${table} SET v = ${round} WHERE id % ${(round % 3) + 1} = 0`)),
      );
    }
    await Promise.all(
      tables.map((table) =>
        sql(`BEGIN; UPDATE ${table} SET v = -1 WHERE id <= 20; UPDATE ${table} SET big = ${big("id || 'new'")} WHERE id <= 10;
             UPDATE ${table} SET v = -2 WHERE id <= 5; DELETE FROM ${table} WHERE id = 3;
             INSERT INTO ${table} VALUES (3, 'c3', 9, ${big("'again'")}); UPDATE ${table} SET v = -3 WHERE id = 3; COMMIT`),
      ),
    );
    expect(await differences(...tables)).toEqual([]);
    for (const table of tables) expect([table, await incomplete(table)]).toEqual([table, 0]);
  });

  test('move with the row when its key changes, alone or among other updates', async () => {
    for (const table of tables) {
      await sql(`UPDATE ${table} SET id = id + 1000 WHERE id BETWEEN 11 AND 15`);
      await sql(`UPDATE ${table} SET code = 'moved ' || code WHERE id BETWEEN 1013 AND 1018 OR id < 3`);
      await sql(`BEGIN; UPDATE ${table} SET v = 77 WHERE id = 20; UPDATE ${table} SET id = 2000 WHERE id = 20;
                 UPDATE ${table} SET v = 78, code = 'x' WHERE id = 2000; UPDATE ${table} SET id = 2001 WHERE id = 2000; COMMIT`);
    }
    expect(await differences(...tables)).toEqual([]);
    for (const table of tables) expect([table, await incomplete(table)]).toEqual([table, 0]);
  });

  test('stay with their row when keys are swapped, and rotated, in one transaction', async () => {
    for (const table of tables) {
      await sql(`BEGIN; UPDATE ${table} SET id = -1, code = 'tmp' WHERE id = 1; UPDATE ${table} SET id = 1, code = 'one' WHERE id = 2;
                 UPDATE ${table} SET id = 2, code = 'two' WHERE id = -1; COMMIT`);
      await sql(`BEGIN; UPDATE ${table} SET id = -id, code = '-' || code WHERE id BETWEEN 4 AND 10;
                 UPDATE ${table} SET id = CASE id WHEN -4 THEN 10 ELSE -id - 1 END, v = v + 1 WHERE id BETWEEN -10 AND -4; COMMIT`);
    }
    expect(await differences(...tables)).toEqual([]);
    for (const table of tables) expect([table, await incomplete(table)]).toEqual([table, 0]);
  });
});

test('composite keys keep rows apart whatever stands in their parts', async () => {
  await sql('CREATE TABLE pairs (a text, b text, v int, PRIMARY KEY (b, a))');
  const parts = [
    '',
    'a',
    'a,b',
    ',',
    '\\',
    '\\,',
    '\\E',
    '\\N',
    'a/b',
    'a?b#c%41',
    '"',
    "it's",
    'ñ 😀',
    'x\ny',
    ' ',
    '-',
    'null',
    '_',
    '..',
  ];
  const list = parts.map((part) => `(E'${part.replaceAll('\\', '\\\\').replaceAll("'", "''")}')`).join(', ');
  await sql(`INSERT INTO pairs SELECT x.p, y.p, 1 FROM (VALUES ${list}) x(p), (VALUES ${list}) y(p)`);
  expect(await differences('pairs')).toEqual([]);
  expect(await path.documents('pairs')).toHaveLength(parts.length ** 2);
  await sql(`UPDATE pairs SET v = 2 WHERE a < b`);
  await sql(`DELETE FROM pairs WHERE a = b`);
  await sql(`UPDATE pairs SET a = b, b = a || '!' WHERE a > b`);
  expect(await differences('pairs')).toEqual([]);
});

test('keys of 600 characters that differ in the last one, alone and in a composite key', async () => {
  await sql(
    'CREATE TABLE long_keys (k text PRIMARY KEY, v int); CREATE TABLE long_pairs (n int, k text, v int, PRIMARY KEY (n, k))',
  );
  await sql(`INSERT INTO long_keys SELECT repeat('k', 599) || chr(96 + g), 1 FROM generate_series(1, 9) g`);
  await sql(`INSERT INTO long_keys SELECT repeat('é', g), 1 FROM generate_series(250, 260) g`);
  await sql(
    `INSERT INTO long_pairs SELECT n, repeat('k,', 299) || chr(96 + g), 1 FROM generate_series(1, 5) g, generate_series(1, 3) n`,
  );
  await sql(`UPDATE long_keys SET v = 2 WHERE k LIKE '%b'; DELETE FROM long_keys WHERE k LIKE '%c'`);
  await sql(
    `UPDATE long_keys SET k = k || 'z' WHERE k LIKE '%d'; UPDATE long_pairs SET n = n + 10, v = 3 WHERE n = 2`,
  );
  expect(await differences('long_keys', 'long_pairs')).toEqual([]);
  expect(await path.documents('long_keys')).toHaveLength(8 + 11);
  expect(await path.documents('long_pairs')).toHaveLength(15);
});

describe('a key of any type', () => {
  /** Three values each; where there are four, the last equals the first for PostgreSQL and prints another text. */
  const KEYS: Readonly<Record<string, readonly string[]>> = {
    boolean: ['t', 'f'],
    smallint: ['-1', '0', '1'],
    bigint: ['9223372036854775807', '9223372036854775806', '-1'],
    oid: ['1', '4294967295', '2'],
    numeric: ['1.0', '12345678901234567890.123456789', 'NaN', '1.00'],
    'double precision': ['0', '0.30000000000000004', 'Infinity', '-0'],
    real: ['1e-45', '1.5', '-2'],
    money: ['1.5', '-2', '3'],
    interval: ['1 day', '1 mon', '-1 day', '24:00:00'],
    date: ['2024-02-29', 'infinity', '0044-03-15 BC'],
    timestamp: ['2024-05-05 04:00:00.000001', '2024-05-05 04:00:00.000002', '-infinity'],
    timestamptz: ['2024-05-05 04:00:00.000001+02', '2024-05-05 04:00:00+02', 'infinity'],
    time: ['24:00', '00:00', '00:00:00.000001'],
    timetz: ['12:00+02', '12:00+01', '12:00-01'],
    bytea: ['\\x', '\\x00', '\\x2c5c'],
    'bit(3)': ['000', '101', '111'],
    varbit: ['', '0', '00'],
    'char(5)': ['ab', '', 'abc'],
    'varchar(9)': ['ab ', 'ab', ''],
    name: ['a', 'b', 'c'],
    '"char"': ['a', 'b', 'c'],
    citext: ['Abc', 'b', 'c', 'aBC'],
    ltree: ['a.b', 'a', 'a.b.c'],
    uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'],
    inet: ['10.0.0.1', '10.0.0.1/24', '::1'],
    cidr: ['10.0.0.0/8', '10.0.0.0/16', '::/0'],
    macaddr: ['08:00:2b:01:02:03', '08:00:2b:01:02:04'],
    pg_lsn: ['0/1', '1/0', '16/B374D848'],
    hue: ['red', "it's, ok"],
    small: ['1', '2', '3'],
    spot: ['(1,a)', '(1,"a,b")', '(,)'],
    'int[]': ['{}', '{1,2}', '{1,NULL}'],
    'text[]': ['{"a,b"}', '{a,b}', '{""}'],
    jsonb: ['{"a": 1.0}', '[]', '"x"', '{"a": 1.00}'],
    int4range: ['[1,5)', 'empty', '(,)'],
    tstzrange: ['["2020-01-01 00:00:00+02",)', '(,)', 'empty'],
    tsvector: ["'a':1", "'a':2", "'b'"],
  };
  const types = Object.entries(KEYS);
  /** Each table has two of them as its key. */
  const names = types.slice(types.length / 2).map((_, i) => `key${i}`);
  /** Of one table: fill it, update and delete, change keys, change them to equal values of other texts. */
  function statements(name: string, i: number): string[] {
    const columns = types.slice(2 * i, 2 * i + 2);
    const key = (which: number) =>
      columns.map(([type, all]) => literal(type, all[which] ?? all[1])).join(', ');
    const fields = columns.map((_, c) => `k${c}`).join(', ');
    return [
      `CREATE TABLE ${name} (${columns.map(([type], c) => `k${c} ${type}`).join(', ')}, v int, PRIMARY KEY (${fields}));
       INSERT INTO ${name} VALUES (${key(0)}, 1), (${key(1)}, 2)`,
      `UPDATE ${name} SET v = v + 10; DELETE FROM ${name} WHERE (${fields}) = (${key(1)})`,
      `INSERT INTO ${name} VALUES (${key(2)}, 3); UPDATE ${name} SET (${fields}, v) = ROW (${key(1)}, 4) WHERE v = 3`,
      ...columns.flatMap(([type, all], c) =>
        all[3] === undefined ? [] : [`UPDATE ${name} SET k${c} = ${literal(type, all[3])} WHERE v = 11`],
      ),
    ];
  }

  test('names one document through updates, changes of the key and deletes', async () => {
    await sql(
      `CREATE TYPE hue AS ENUM ('red', 'it''s, ok'); CREATE DOMAIN small AS int; CREATE TYPE spot AS (x int, y text)`,
    );
    const all = names.map(statements);
    for (const step of [0, 1, 2, 3, 4]) await sql(all.map((list) => list[step] ?? '').join(';\n'));
    expect(await differences(...names)).toEqual([]);
  });
});

describe('partitions', () => {
  test('rows that move between partitions stay one document', async () => {
    await sql(`CREATE TABLE sales (region text, id int, v int, big text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
      CREATE TABLE sales_n PARTITION OF sales FOR VALUES IN ('n', 'm') PARTITION BY RANGE (id);
      CREATE TABLE sales_n1 PARTITION OF sales_n FOR VALUES FROM (0) TO (10); CREATE TABLE sales_n2 PARTITION OF sales_n DEFAULT;
      CREATE TABLE sales_s PARTITION OF sales FOR VALUES IN ('s');`);
    await sql(
      `INSERT INTO sales SELECT r, i, 1, ${big('i')} FROM unnest('{n,m,s}'::text[]) r, generate_series(1, 20) i`,
    );
    await sql(
      `UPDATE sales SET region = 's', id = id + 100 WHERE region = 'n' AND id < 6; UPDATE sales SET id = id + 50 WHERE region = 'm'`,
    );
    await sql(
      `UPDATE sales_s SET v = 2 WHERE id > 10; DELETE FROM sales_n2 WHERE id = 15; INSERT INTO sales_n1 VALUES ('n', 0, 5, 'x')`,
    );
    expect(await differences('sales')).toEqual([]);
    expect(await path.indices()).not.toContain('public.sales_s');
  });

  test('a truncated root is empty and fills again', async () => {
    await sql(`TRUNCATE sales; INSERT INTO sales VALUES ('s', 1, 1, NULL)`);
    expect(await differences('sales')).toEqual([]);
  });
});

test('TRUNCATE of several tables removes what came before it, in its place among rows', async () => {
  await sql(`CREATE TABLE parents (id int PRIMARY KEY, v int);
    CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents); CREATE TABLE others (id int PRIMARY KEY, v text)`);
  await sql(`INSERT INTO parents SELECT g, 1 FROM generate_series(1, 500) g; INSERT INTO others SELECT g, 'x' FROM generate_series(1, 500) g;
             INSERT INTO children SELECT g, g FROM generate_series(1, 500) g`);
  await sql(`BEGIN; INSERT INTO others VALUES (1000, 'before'); TRUNCATE parents, others CASCADE; INSERT INTO parents VALUES (1, 2);
             INSERT INTO children VALUES (7, 1); INSERT INTO others VALUES (500, 'after'); UPDATE others SET v = 'later'; COMMIT`);
  expect(await differences('parents', 'children', 'others')).toEqual([]);
  expect(await path.documents('others')).toEqual(['id=500 v="later"']);
});

test('stored generated columns are not in the stream, and everything else is', async () => {
  await sql(
    `CREATE TABLE boxes (id int PRIMARY KEY, w int, h int, area int GENERATED ALWAYS AS (w * h) STORED, label text)`,
  );
  await sql(
    `INSERT INTO boxes VALUES (1, 2, 3, DEFAULT, 'a'), (2, 4, 5, DEFAULT, 'b'); UPDATE boxes SET w = 7 WHERE id = 1; DELETE FROM boxes WHERE id = 2`,
  );
  await path.settled();
  expect(await path.differences('boxes', { ignoreColumns: ['area'] })).toEqual([]);
  expect(await path.documents('boxes')).toEqual(['id=1 w=7 h=3 label="a"']);
});

test('1,600 columns', async () => {
  const columns = Array.from(
    { length: 1599 },
    (_, i) => `c${i} ${['int', 'text', 'numeric', 'boolean'][i % 4]}`,
  );
  await sql(`CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(', ')})`);
  await sql(
    `INSERT INTO wide (id, c0, c1, c1598) VALUES (1, 1, 'x', 1.50); UPDATE wide SET c797 = 'y', c1596 = 5; INSERT INTO wide (id) VALUES (2)`,
  );
  expect(await differences('wide')).toEqual([]);
  expect(await path.documents('wide')).toHaveLength(2);
});
