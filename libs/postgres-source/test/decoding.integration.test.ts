import { endpoints } from '@pgstream/test-kit';
import { brief } from './brief.ts';
import { Reader } from './reader.ts';
import { SlotDatabase } from './slot-database.ts';

const { postgresUrls } = endpoints();
let database: SlotDatabase;
let reader: Reader | undefined;

async function open(ddl: string, version: 15 | 16 | 17 | 18 = 17): Promise<void> {
  database = await SlotDatabase.create(postgresUrls[version], ddl);
}

/** Everything up to a marker row, which the caller does not see. */
async function stream(): Promise<Reader> {
  await database.sql(`SELECT pg_logical_emit_message(true, 'end', '')`);
  reader = new Reader(database);
  const { seen } = reader;
  await reader.records(1);
  while (seen.at(-1)?.record.message?.prefix !== 'end') await reader.records(seen.length + 1);
  seen.pop();
  return reader;
}

afterEach(async () => {
  await reader?.stop();
  reader = undefined;
  await database.drop();
});

// Incompressible, so that it leaves the row
const BIG = `(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 200) g)`;

test('insert, update, key change and delete under DEFAULT identity', async () => {
  await open(`CREATE TABLE t(id bigint PRIMARY KEY, v text, big text)`);
  await database.sql(`INSERT INTO t VALUES (1, 'a', ${BIG}), (9223372036854775807, NULL, '')`);
  await database.sql(`UPDATE t SET v = 'b' WHERE id = 1`);
  await database.sql(`UPDATE t SET id = 2 WHERE id = 1`);
  await database.sql(`DELETE FROM t WHERE id = 2`);
  expect(brief((await stream()).seen)).toEqual([
    'I t id=1,v=a,big=6400 chars',
    'I t id=9223372036854775807,v=null,big=',
    'U t id=1,v=b <- id=1 ~big',
    'U t id=2,v=b <- id=1 ~big',
    'D t <- id=2',
  ]);
});

test('FULL identity carries the old row; unchanged TOAST is told apart from NULL', async () => {
  await open(`CREATE TABLE t(id int, v text, big text); ALTER TABLE t REPLICA IDENTITY FULL`);
  await database.sql(`INSERT INTO t VALUES (1, 'a', ${BIG})`);
  await database.sql(`UPDATE t SET v = NULL`);
  await database.sql(`DELETE FROM t`);
  const { seen } = await stream();
  expect(brief(seen).slice(1)).toEqual([
    'U t id=1,v=null <- id=1,v=a,big=6400 chars ~big',
    'D t <- id=1,v=null,big=6400 chars',
  ]);
});

test('INDEX identity names the columns of the index, and has no old row when only the key changed', async () => {
  await open(`CREATE TABLE t(id int PRIMARY KEY, code text NOT NULL, big text); CREATE UNIQUE INDEX c ON t(code);
              ALTER TABLE t REPLICA IDENTITY USING INDEX c`);
  await database.sql(`INSERT INTO t VALUES (1, 'x', ${BIG})`);
  await database.sql(`UPDATE t SET id = 2`);
  await database.sql(`UPDATE t SET code = 'y'`);
  await database.sql(`DELETE FROM t`);
  expect(brief((await stream()).seen).slice(1)).toEqual([
    'U t id=2,code=x <- code=x ~big',
    'U t id=2,code=y <- code=x ~big',
    'D t <- code=y',
  ]);
});

