import { hostname, tmpdir } from 'node:os';
import { POSTGRES_RULES, PipelineError } from '@pgstream/failure';
import { sessionConfig } from '@pgstream/postgres-client';
import {
  assertPreflight,
  checkBeforeStart,
  FlightRecorder,
  keepingPosition,
  PositionKeeper,
  PostgresSource,
  preflight,
  SchemaHistory,
  slotFacts,
  type SourceObserver,
  type SourceRole,
  type StartState,
} from '@pgstream/postgres-source';
import { formatLsn, parseLsn, type Lsn } from '@pgstream/wal-event';
import { slotNameOf, URL_SETTINGS } from '../config/postgres-urls.ts';
import { retryPolicy } from '../config/retry-policy.ts';
import { selects, tableSelection } from '../config/table-filter.ts';
import { applicationName, openDatabase, type Database } from '../database.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { startWithRetry } from '../runtime/start-with-retry.ts';
import { watchListMode, watchSchemaHistory } from './postgres-chores.ts';
import { exportSource, pollSlot } from './postgres-metrics.ts';
import type { PublishedLog } from './log-end.ts';
import { requireSameStart } from './same-start.ts';
import { checkStart, type CheckedStart } from './start-check.ts';

/** The PostgreSQL end of a route, opened and checked, not yet reading. */
export interface PostgresEnd {
  readonly source: PostgresSource;
  readonly database: Database;
  readonly start: StartState;
  readonly slot: string;
  /** Called with each change of role: the one with the slot is the leader. */
  onRole: (role: SourceRole) => void;
  /** Whether the slot has confirmed the transaction that committed at `commitLsn`. */
  readonly isConfirmed: (epoch: number, commitLsn: Lsn) => Promise<boolean>;
}

/**
 * Connects, checks that what is found is what `init` left, and makes the source.
 * @throws {PipelineError} what time cannot heal, with its remedy; refused connections are waited out.
 */
export async function openPostgresEnd(context: RunContext, published?: PublishedLog): Promise<PostgresEnd> {
  const { config, log, defer } = context;
  const slot = slotNameOf(config);
  const { database, start, mustSee } = await startWithRetry(
    context,
    {
      part: 'postgres',
      policy: retryPolicy(config.postgres.retry),
      setting: URL_SETTINGS.url,
      rules: POSTGRES_RULES,
    },
    () => connect(context, slot, published),
  );
  defer('postgres pool', () => database.pool.end());
  const { state } = start;
  const history = new SchemaHistory({
    sql: database.pool,
    slot,
    systemId: state.systemId,
    epoch: state.epoch,
    onBookkeepingFailure: (error) => log.warn({ err: error }, 'the schema log could not be tidied up'),
  });
  const end: PostgresEnd = {
    source: newSource(context, {
      slot,
      database,
      start,
      mustSee,
      history,
      onRole: (role) => end.onRole(role),
    }),
    database,
    start,
    slot,
    onRole: () => {},
    isConfirmed: (epoch, commitLsn) => confirmed(end, epoch, commitLsn),
  };
  exportSource(context, end.source);
  pollSlot(context, { sql: database.pool, slot, source: end.source });
  watchSchemaHistory(context, { source: end.source, history, sql: database.pool });
  if (state.mode === 'list') watchListMode(context, { source: end.source, slot, sql: database.pool });
  return end;
}

async function connect(
  context: RunContext,
  slot: string,
  published: PublishedLog | undefined,
): Promise<CheckedStart & { readonly database: Database }> {
  const { config, log } = context;
  const database = await openDatabase(config, slot);
  try {
    const checks = await preflight(database.pool, { slot, initialised: false });
    assertPreflight(checks);
    for (const { name, detail, remedy } of checks.filter(
      ({ ok, severity }) => !ok && severity === 'warning',
    )) {
      log.warn({ check: name, remedy }, detail);
    }
    return { database, ...(await checkStart(context, { database, slot }, published)) };
  } catch (error) {
    await database.pool.end();
    throw error;
  }
}

