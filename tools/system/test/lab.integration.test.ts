import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresPool } from '@pgstream/postgres-client';
import {
  removeCluster,
  startPostgres,
  stopPostgres,
  uniqueName,
  waitFor,
  type PostgresServer,
} from '@pgstream/test-kit';
import { Product } from '../../product/product.ts';
import { openSql } from '../../product/sql.ts';
import { dropDatabase, dropIndices, dropTopics, sharedServers, urlOf } from '../system.ts';

/** The tutorials, typed as they are written: a role without rights, one index by name, flags and .env files. */
const { searchUrl, kafkaBroker } = sharedServers();
const dir = mkdtempSync(join(tmpdir(), 'pgstream-lab-'));
const own = uniqueName('lab');
const product = new Product({
  dir,
  environment: { PGSTREAM_SEARCH_SYSTEM_INDEX: `${own}_own`, PGSTREAM_SEARCH_INDEX_REPLICAS: '0' },
});

let server: PostgresServer;
let admin: PostgresPool;

beforeAll(async () => {
  server = await startPostgres({ major: 16 });
  admin = await openSql(server.url, 'lab');
  await admin.query("CREATE USER replicador WITH REPLICATION PASSWORD 'Pass_Stream_2026'");
}, 180_000);

afterAll(async () => {
  await product.stopAll();
  await admin.end();
  await stopPostgres(server, 'SIGQUIT');
  removeCluster(server);
  await dropIndices(searchUrl, own);
  await dropTopics(kafkaBroker, own);
  rmSync(dir, { recursive: true });
}, 60_000);

async function database(name: string): Promise<{ postgresUrl: string; adminUrl: string; sql: PostgresPool }> {
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.query(`GRANT ALL PRIVILEGES ON DATABASE ${name} TO replicador`);
  const adminUrl = urlOf(server.url, name);
  const postgresUrl = `postgres://replicador:Pass_Stream_2026@127.0.0.1:${server.port}/${name}`;
  return { postgresUrl, adminUrl, sql: await openSql(adminUrl, 'lab') };
}

