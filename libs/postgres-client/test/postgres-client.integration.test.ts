import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { classifyPostgres } from '@pgstream/failure';
import {
  createPool,
  migrationsScript,
  migrationStatus,
  parseConnectionUrl,
  readMigrations,
  runMigrations,
  sessionConfig,
  type PostgresPool,
} from '@pgstream/postgres-client';
import { endpoints, uniqueName } from '@pgstream/test-kit';

const serverUrl = endpoints().postgresUrl;
const pools: PostgresPool[] = [];

async function connect(url: string): Promise<PostgresPool> {
  const pool = createPool(await sessionConfig(parseConnectionUrl(url, 'url'), { applicationName: 'test' }));
  pools.push(pool);
  return pool;
}

async function freshDatabase(): Promise<{ url: string; pool: PostgresPool }> {
  const name = uniqueName('pgclient');
  const server = await connect(serverUrl);
  await server.query(`CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, pool: await connect(url.href) };
}

const write = (dir: string, name: string, sql: string) => writeFileSync(join(dir, name), sql);
const folder = () => mkdtempSync(join(tmpdir(), 'pgstream-migrations-'));

afterAll(async () => {
  const server = await connect(serverUrl);
  const { rows } = await server.query(
    "SELECT datname FROM pg_database WHERE datname LIKE 'pgclient\\_' || $1 || '\\_%'",
    [process.pid.toString(36)],
  );
  for (const row of rows) await server.query(`DROP DATABASE ${String(row['datname'])} WITH (FORCE)`);
  await Promise.all(pools.map((pool) => pool.end()));
});

test('settings of the role do not reach a session with pins', async () => {
  const { pool, url } = await freshDatabase();
  const database = new URL(url).pathname.slice(1);
  await pool.query(
    `ALTER DATABASE ${database} SET timezone = 'Asia/Tokyo'; ALTER DATABASE ${database} SET datestyle = 'SQL'`,
  );
  const fresh = await connect(url);
  const { rows } = await fresh.query("SELECT '2024-05-05 08:00:00Z'::timestamptz::text AS at");
  expect(rows).toEqual([{ at: '2024-05-05 08:00:00+00' }]);
});

test('failures have names: password, database, host, privilege; none shows the password', async () => {
  const wrong = new URL(serverUrl);
  wrong.password = 'geheim';
  const nowhere = new URL(serverUrl);
  nowhere.pathname = '/no_such_db';
  const refused = new URL(serverUrl);
  refused.port = '1';
  const attempts = [
    [wrong, 'PG_AUTH_FAILED'],
    [nowhere, 'PG_DATABASE_MISSING'],
    [refused, 'PG_UNREACHABLE'],
  ] as const;
  for (const [url, code] of attempts) {
    const error = await connect(url.href)
      .then((pool) => pool.query('SELECT 1'))
      .catch((cause: unknown) => classifyPostgres(cause));
    expect(error).toMatchObject({ code });
    expect(inspect(error)).not.toContain('geheim');
  }
});

test('TLS that is demanded and not offered is refused, offered nowhere it is not needed', async () => {
  const url = new URL(serverUrl);
  url.search = '?sslmode=require';
  await expect(connect(url.href)).rejects.toMatchObject({ code: 'PG_TLS_FAILED' });
  url.search = '?sslmode=prefer';
  await expect(connect(url.href).then((pool) => pool.query('SELECT 1 AS one'))).resolves.toEqual({
    rows: [{ one: 1 }],
  });
});

test('a connection that the server ends is reported as retryable, and the pool goes on', async () => {
  const { pool } = await freshDatabase();
  const cut = pool.withClient((client) => client.query('SELECT pg_terminate_backend(pg_backend_pid())'));
  await expect(cut).rejects.toMatchObject({ code: 'PG_UNREACHABLE', disposition: 'retry' });
  await expect(pool.query('SELECT 1 AS one')).resolves.toEqual({ rows: [{ one: 1 }] });
});

test('a transaction is whole or not at all', async () => {
  const { pool } = await freshDatabase();
  await pool.query('CREATE TABLE t (a int)');
  const failed = pool.transaction(async (client) => {
    await client.query('INSERT INTO t VALUES (1)');
    throw new Error('stop');
  });
  await expect(failed).rejects.toThrow('stop');
  await pool.transaction((client) => client.query('INSERT INTO t VALUES ($1)', [2]));
  await expect(pool.query('SELECT a FROM t')).resolves.toEqual({ rows: [{ a: 2 }] });
});

describe('migrations', () => {
  test('run in order once, by however many processes start', async () => {
    const { pool } = await freshDatabase();
    const dir = folder();
    write(
      dir,
      '0001-table.sql',
      '-- why\nCREATE TABLE pgstream.one (a int);\nINSERT INTO pgstream.one VALUES (1);',
    );
    write(dir, '0002-more.sql', 'INSERT INTO pgstream.one VALUES (2)');
    const runs = await Promise.all([runMigrations(pool, dir), runMigrations(pool, dir)]);
    expect(runs.flat().toSorted()).toEqual(['0001-table.sql', '0002-more.sql']);
    await expect(pool.query('SELECT a FROM pgstream.one ORDER BY a')).resolves.toEqual({
      rows: [{ a: 1 }, { a: 2 }],
    });
    await expect(migrationStatus(pool, dir)).resolves.toMatchObject({
      pending: [],
      changed: [],
      unknown: [],
    });
  });

  test('a file that fails leaves nothing behind and is run again', async () => {
    const { pool } = await freshDatabase();
    const dir = folder();
    write(dir, '0001-bad.sql', 'CREATE TABLE pgstream.half (a int); SELECT 1/0;');
    await expect(runMigrations(pool, dir)).rejects.toMatchObject({ code: 'UNCLASSIFIED' });
    write(dir, '0001-bad.sql', 'CREATE TABLE pgstream.half (a int)');
    await expect(runMigrations(pool, dir)).resolves.toEqual(['0001-bad.sql']);
  });

  test('a file that changed after it was applied is refused', async () => {
    const { pool } = await freshDatabase();
    const dir = folder();
    write(dir, '0001-a.sql', 'SELECT 1');
    await runMigrations(pool, dir);
    write(dir, '0001-a.sql', 'SELECT 2');
    await expect(runMigrations(pool, dir)).rejects.toMatchObject({
      code: 'PG_MIGRATION_CHANGED',
      exitCode: 78,
    });
    await expect(migrationStatus(pool, dir)).resolves.toMatchObject({ changed: ['0001-a.sql'] });
  });

  test('files for a superuser are left pending for others; the script for one applies them', async () => {
    const { pool } = await freshDatabase();
    const dir = folder();
    write(dir, '0001-a.sql', 'CREATE TABLE pgstream.a (a int)');
    write(
      dir,
      '0002-trigger.sql',
      '-- event triggers\n-- requires: superuser\nCREATE TABLE pgstream.b (b int)',
    );
    await expect(runMigrations(pool, dir, { superuser: false })).resolves.toEqual(['0001-a.sql']);
    await expect(migrationStatus(pool, dir)).resolves.toMatchObject({ pending: ['0002-trigger.sql'] });
    const other = await freshDatabase();
    await other.pool.query(migrationsScript(readMigrations(dir)));
    await expect(runMigrations(other.pool, dir)).resolves.toEqual([]);
  });

  test('a schema pgstream of another program is left alone', async () => {
    const { pool } = await freshDatabase();
    await pool.query(
      'CREATE SCHEMA pgstream; CREATE TABLE pgstream.schema_migrations (version bigint, dirty boolean)',
    );
    await expect(runMigrations(pool, folder())).rejects.toMatchObject({
      code: 'PG_PREREQUISITE',
      exitCode: 78,
    });
  });
});
