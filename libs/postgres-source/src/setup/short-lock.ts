import { setTimeout as pause } from 'node:timers/promises';
import { classifyPostgres } from '@pgstream/failure';
import type { Sql } from '../sql.ts';

const ATTEMPTS = 50;
const PAUSE_MS = 200;

/**
 * Runs statements that lock a table, in one transaction that gives up at once when the table is in use: a request that waits
 * for a lock makes everybody else wait behind it.
 * @returns whether it ran.
 */
export async function tryWithShortLock(sql: Sql, statements: string): Promise<boolean> {
  try {
    await sql.query(`SET LOCAL lock_timeout = '200ms'; ${statements}`);
    return true;
  } catch (cause) {
    if (classifyPostgres(cause).code === 'PG_CONFLICT') return false;
    throw cause;
  }
}

/**
 * The same, again and again for about 20 s; the last time it fails.
 * @throws {PipelineError} PG_CONFLICT
 */
export async function withShortLock(sql: Sql, statements: string): Promise<void> {
  for (let attempt = 1; attempt < ATTEMPTS; attempt += 1) {
    // oxlint-disable-next-line no-await-in-loop -- attempts
    if (await tryWithShortLock(sql, statements)) return;
    // oxlint-disable-next-line no-await-in-loop -- between attempts others get their turn
    await pause(PAUSE_MS);
  }
  await sql.query(`SET LOCAL lock_timeout = '200ms'; ${statements}`);
}