async function search(index: string): Promise<ReadonlyArray<Record<string, unknown>>> {
  const answer = await fetch(`${searchUrl}/${index}/_search`);
  if (!answer.ok) return [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the search API's own answer
  const { hits } = (await answer.json()) as { hits: { hits: Array<{ _source: Record<string, unknown> }> } };
  return hits.hits.map(({ _source }) => _source);
}

async function found(index: string, document: Record<string, unknown>): Promise<void> {
  let last: ReadonlyArray<Record<string, unknown>> = [];
  try {
    await waitFor(
      `${JSON.stringify(document)} in ${index}`,
      async () => {
        last = await search(index);
        return last.some((one) => Object.entries(document).every(([name, value]) => one[name] === value));
      },
      60_000,
    );
  } catch (cause) {
    throw new Error(`${index} holds ${JSON.stringify(last)}`, { cause });
  }
}

test('the shop: init with a superuser beside the role, run by flags, a new column without a stop', async () => {
  const index = 'productos_idx';
  await dropIndices(searchUrl, index);
  const { postgresUrl, adminUrl, sql } = await database('ecommerce_db');

  // what PostgreSQL does not let the role of the tutorial do, and the ways out of it
  const limited = product.command('init', '--postgres-url', postgresUrl);
  expect(limited).toContain('mode list of tables');
  expect(limited).toContain('Without superuser rights these limits hold:');
  expect(limited).toContain('To lift them use --admin-url, or let a superuser run this script');
  expect(limited).toContain('FOR ALL TABLES');
  expect(() => product.command('init', '--postgres-url', postgresUrl, '--admin-url', adminUrl)).toThrow(
    /Run tear-down first, then init with --admin-url/,
  );
  product.command('tear-down', '--postgres-url', postgresUrl);
  const full = product.command('init', '--postgres-url', postgresUrl, '--admin-url', adminUrl);
  expect(full).toContain('ecommerce_db');
  expect(full).not.toContain('limits hold');

  const running = await product.start(
    'cli',
    'lab-run',
    'run',
    '--postgres-url',
    postgresUrl,
    '--sink-type',
    'opensearch',
    '--opensearch-url',
    searchUrl,
    '--opensearch-index',
    index,
    '--handle-ddl=true',
  );

  await sql.query('CREATE TABLE productos (id SERIAL PRIMARY KEY, nombre TEXT, precio NUMERIC)');
  await sql.query("INSERT INTO productos (nombre, precio) VALUES ('Laptop Pro 2026', 2500.00)");
  await found(index, { nombre: 'Laptop Pro 2026', precio: '2500.00' });

  await sql.query('ALTER TABLE productos ADD COLUMN stock INTEGER DEFAULT 0');
  await found(index, { nombre: 'Laptop Pro 2026', stock: 0 });
  await sql.query('UPDATE productos SET stock = 50 WHERE id = 1');
  await found(index, { nombre: 'Laptop Pro 2026', stock: 50 });
  const mapping = await (await fetch(`${searchUrl}/${index}/_mapping/field/stock`)).text();
  expect(mapping).toContain('"type":"long"');
  expect(await search(index)).toHaveLength(1);

  running.child.kill('SIGTERM');
  expect(await running.exited).toBe(0);
  await sql.end();
  await dropIndices(searchUrl, index);
}, 180_000);

test('the same role without a superuser: its own tables, from the moment they are seen', async () => {
  const index = 'productos_lista_idx';
  await dropIndices(searchUrl, index);
  const { postgresUrl, sql } = await database('list_db');
  const mine = await openSql(postgresUrl, 'lab');
  await mine.query('CREATE SCHEMA tienda');
  await mine.query('CREATE TABLE tienda.productos (id SERIAL PRIMARY KEY, nombre TEXT, precio NUMERIC)');
  await sql.query('CREATE TABLE public.ajena (id integer PRIMARY KEY)');

  const printed = product.command('init', '--postgres-url', postgresUrl);
  expect(printed).toContain('Only tables that this role owns can be captured');
  expect(printed).toContain('There are no event triggers');
  expect(printed).toContain('captured: 1 tables');

  const flags = ['--sink-type', 'opensearch', '--opensearch-url', searchUrl, '--opensearch-index', index];
  const running = await product.start('cli', 'list-run', 'run', '--postgres-url', postgresUrl, ...flags);
  await sql.query('INSERT INTO public.ajena VALUES (1)');
  await mine.query("INSERT INTO tienda.productos (nombre, precio) VALUES ('Laptop Pro 2026', 2500.00)");
  await found(index, { nombre: 'Laptop Pro 2026' });
  await mine.query('ALTER TABLE tienda.productos ADD COLUMN stock INTEGER DEFAULT 0');
  await mine.query('UPDATE tienda.productos SET stock = 50 WHERE id = 1');
  await found(index, { nombre: 'Laptop Pro 2026', stock: 50 });
  expect(await search(index)).toHaveLength(1);

  running.child.kill('SIGTERM');
  expect(await running.exited).toBe(0);
  await mine.end();
  await sql.end();
  await dropIndices(searchUrl, index);
}, 180_000);

test('settings in .env files: straight to the index, through Kafka, and tear-down', async () => {
  const { adminUrl, sql } = await database('env_db');
  const url = `${adminUrl}?sslmode=disable`;
  const pg2os = envFile('pg2os.env', [
    `PGSTREAM_POSTGRES_LISTENER_URL="${url}"`,
    `PGSTREAM_SEARCH_STORE_URL="${searchUrl}"`,
  ]);
  const pg2kafka = envFile('pg2kafka.env', [
    `PGSTREAM_POSTGRES_LISTENER_URL="${url}"`,
    `PGSTREAM_KAFKA_SERVERS="${kafkaBroker}"`,
    `PGSTREAM_KAFKA_TOPIC_NAME=${own}`,
    'PGSTREAM_KAFKA_TOPIC_PARTITIONS=3',
    'PGSTREAM_KAFKA_TOPIC_AUTO_CREATE=true',
  ]);
  const kafka2os = envFile('kafka2os.env', [
    `PGSTREAM_KAFKA_SERVERS="${kafkaBroker}"`,
    `PGSTREAM_KAFKA_TOPIC_NAME=${own}`,
    `PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID=${own}`,
    `PGSTREAM_SEARCH_STORE_URL="${searchUrl}"`,
  ]);
  product.command('init', '--pgurl', url);
  await sql.query(`CREATE SCHEMA ${own}`);
  await sql.query(`CREATE TABLE ${own}.productos (id SERIAL PRIMARY KEY, nombre TEXT)`);

  const direct = await product.start('cli', 'pg2os', 'run', '-c', pg2os, '--log-level', 'trace');
  await sql.query(`INSERT INTO ${own}.productos (nombre) VALUES ('direct')`);
  await found(`${own}.productos`, { nombre: 'direct' });
  direct.child.kill('SIGTERM');
  expect(await direct.exited).toBe(0);

  const producer = await product.start('cli', 'pg2kafka', 'run', '-c', pg2kafka, '--log-level', 'trace');
  const indexer = await product.start('cli', 'kafka2os', 'run', '-c', kafka2os, '--log-level', 'trace');
  await sql.query(`INSERT INTO ${own}.productos (nombre) VALUES ('through Kafka')`);
  await found(`${own}.productos`, { nombre: 'through Kafka' });
  expect(await search(`${own}.productos`)).toHaveLength(2);
  for (const { child, exited } of [producer, indexer]) {
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  }
  expect(readFileSync(indexer.logFile, 'utf8')).not.toContain('through Kafka');

  product.command('tear-down', '--pgurl', url);
  const { rows } = await sql.query(
    `SELECT (SELECT count(*) FROM pg_replication_slots WHERE database = current_database())
          + (SELECT count(*) FROM pg_namespace WHERE nspname = 'pgstream')
          + (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_event_trigger) AS left`,
  );
  expect(String(rows[0]?.['left'])).toBe('0');
  await sql.end();
  await dropDatabase(server.url, 'env_db');
}, 240_000);

function envFile(name: string, lines: readonly string[]): string {
  const file = join(dir, name);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
