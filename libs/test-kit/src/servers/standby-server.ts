import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createPool, parseConnectionUrl, sessionConfig, type PostgresPool } from '@pgstream/postgres-client';
import { waitFor } from '../wait-for.ts';
import { startPostgres, type PostgresServer } from './postgres-server.ts';
import { runToEnd } from './server-process.ts';
import { cacheDir } from './workspace.ts';

/**
 * A hot standby of a running server: a base backup taken as files (the embedded packages have no pg_basebackup), then
 * streaming. Its physical slot on the primary is `standby`, so no WAL that it needs is removed.
 */
export async function startStandby(primary: PostgresServer): Promise<PostgresServer> {
  const dataDir = `${primary.dataDir}-standby-${Date.now().toString(36)}`;
  const sql = await superuser(primary.url);
  try {
    const { rows } = await sql.query(`SELECT FROM pg_replication_slots WHERE slot_name = 'standby'`);
    if (rows.length === 0) await sql.query(`SELECT pg_create_physical_replication_slot('standby', true)`);
    await sql.withClient(async (session) => {
      await session.query(`SELECT pg_backup_start('standby', true)`);
      runToEnd('cp', ['-a', primary.dataDir, dataDir], { cwd: cacheDir() });
      const stopped = await session.query('SELECT labelfile FROM pg_backup_stop(false)');
      own(dataDir, 'backup_label', String(stopped.rows[0]?.['labelfile']));
    });
  } finally {
    await sql.end();
  }
  for (const name of ['postmaster.pid', 'postmaster.opts']) rmSync(join(dataDir, name), { force: true });
  // Slots are not part of a base backup: pg_basebackup leaves them out too
  const slots = join(dataDir, 'pg_replslot');
  for (const name of readdirSync(slots)) rmSync(join(slots, name), { recursive: true });
  own(dataDir, 'standby.signal', '');
  const { hostname, port, username, password } = new URL(primary.url);
  const standby = await startPostgres({
    major: primary.major,
    dataDir,
    settings: {
      primary_conninfo: `host=${hostname} port=${port} user=${username} password=${password} dbname=postgres application_name=standby`,
      primary_slot_name: 'standby',
      hot_standby_feedback: 'on',
      ...(primary.major >= 17 ? { sync_replication_slots: 'on' } : {}),
    },
  });
  await untilCaughtUp(primary, standby);
  return standby;
}

/** Until everything that the primary has written is replayed by its standby. */
export async function untilCaughtUp(primary: PostgresServer, standby: PostgresServer): Promise<void> {
  const [from, to] = await Promise.all([superuser(primary.url), superuser(standby.url)]);
  try {
    const { rows } = await from.query('SELECT pg_current_wal_lsn()::text AS lsn');
    await waitFor('the standby to catch up', async () => {
      const replayed = await to.query('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done', [
        rows[0]?.['lsn'],
      ]);
      return replayed.rows[0]?.['done'] === true;
    });
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

/** Makes the standby a primary. Resolves when it takes writes. */
export async function promote(standby: PostgresServer): Promise<void> {
  const sql = await superuser(standby.url);
  try {
    await sql.query('SELECT pg_promote(true, 60)');
    await waitFor('the end of recovery', async () => {
      const { rows } = await sql.query('SELECT pg_is_in_recovery() AS standby');
      return rows[0]?.['standby'] === false;
    });
  } finally {
    await sql.end();
  }
}

/** The files of a stopped server, as they are. */
export function copyCluster(dataDir: string, to: string): void {
  if (existsSync(join(dataDir, 'postmaster.pid'))) throw new Error(`${dataDir} is in use`);
  rmSync(to, { recursive: true, force: true });
  runToEnd('cp', ['-a', dataDir, to], { cwd: cacheDir() });
}

/** Readable by whoever the server runs as. */
function own(dataDir: string, name: string, text: string): void {
  const path = join(dataDir, name);
  writeFileSync(path, text);
  runToEnd('chown', [`--reference=${dataDir}`, path], { cwd: cacheDir() });
}

async function superuser(url: string): Promise<PostgresPool> {
  return createPool(await sessionConfig(parseConnectionUrl(url, 'url'), { applicationName: 'test-kit' }));
}
