import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPool, parseConnectionUrl, sessionConfig, type PostgresPool } from '@pgstream/postgres-client';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import type { ChangeRecord } from '@pgstream/wal-event';
import { follow } from '../../../examples/library.ts';
import { Product } from '../../product/product.ts';

const { postgresUrl } = endpoints();
const database = uniqueName('library');
const slot = `${database}_slot`;
const url = new URL(postgresUrl);
url.pathname = `/${database}`;
const dir = mkdtempSync(join(tmpdir(), 'pgstream-library-'));
const product = new Product({ dir, environment: { PGSTREAM_POSTGRES_LISTENER_URL: url.href } });

async function open(to: string): Promise<PostgresPool> {
  return createPool(await sessionConfig(parseConnectionUrl(to, 'url'), { applicationName: 'test' }));
}

afterAll(async () => {
  product.command('tear-down', '--replication-slot', slot);
  const admin = await open(postgresUrl);
  await admin.query(`DROP DATABASE ${database} WITH (FORCE)`);
  await admin.end();
  rmSync(dir, { recursive: true });
});

test('a library user gets every change as an object, and again after a restart what was not handled', async () => {
  const admin = await open(postgresUrl);
  await admin.query(`CREATE DATABASE ${database}`);
  await admin.end();
  product.command('init', '--replication-slot', slot);
  const sql = await open(url.href);
  await sql.query('CREATE TABLE t (id bigint PRIMARY KEY, v text)');

  const seen: ChangeRecord[] = [];
  const first = new AbortController();
  const running = follow(url.href, slot, async (records) => void seen.push(...records), first.signal);
  await sql.query("INSERT INTO t VALUES (9007199254740993, 'digits stay')");
  const row = await waitFor('the row', () => seen.find((record) => record.action === 'I'));
  expect(row.columns?.map((column) => column.value)).toEqual([{ raw: '9007199254740993' }, 'digits stay']);
  first.abort();
  await running;

  const refusing = follow(
    url.href,
    slot,
    () => Promise.reject(new Error('full')),
    new AbortController().signal,
  );
  await sql.query("INSERT INTO t VALUES (2, 'refused once')");
  await expect(refusing).rejects.toThrow('full');

  const again: ChangeRecord[] = [];
  const second = new AbortController();
  const resumed = follow(url.href, slot, async (records) => void again.push(...records), second.signal);
  const refused = await waitFor('the refused row', () => again.find((record) => record.action === 'I'));
  expect(refused.columns?.[1]?.value).toBe('refused once');
  second.abort();
  await resumed;
  await sql.end();
});
