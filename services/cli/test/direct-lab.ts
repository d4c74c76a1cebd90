import { waitFor } from '@pgstream/test-kit';
import { apiOf, type Delivery, type Hook } from './hook.ts';
import { Lab, type Running } from './product.ts';

export const TOKEN = 'a-token-of-this-test';
/** On a machine with other work; a process takes seconds to start there. */
export const LONG_MS = 25_000;
export const AUTHORIZED = { authorization: `Bearer ${TOKEN}` };

/** The variables that the original has for webhooks; of ours only what a test on one machine needs. */
export function settingsOf(lab: Lab): Record<string, string> {
  return {
    PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
    PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: lab.url,
    PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: '127.0.0.1:0',
    PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
    PGSTREAM_LOG_FORMAT: 'json',
    PGSTREAM_LOG_LEVEL: 'info',
  };
}

export async function started(lab: Lab, more: Readonly<Record<string, string>> = {}) {
  const running = lab.start(['run'], { ...settingsOf(lab), ...more });
  const api = await apiOf(running);
  await running.says('"role":"leader"');
  return { running, api };
}

export async function killed(running: Running): Promise<void> {
  running.child.kill('SIGKILL');
  await running.exited();
}

/** A database that `pgstream init` has seen; `withJobs`: with seven rows in the table `jobs`. */
export async function initialised(withJobs = true): Promise<Lab> {
  const lab = await Lab.open();
  const { code, stderr } = await lab.command('init', '--pgurl', lab.url);
  if (code !== 0) throw new Error(stderr);
  if (withJobs) await lab.pool.query(`${MAKE_JOBS}; ${FILL_JOBS}`);
  return lab;
}

interface Version {
  readonly id: string;
  readonly key: number;
  readonly v: number;
}

/** Key and version of a delivery of `jobs`, in the format of the original. */
export function versionOf({ headers, body }: Delivery): Version {
  const columns: readonly { readonly name: string; readonly value: number }[] = JSON.parse(body).Data.columns;
  const value = (name: string) => columns.find((column) => column.name === name)?.value ?? -1;
  return { id: String(headers['idempotency-key']), key: value('key'), v: value('v') };
}

/** Each event at least once, under one id; first deliveries per key in the order of the commits. */
export function expectEverything(deliveries: readonly Delivery[], versions: number): void {
  const first = new Map<string, Version>();
  for (const one of deliveries.map(versionOf)) if (!first.has(one.id)) first.set(one.id, one);
  const all = [...first.values()];
  expect(all.map(({ v }) => v).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: versions }, (_, i) => i + 1),
  );
  const last = new Map<number, number>();
  for (const { key, v } of all) {
    expect([key, v > (last.get(key) ?? 0)]).toEqual([key, true]);
    last.set(key, v);
  }
}

/** Seven rows, of which the versions from `first` to `last` are written one after the other. */
const MAKE_JOBS = 'CREATE TABLE jobs (key int PRIMARY KEY, v int)';
const FILL_JOBS = 'INSERT INTO jobs SELECT n, 0 FROM generate_series(0, 6) n';
export const write = async (lab: Lab, first: number, last: number): Promise<unknown> =>
  await lab.pool.query(
    `DO $$ BEGIN FOR n IN ${first}..${last} LOOP UPDATE jobs SET v = n WHERE key = n % 7; END LOOP; END $$`,
  );

export async function confirmedPasses(lab: Lab, what: string): Promise<void> {
  const { rows } = await lab.pool.query('SELECT pg_current_wal_lsn()::text AS lsn');
  await waitFor(what, async () => {
    const slot = await lab.pool.query(
      'SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) AS passed FROM pg_replication_slots WHERE database = current_database()',
      [rows[0]?.['lsn']],
    );
    return slot.rows[0]?.['passed'] === true;
  });
}

/** Whether the slot has passed what is committed, once the process has told the server how far it is. */
export async function confirmedSince(lab: Lab): Promise<boolean> {
  const { rows } = await lab.pool.query('SELECT pg_current_wal_lsn()::text AS lsn, now()::text AS now');
  const answered = await waitFor('two messages about the position', async () => {
    const slot = await lab.pool.query(
      `SELECT s.confirmed_flush_lsn >= $1::pg_lsn AS passed FROM pg_replication_slots s
       JOIN pg_stat_replication r ON r.pid = s.active_pid
       WHERE s.database = current_database() AND r.reply_time > $2::timestamptz + interval '1.2 s'`,
      [rows[0]?.['lsn'], rows[0]?.['now']],
    );
    return slot.rows[0];
  });
  return answered['passed'] === true;
}

/** All that is committed was sent to the process, and it has said so. */
export async function streamed(lab: Lab): Promise<void> {
  const { rows } = await lab.pool.query('SELECT pg_current_wal_lsn()::text AS lsn, now()::text AS now');
  await waitFor('everything to be sent', async () => {
    const slot = await lab.pool.query(
      `SELECT FROM pg_replication_slots s JOIN pg_stat_replication r ON r.pid = s.active_pid
       WHERE s.database = current_database() AND r.sent_lsn >= $1::pg_lsn AND r.reply_time > $2::timestamptz`,
      [rows[0]?.['lsn'], rows[0]?.['now']],
    );
    return slot.rows.length > 0;
  });
}

/** Distinct events. */
export async function arrived(hook: Hook, events: number): Promise<void> {
  await waitFor(
    `${events} events`,
    () => {
      const { size } = new Set(hook.got.map(({ headers }) => headers['idempotency-key']));
      if (size >= events) return true;
      throw new Error(`${size} events in ${hook.got.length} deliveries`);
    },
    LONG_MS,
  );
}

export const keptCount = async (lab: Lab): Promise<number> => {
  const { rows } = await lab.pool.query('SELECT count(*)::int AS n FROM pgstream.webhook_kept');
  return Number(rows[0]?.['n']);
};
