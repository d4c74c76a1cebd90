import { classifyPostgres, PipelineError, sqlStateOf } from '@pgstream/failure';
import { Client, type ClientConfig } from 'pg';
import type { Sql } from '../sql.ts';
import { quoteIdent } from './names.ts';
import { optionalText, text } from './rows.ts';

export interface NewSlot {
  readonly consistentPoint: string;
  /** Runs `work` in one transaction that sees exactly what the slot's stream starts after. It may write. */
  inSnapshot<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Ends the snapshot. The slot stays. Idempotent. */
  close(): Promise<void>;
}

export interface CreateSlotOptions {
  readonly slot: string;
  /** For ordinary sessions of the streaming role; used for replication as well. */
  readonly connection: ClientConfig;
  /** Called every few seconds while the slot waits for transactions that began before it. */
  readonly onWaiting?: (blockers: readonly string[]) => void;
  /** PostgreSQL 17 and newer: standbys that synchronise slots have it too. */
  readonly failover?: boolean;
}

const POLL_MS = 2000;

/** A replication session is not cut off: the slot waits for every older transaction, however long. */
const UNLIMITED = '-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0';

/**
 * CREATE_REPLICATION_SLOT through the replication protocol, with an exported snapshot.
 * @throws {PipelineError} PG_PREREQUISITE (wal_level), PG_OVERLOADED (no free slot), PG_PRIVILEGE_MISSING.
 */
export async function createSlot(options: CreateSlotOptions): Promise<NewSlot> {
  const { slot, connection } = options;
  const replication = await openSession({
    ...connection,
    options: `${connection.options ?? ''} ${UNLIMITED}`,
    // @ts-expect-error -- a parameter of `pg` that its types do not know: makes the session a walsender
    replication: 'database',
  });
  const close = () => replication.end().catch(() => {});
  const watch = await watchBlockers(replication, options).catch(() => () => Promise.resolve());
  try {
    const { rows } = await query(
      replication,
      `CREATE_REPLICATION_SLOT ${quoteIdent(slot)} LOGICAL pgoutput (SNAPSHOT 'export'${options.failover === true ? ', FAILOVER true' : ''})`,
    );
    const snapshot = text(rows[0], 'snapshot_name');
    return {
      consistentPoint: text(rows[0], 'consistent_point'),
      inSnapshot: (work) => inSnapshot(connection, snapshot, work),
      close,
    };
  } catch (cause) {
    await close();
    throw nameSlotFailure(cause);
  } finally {
    await watch();
  }
}

function nameSlotFailure(cause: unknown): PipelineError {
  if (sqlStateOf(cause) === '53400') {
    return new PipelineError('PG_PREFLIGHT_FAILED', {
      cause,
      detail:
        'Every replication slot is taken: raise max_replication_slots and restart, or drop an unused slot.',
    });
  }
  return classifyPostgres(cause);
}

async function inSnapshot<T>(
  connection: ClientConfig,
  snapshot: string,
  work: (sql: Sql) => Promise<T>,
): Promise<T> {
  const client = await openSession(connection);
  try {
    await query(client, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
    await query(client, `SET TRANSACTION SNAPSHOT '${snapshot}'`);
    const result = await work({ query: (statement, params) => query(client, statement, params) });
    await query(client, 'COMMIT');
    return result;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Says from a second session what the slot waits for. Returns what stops it. */
async function watchBlockers(replication: Client, options: CreateSlotOptions): Promise<() => Promise<void>> {
  const { onWaiting, connection } = options;
  if (onWaiting === undefined) return () => Promise.resolve();
  const [row] = (await query(replication, 'SELECT pg_backend_pid()::text AS pid')).rows;
  const observer = await openSession(connection);
  const look = async () => {
    const { rows } = await query(observer, BLOCKERS, [text(row, 'pid')]);
    if (rows.length > 0) onWaiting(rows.map((blocker) => text(blocker, 'words')));
  };
  const timer = setInterval(() => void look().catch(() => {}), POLL_MS);
  return async () => {
    clearInterval(timer);
    await observer.end().catch(() => {});
  };
}

const BLOCKERS = `
SELECT format('pid %s of %s in database %s, application "%s", transaction since %s', a.pid, a.usename, a.datname,
  a.application_name, a.xact_start) AS words
FROM pg_stat_activity a WHERE a.pid = ANY(pg_blocking_pids($1::int))`;

/**
 * Drops the slot.
 * @param options.terminate ends our own walsender that still reads it (told by its application_name).
 * @throws {PipelineError} PG_SLOT_ACTIVE naming who reads it.
 */
export async function dropSlot(
  sql: Sql,
  slot: string,
  options: { readonly terminate?: boolean } = {},
): Promise<boolean> {
  const { rows } = await sql.query(
    `SELECT s.active_pid::text AS pid, a.application_name AS application FROM pg_replication_slots s
     LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid WHERE s.slot_name = $1`,
    [slot],
  );
  const [row] = rows;
  if (row === undefined) return false;
  const pid = optionalText(row, 'pid');
  if (pid !== null) {
    const application = text(row, 'application');
    if (options.terminate !== true || !application.startsWith('pgstream')) {
      throw new PipelineError('PG_SLOT_ACTIVE', {
        detail: `Slot ${slot} is read by process ${pid}, application "${application}": stop it, or use --force for a producer of pgstream that is gone.`,
      });
    }
    await sql.query('SELECT pg_terminate_backend($1::int, 5000)', [pid]);
  }
  await sql.query('SELECT pg_drop_replication_slot($1)', [slot]);
  return true;
}

export async function openSession(config: ClientConfig): Promise<Client> {
  const client = new Client(config);
  // The query in progress reports the death of the connection; without a listener it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (cause) {
    throw classifyPostgres(cause);
  }
  return client;
}

export async function query(client: Client, statement: string, params?: readonly unknown[]) {
  try {
    const result =
      params === undefined ? await client.query(statement) : await client.query(statement, [...params]);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `pg` types rows as any
    return { rows: result.rows as Record<string, unknown>[] };
  } catch (cause) {
    throw classifyPostgres(cause);
  }
}