interface SourceParts {
  readonly slot: string;
  readonly database: Database;
  readonly start: StartState;
  readonly mustSee: Lsn | null;
  readonly history: SchemaHistory;
  readonly onRole: (role: SourceRole) => void;
}

function newSource(context: RunContext, parts: SourceParts): PostgresSource {
  const { config } = context;
  const { slot, database, start, history, mustSee } = parts;
  const selection = tableSelection(config);
  const { initialMs, maxMs } = retryPolicy(config.postgres.retry);
  const keeper = new PositionKeeper(database.pool, slot);
  context.defer('stored position', () => keeper.settle(source.facts.confirmedLsn));
  const source = new PostgresSource({
    connection: () => sessionConfig(database.settings, { applicationName: applicationName(slot) }),
    slot,
    publications: start.state.publications,
    epoch: start.state.epoch,
    history: keepingPosition(history, keeper),
    instance: `${hostname()} ${process.pid}`,
    filter: { includes: (schema, table) => selects(selection, schema, table) },
    beforeStart: async () => {
      // Also after a reconnect: the server may be another one by then.
      const ours = { token: keeper.token, confirmedLsn: formatLsn(source.facts.confirmedLsn) };
      requireSameStart(start.state, (await checkBeforeStart(database.pool, { slot, ours })).state);
    },
    observer: sourceObserver(context, parts),
    ...(mustSee === null ? {} : { mustSee }),
    ...recorderOf(context, parts),
    retry: { initialMs, maxMs },
    decodingWorkMem: `${Math.max(64, Math.floor(config.postgres.decodingMemoryBytes / 1024))}kB`,
    bufferBytes: config.route.memoryBytes,
  });
  return source;
}

function recorderOf(
  { config }: RunContext,
  { slot, start }: SourceParts,
): { readonly recorder?: FlightRecorder } {
  const { bytes, dir } = config.postgres.recorder;
  if (bytes === 0) return {};
  const { epoch, publications } = start.state;
  return { recorder: new FlightRecorder({ bytes, dir: dir ?? tmpdir(), slot, epoch, publications }) };
}

function sourceObserver(context: RunContext, { slot, onRole }: SourceParts): SourceObserver {
  const { config, log, metrics, fail } = context;
  const { maxRetries } = retryPolicy(config.postgres.retry);
  let lost = 0;
  return {
    onRole: (role) => {
      log.info({ role, slot }, 'role in the replication');
      if (role === 'leader' || role === 'standby') lost = 0;
      onRole(role);
    },
    onReconnect: (error, waitMs) => {
      metrics.pgstream_retries_total.inc({ part: 'postgres', code: error.code });
      log.warn({ code: error.code, waitMs: Math.round(waitMs) }, 'the replication connection was lost');
      lost += 1;
      if (maxRetries === null || lost <= maxRetries) return;
      fail(
        new PipelineError('RETRIES_EXHAUSTED', {
          cause: error,
          detail: `postgres: ${lost} attempts; last: ${error.code}.`,
        }),
      );
    },
    onCheckpointFailure: (error) => log.warn({ code: error.code }, 'schema shapes could not be stored yet'),
    onReservedMessage: (prefix) => log.warn({ prefix }, 'a message under a reserved prefix was not emitted'),
  };
}

/** Positions of an older epoch were confirmed before the new one began. */
async function confirmed(
  { database, slot, start }: PostgresEnd,
  epoch: number,
  commitLsn: Lsn,
): Promise<boolean> {
  if (epoch !== start.state.epoch) return epoch < start.state.epoch;
  const facts = await slotFacts(database.pool, slot);
  if (facts === null) throw new PipelineError('PG_SLOT_MISSING', { detail: `Slot ${slot}.` });
  return facts.confirmedLsn !== null && parseLsn(facts.confirmedLsn) > commitLsn;
}