test('positions: seq counts within the transaction, COPY shares one LSN, TRUNCATE counts each table', async () => {
  await open(`CREATE TABLE a(id int PRIMARY KEY); CREATE TABLE b(id int PRIMARY KEY REFERENCES a)`);
  await database.sql(`COPY a FROM PROGRAM 'seq 50'`);
  await database.sql(`BEGIN; TRUNCATE a, b RESTART IDENTITY; INSERT INTO a VALUES (7); COMMIT`);
  const { seen } = await stream();
  const positions = seen.map(({ record }) => record.position);
  expect(positions.slice(0, 50).map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  expect(new Set(positions.slice(0, 50).map(({ commitLsn }) => commitLsn)).size).toBe(1);
  expect(new Set(seen.slice(0, 50).map(({ record }) => record.lsn)).size).toBe(1);
  expect(brief(seen.slice(50)).toSorted()).toEqual(['I a id=7', 'T a', 'T b']);
  expect(positions.slice(50).map(({ seq }) => seq)).toEqual([0, 1, 2]);
});

test('rolled back work vanishes; two-phase work appears at its COMMIT PREPARED', async () => {
  await open(`CREATE TABLE t(id int PRIMARY KEY)`);
  await database.sql(`BEGIN; INSERT INTO t VALUES (1); ROLLBACK`);
  await database.sql(`BEGIN; INSERT INTO t VALUES (2); SAVEPOINT s; INSERT INTO t VALUES (3); ROLLBACK TO s;
                      INSERT INTO t VALUES (4); COMMIT`);
  await database.sql(`BEGIN; INSERT INTO t VALUES (5)`);
  await database.sql(`PREPARE TRANSACTION '${database.name}'`);
  await database.sql(`INSERT INTO t VALUES (6)`);
  await database.sql(`COMMIT PREPARED '${database.name}'`);
  const { seen } = await stream();
  expect(brief(seen)).toEqual(['I t id=2', 'I t id=4', 'I t id=6', 'I t id=5']);
  const commits = seen.map(({ record }) => record.position.commitLsn);
  expect(commits.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(commits);
  expect(seen[3]!.record.lsn < seen[2]!.record.lsn).toBe(true);
});

test('logical messages: those outside transactions survive a rollback and stand at their own LSN', async () => {
  await open(`CREATE TABLE t(id int PRIMARY KEY)`);
  await database.sql(
    `BEGIN; SELECT pg_logical_emit_message(false, 'loose', 'x"y'); INSERT INTO t VALUES (1); ROLLBACK`,
  );
  await database.sql(
    `BEGIN; INSERT INTO t VALUES (2); SELECT pg_logical_emit_message(true, 'bound', 'z'); COMMIT`,
  );
  await database.sql(`SELECT pg_logical_emit_message(true, 'pgstream.ddl', '{}')`);
  const { seen, source } = await stream();
  expect(brief(seen)).toEqual(['M loose x"y', 'I t id=2', 'M bound z']);
  const [loose, , bound] = seen;
  expect(loose!.record).toMatchObject({
    timestamp: '',
    position: { commitLsn: loose!.record.lsn, seq: 0, sub: 1 },
  });
  expect(bound!.record.position.seq).toBe(1);
  expect(source.facts.reservedMessages).toBe(1);
});

test('each row is decoded with the shape it was written under, also of a table that is gone', async () => {
  await open(`CREATE TABLE t(id int PRIMARY KEY, v text)`);
  await database.sql(`BEGIN; INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD COLUMN n int DEFAULT 5;
    INSERT INTO t VALUES (2, 'b'); ALTER TABLE t RENAME COLUMN v TO w; INSERT INTO t VALUES (3, 'c', 6);
    ALTER TABLE t DROP COLUMN w; INSERT INTO t VALUES (4, 7); COMMIT`);
  await database.sql(`BEGIN; CREATE TABLE gone(id int PRIMARY KEY); INSERT INTO gone VALUES (1);
    ALTER TABLE gone RENAME TO away; INSERT INTO away VALUES (2); DROP TABLE away; COMMIT`);
  expect(brief((await stream()).seen)).toEqual([
    'I t id=1,v=a',
    'I t id=2,v=b,n=5',
    'I t id=3,w=c,n=6',
    'I t id=4,n=7',
    'I gone id=1',
    'I away id=2',
  ]);
});

test('types that are not built in are announced before the relation that uses them', async () => {
  await open(`CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE DOMAIN amount AS int CHECK (VALUE > 0);
              CREATE TABLE t(id int PRIMARY KEY, m mood, a amount)`);
  await database.sql(`INSERT INTO t VALUES (1, 'ok', 5)`);
  const { history, seen } = await stream();
  expect(brief(seen)).toEqual(['I t id=1,m=ok,a=5']);
  expect(history.types.map(({ schema, name }) => `${schema}.${name}`).toSorted()).toEqual([
    '.int4',
    'public.mood',
  ]);
});

test('settings of the role do not change a byte', async () => {
  await open(`CREATE TABLE t(id int PRIMARY KEY, at timestamptz, i interval, b bytea, f float8, m money)`);
  await database.sql(`ALTER DATABASE ${database.name} SET datestyle = 'SQL, DMY';
    ALTER DATABASE ${database.name} SET timezone = 'America/New_York'; ALTER DATABASE ${database.name} SET intervalstyle = 'iso_8601';
    ALTER DATABASE ${database.name} SET bytea_output = 'escape'; ALTER DATABASE ${database.name} SET extra_float_digits = -5;
    ALTER DATABASE ${database.name} SET statement_timeout = '300ms'`);
  await database.sql(
    `INSERT INTO t VALUES (1, '2024-05-05 08:00:00.5+00', '1 year -3 days 04:05:06.789', '\\x00ff', 0.1::float8 + 0.2::float8, -1234.5)`,
  );
  expect(brief((await stream()).seen)).toEqual([
    'I t id=1,at=2024-05-05 08:00:00.5+00,i=1 year -3 days +04:05:06.789,b=AP8=,f=0.30000000000000004,m=-$1,234.50',
  ]);
});

test('partitions appear as their root', async () => {
  await open(`CREATE TABLE p(id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
              CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)`);
  await database.sql(`INSERT INTO p VALUES (1)`);
  await database.sql(`UPDATE p SET id = 11`);
  expect(brief((await stream()).seen)).toEqual(['I p id=1', 'D p <- id=1', 'I p id=11']);
});

test.each([15, 16, 18] as const)('PostgreSQL %d sends what 17 sends', async (version) => {
  await open(`CREATE TABLE t(id bigint PRIMARY KEY, v text, big text)`, version);
  await database.sql(`INSERT INTO t VALUES (1, 'a', ${BIG})`);
  await database.sql(`UPDATE t SET id = 2`);
  await database.sql(`SELECT pg_logical_emit_message(true, 'm', 'c')`);
  await database.sql(`TRUNCATE t`);
  expect(brief((await stream()).seen)).toEqual([
    'I t id=1,v=a,big=6400 chars',
    'U t id=2,v=a <- id=1 ~big',
    'M m c',
    'T t',
  ]);
});
