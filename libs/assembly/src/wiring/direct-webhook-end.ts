import { PipelineError } from '@pgstream/failure';
import {
  DirectCursorStore,
  DirectLog,
  directPositions,
  DirectWebhookSink,
  KeptStore,
  WebhookSink,
  type WebhookObserver,
} from '@pgstream/webhook-sink';
import { URL_SETTINGS } from '../config/postgres-urls.ts';
import type { Joined } from '../run-route.ts';
import type { RunContext } from '../runtime/run-context.ts';
import type { PostgresEnd } from './postgres-end.ts';
import { deliveryOf, openApi, openParts, takeOverOriginal, type WebhookParts } from './webhook-end.ts';
import { webhookObserver } from './webhook-metrics.ts';

/** Whatever commits later has a higher LSN than this. */
const WAL_END_SQL = `
SELECT (CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
  ELSE pg_current_wal_insert_lsn() END - '0/0'::pg_lsn)::text AS lsn`;

/** The slot straight into webhooks, with their API: the stream itself is the log, and what is behind is kept in the store. */
export async function postgresToWebhooks(context: RunContext, postgres: PostgresEnd): Promise<Joined> {
  const parts = await openParts(context, `slot:${postgres.slot}`);
  const observer: WebhookObserver = webhookObserver(
    context,
    () => ends.sink,
    () => ends.log.keptBytes,
  );
  const ends = openEnds(context, postgres, { parts, observer });
  const { log, sink, cursors, direct } = ends;
  postgres.onRole = (role) => {
    if (role === 'leader') direct.lead();
  };
  const logEnds = () => log.ends();
  await takeOverOriginal(context, parts, { logEnds, setting: URL_SETTINGS.url });
  await sink.start();
  await openApi(context, sink, { ...parts, cursors, positions: directPositions(log) });
  return { source: postgres.source, sink: direct };
}

function openEnds(
  context: RunContext,
  postgres: PostgresEnd,
  { parts, observer }: { readonly parts: WebhookParts; readonly observer: WebhookObserver },
) {
  const { config } = context;
  const { pool, topic, subscriptions } = parts;
  const onFailed = (cause: unknown) => context.fail(cause);
  const kept = new KeptStore(pool, topic);
  const log = new DirectLog({
    kept,
    subscriptions,
    observer,
    epoch: postgres.start.state.epoch,
    maxKeptBytes: config.webhook.keepBytes,
    walEnd: () => walEnd(postgres),
    onFailed,
  });
  const cursors = new DirectCursorStore(pool, topic, log);
  const sink = new WebhookSink({
    ...parts,
    ...deliveryOf(context),
    cursors,
    log,
    observer,
    isRepeated: (subscriptionId, offset, record) => log.isRepeated(subscriptionId, offset, record),
    // Whoever moves the cursors has the slot, and with it the stream.
    owns: () => {
      onFailed(new PipelineError('WEBHOOK_STREAM_TAKEN_OVER'));
      return Promise.resolve(false);
    },
  });
  const maxHeldBytes = config.route.memoryBytes / 2;
  return { log, cursors, sink, direct: new DirectWebhookSink({ sink, log, kept, maxHeldBytes, onFailed }) };
}

async function walEnd({ database }: PostgresEnd): Promise<bigint> {
  const { rows } = await database.pool.query(WAL_END_SQL);
  return BigInt(String(rows[0]?.['lsn']));
}
