import { Buffer } from 'node:buffer';
import { PipelineError, sqlStateOf } from '@pgstream/failure';
import type { ClientConfig } from 'pg';
import { quoteIdent } from './names.ts';
import { openSession, query } from './slot.ts';

/**
 * Where the server left `timeline` for another one, in LSN text: what the old timeline has from there on, this server never
 * had. `null` where its history does not tell, as after a restore without recovery.
 */
export async function leftTimelineAt(
  connection: ClientConfig,
  timeline: number,
  now: number,
): Promise<string | null> {
  const client = await openSession({ ...connection, ...WALSENDER });
  try {
    const { rows } = await query(client, `TIMELINE_HISTORY ${now}`);
    return switchPointIn(textOf(rows[0]?.['content']), timeline);
  } catch (cause) {
    // No such file: the first timeline has none
    if (
      sqlStateOf(cause) === '58P01' ||
      (cause instanceof PipelineError && sqlStateOf(cause.cause) === '58P01')
    )
      return null;
    throw cause;
  } finally {
    await client.end().catch(() => {});
  }
}

/** A bytea in newer versions, a text in older ones. */
function textOf(content: unknown): string {
  return content instanceof Uint8Array ? Buffer.from(content).toString() : String(content);
}

/** Lines of a history file: the timeline that was left, where, and why. */
export function switchPointIn(history: string, timeline: number): string | null {
  for (const line of history.split('\n')) {
    const [, left, lsn] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    if (Number(left) === timeline && lsn !== undefined) return lsn;
  }
  return null;
}

/** Lets standbys have a slot that exists already. PostgreSQL 17 and newer. */
export async function makeFailoverSlot(connection: ClientConfig, slot: string): Promise<void> {
  const client = await openSession({ ...connection, ...WALSENDER });
  try {
    await query(client, `ALTER_REPLICATION_SLOT ${quoteIdent(slot)} ( FAILOVER true )`);
  } finally {
    await client.end().catch(() => {});
  }
}

/** A parameter of `pg` that its types do not know. */
const WALSENDER = { replication: 'database' };
