import { PipelineError } from '@pgstream/failure';
import { checkBeforeStart, loadState, saveTimeline, type StartState } from '@pgstream/postgres-source';
import { parseLsn, type Lsn } from '@pgstream/wal-event';
import type { Database } from '../database.ts';
import type { RunContext } from '../runtime/run-context.ts';
import type { PublishedLog } from './log-end.ts';

/** What START may go on from, and what the log says that the stream must bring. */
export interface CheckedStart {
  readonly start: StartState;
  readonly mustSee: Lsn | null;
}

/** The same for ever, whatever is promoted: a topic belongs to one. */
export function sourceIdOf(systemId: string, { settings }: Database, slot: string): string {
  return `${systemId}/${settings.database}/${slot}`;
}

/**
 * Compares server, slot, stored state and log. A failover in which nothing is missing on either side is recorded and gone
 * on from; otherwise the error names the gap and the command, and what was published and is not on this server is logged.
 * @throws {PipelineError} see {@link checkBeforeStart}
 */
export async function checkStart(
  { log }: Pick<RunContext, 'log'>,
  { database, slot }: { readonly database: Database; readonly slot: string },
  published: PublishedLog | undefined,
): Promise<CheckedStart> {
  const state = published === undefined ? null : await loadState(database.pool, slot);
  if (published === undefined || state === null) {
    return { start: await checkRecorded({ log }, { database, slot }, undefined), mustSee: null };
  }
  const { epoch } = state;
  const end = await published.end({ sourceId: sourceIdOf(state.systemId, database, slot), epoch });
  try {
    const start = await checkRecorded({ log }, { database, slot }, end.lsn ?? '0/0');
    return { start, mustSee: end.mustSee };
  } catch (cause) {
    if (!(cause instanceof PipelineError)) throw cause;
    throw await withOrphans(cause, log, (from) => published.since(epoch, from));
  }
}

async function checkRecorded(
  { log }: Pick<RunContext, 'log'>,
  { database: { pool, connection }, slot }: { readonly database: Database; readonly slot: string },
  sinkLsn: string | undefined,
): Promise<StartState> {
  const start = await checkBeforeStart(pool, {
    slot,
    connection,
    ...(sinkLsn === undefined ? {} : { sinkLsn }),
  });
  const { failover } = start;
  if (failover !== null) {
    await saveTimeline(pool, slot, failover.to);
    log.warn({ slot, ...failover }, 'the server was promoted: nothing is missing, the stream goes on');
  }
  return start;
}

/** Says of each table what was published and never was on this server. */
async function withOrphans(
  error: PipelineError,
  log: RunContext['log'],
  since: (from: Lsn) => ReturnType<PublishedLog['since']>,
): Promise<PipelineError> {
  const { lostFrom } = error.facts;
  if (typeof lostFrom !== 'string') return error;
  const tables = await since(parseLsn(lostFrom));
  if (tables.length === 0) return error;
  for (const one of tables) log.warn({ ...one }, 'published, and not on this server');
  const records = tables.reduce((sum, one) => sum + one.records, 0);
  const names = tables
    .slice(0, MAX_NAMED)
    .map((one) => `${one.table} ${one.records} (${one.first} to ${one.last})`);
  const more =
    tables.length > MAX_NAMED ? `, and ${tables.length - MAX_NAMED} more tables in the log lines` : '';
  return new PipelineError(error.code, {
    cause: error.cause,
    facts: { ...error.facts, lostRecords: records, lostTables: tables.length },
    detail: `${error.detail ?? ''} Published, and not on this server: ${names.join(', ')}${more}.`,
  });
}

const MAX_NAMED = 10;
