import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '@pgstream/failure';
import type { PostgresPool, Queries } from './pool.ts';

export interface Migration {
  /** `NNNN`, as a number. */
  readonly version: number;
  /** `NNNN-name.sql` */
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
  /** A line `-- requires: superuser` among the comments at its head: event triggers. Left out for other roles. */
  readonly requiresSuperuser: boolean;
}

export interface MigrationStatus {
  readonly applied: readonly { readonly name: string; readonly appliedAt: string }[];
  readonly pending: readonly string[];
  /** Applied with another text than the file has today. */
  readonly changed: readonly string[];
  /** Applied by a newer version of the product. */
  readonly unknown: readonly string[];
}

/** `pgstr` in ASCII, so that it is recognised in pg_locks. */
const LOCK_KEY = '482906305138';

const LEDGER = 'schema_migrations';

const tableSql = (ledger: string): string => `
CREATE SCHEMA IF NOT EXISTS pgstream;
CREATE TABLE IF NOT EXISTS pgstream.${ledger} (
  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
`;

export interface RunMigrationsOptions {
  /** Whether the role may run files that require it; others are left pending. */
  readonly superuser?: boolean;
  /** The table of schema `pgstream` that remembers what was applied: one for each folder. Default `schema_migrations`. */
  readonly ledger?: string;
}

/** @throws {PipelineError} CONFIG_INVALID for a file that is not named `NNNN-name.sql` or a number used twice. */
export function readMigrations(dir: string): Migration[] {
  const files = readdirSync(dir).filter((name) => name.endsWith('.sql'));
  const migrations = files.toSorted().map((name) => {
    const version = Number(/^(\d{4})-[a-z0-9-]+\.sql$/.exec(name)?.[1]);
    const sql = readFileSync(join(dir, name), 'utf8');
    const head = /^(?:\s*(?:--[^\n]*)?\n)*/.exec(sql)?.[0] ?? '';
    const checksum = createHash('sha256').update(sql).digest('hex');
    return { version, name, sql, checksum, requiresSuperuser: /^--\s*requires:\s*superuser\s*$/m.test(head) };
  });
  const bad = migrations.find(
    (one, at) => Number.isNaN(one.version) || one.version === migrations[at - 1]?.version,
  );
  if (bad !== undefined) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `Migration ${bad.name}: not named NNNN-name.sql, or twice.`,
    });
  }
  return migrations;
}

/**
 * Applies what is missing, in order, each file in its own transaction; processes that start together wait for each other.
 * @returns names of the files applied now.
 * @throws {PipelineError} PG_MIGRATION_CHANGED where a file differs from what was applied.
 */
export async function runMigrations(
  pool: PostgresPool,
  dir: string,
  options: RunMigrationsOptions = {},
): Promise<string[]> {
  const { ledger = LEDGER } = options;
  const migrations = readMigrations(dir).filter(
    (one) => options.superuser !== false || !one.requiresSuperuser,
  );
  return pool.withClient(async (client) => {
    // A session lock: it outlives the transactions of the files and ends with the connection at the latest.
    await client.query(`SELECT pg_advisory_lock(${LOCK_KEY})`);
    try {
      await prepareTable(client, ledger);
      return await applyMissing(client, migrations, ledger);
    } finally {
      await client.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`).catch(() => {});
    }
  });
}

async function prepareTable(client: Queries, ledger: string): Promise<void> {
  if (!(await hasTable(client, ledger))) return void (await client.query(tableSql(ledger)));
  const { rows } = await client.query(
    `SELECT 1 FROM pg_attribute WHERE attrelid = 'pgstream.${ledger}'::regclass AND attname = 'checksum'`,
  );
  if (rows.length > 0) return;
  throw new PipelineError('PG_PREREQUISITE', {
    detail:
      'Schema pgstream was made by another program of that name (its schema_migrations has no checksums). ' +
      'Remove it with that program, or DROP SCHEMA pgstream CASCADE; and run init again.',
  });
}

async function applyMissing(
  client: Queries,
  migrations: readonly Migration[],
  ledger: string,
): Promise<string[]> {
  const done = await appliedRows(client, ledger);
  const changed = migrations.filter((one) => (done.get(one.version) ?? one).checksum !== one.checksum);
  if (changed.length > 0) {
    throw new PipelineError('PG_MIGRATION_CHANGED', { detail: changed.map((one) => one.name).join(', ') });
  }
  const missing = migrations.filter((one) => !done.has(one.version));
  for (const one of missing) {
    // Several statements in one query string are one transaction of the server.
    // oxlint-disable-next-line no-await-in-loop -- in order
    await client
      .query(`BEGIN;\n${one.sql}\n;${recordSql(one, ledger)}COMMIT;`)
      .catch(async (error: unknown) => {
        await client.query('ROLLBACK').catch(() => {});
        throw error;
      });
  }
  return missing.map((one) => one.name);
}

/** The same as one script for a superuser to run by hand; a later {@link runMigrations} finds everything applied. */
export function migrationsScript(migrations: readonly Migration[]): string {
  const files = migrations.map(
    (one) => `-- ${one.name}\nBEGIN;\n${one.sql}\n;${recordSql(one, LEDGER)}COMMIT;\n`,
  );
  return `${tableSql(LEDGER)}\n${files.join('\n')}`;
}

export async function migrationStatus(sql: Queries, dir: string): Promise<MigrationStatus> {
  const migrations = readMigrations(dir);
  const done = (await hasTable(sql, LEDGER)) ? await appliedRows(sql, LEDGER) : new Map<number, AppliedRow>();
  const known = new Set(migrations.map((one) => one.version));
  return {
    applied: [...done.values()].map(({ name, appliedAt }) => ({ name, appliedAt })),
    pending: migrations.filter((one) => !done.has(one.version)).map((one) => one.name),
    changed: migrations
      .filter((one) => (done.get(one.version) ?? one).checksum !== one.checksum)
      .map((one) => one.name),
    unknown: [...done].filter(([version]) => !known.has(version)).map(([, row]) => row.name),
  };
}

interface AppliedRow {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: string;
}

async function hasTable(sql: Queries, ledger: string): Promise<boolean> {
  const { rows } = await sql.query('SELECT to_regclass($1) IS NOT NULL AS found', [`pgstream.${ledger}`]);
  return rows[0]?.['found'] === true;
}

async function appliedRows(sql: Queries, ledger: string): Promise<Map<number, AppliedRow>> {
  const { rows } = await sql.query(
    `SELECT version, name, checksum, applied_at::text AS applied_at FROM pgstream.${ledger} ORDER BY version`,
  );
  return new Map(
    rows.map((row) => [
      Number(row['version']),
      { name: String(row['name']), checksum: String(row['checksum']), appliedAt: String(row['applied_at']) },
    ]),
  );
}

function recordSql({ version, name, checksum }: Migration, ledger: string): string {
  return `\nINSERT INTO pgstream.${ledger} (version, name, checksum) VALUES (${version}, '${name}', '${checksum}');\n`;
}
