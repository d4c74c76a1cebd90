import { fileURLToPath } from 'node:url';
import { PartitionReader } from '@pgstream/change-consumer';
import { PipelineError, POSTGRES_RULES } from '@pgstream/failure';
import {
  createPool,
  parseConnectionUrl,
  runMigrations,
  sessionConfig,
  type PostgresPool,
} from '@pgstream/postgres-client';
import type { DeadLetterStore } from '@pgstream/wal-event';
import {
  AddressGuard,
  AttemptStore,
  CursorStore,
  DEFAULT_MAX_IN_FLIGHT,
  OriginalSubscriptions,
  RequestStore,
  RetryStore,
  SecretBox,
  Sender,
  Slots,
  SubscriptionStore,
  WebhookApi,
  WebhookSink,
  type LogPositions,
} from '@pgstream/webhook-sink';
import { applicationName } from '../database.ts';
import type { Joined } from '../run-route.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { startWithRetry } from '../runtime/start-with-retry.ts';
import { kafkaConnection } from './kafka-connection.ts';
import { kafkaSource } from './kafka-source.ts';
import { webhookObserver } from './webhook-metrics.ts';

const STORE_SETTING = 'PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL';
const ALLOW_SETTING = 'PGSTREAM_WEBHOOK_ALLOW';
/** What a parked event waits at least after a timeout or 429. */
const MIN_AFTER_BUSY_MS = 60_000;
const MIGRATIONS = fileURLToPath(new URL('../../../../migrations/webhooks', import.meta.url));
const STORE_RETRY = { initialMs: 500, maxMs: 30_000, maxRetries: null };

/** The group of the notifiers: beside the indexers, which are another consumer of the same topic. */
export function webhookGroup(groupId: string): string {
  return `${groupId}-webhooks`;
}

/** Webhooks as the target of what comes out of Kafka, with their API. */
export async function kafkaToWebhooks(given: RunContext, deadLetters: DeadLetterStore): Promise<Joined> {
  const context = inOwnGroup(given);
  const { config } = context;
  const topic = config.kafka.topic.name;
  const parts = await openParts(context, topic);
  const log = new PartitionReader({ connection: kafkaConnection(config, 'reader'), topic });
  context.defer('log reader of the webhooks', async () => log.close());
  const logEnds = () => log.ends();
  await takeOverOriginal(context, parts, { logEnds, setting: 'PGSTREAM_KAFKA_READER_SERVERS' });
  const cursors = new CursorStore(parts.pool, topic);
  const sink: WebhookSink = new WebhookSink({
    ...parts,
    ...deliveryOf(context),
    cursors,
    log,
    observer: webhookObserver(context, () => sink),
    confirmedTo: (partition) => source.confirmedTo(partition),
    owns: (partition) => source.owns(partition),
    ownsNow: (partition) => source.ownsNow(partition),
  });
  const source = kafkaSource(context, deadLetters, {
    // Where a subscription begins is in its cursors.
    startFrom: 'latest',
    // Each subscription writes down what it has lost.
    onOffsetsLost: 'start-of-log',
    onAssigned: (partitions) => sink.assign(partitions),
  });
  await sink.start();
  await openApi(context, sink, { ...parts, cursors, positions: log });
  context.health.addReadiness('kafka', () =>
    source.counts.assignments > 0 ? null : 'has not joined the group yet',
  );
  return { source, sink };
}

export type WebhookParts = Awaited<ReturnType<typeof openParts>>;

/** What is the same whether the events come out of Kafka or out of the slot. @param topic names the log in the store */
export async function openParts(context: RunContext, topic: string) {
  const { webhook } = context.config;
  const guard = guardOf(webhook);
  const box = new SecretBox(webhook.secretKeys ?? [], 'PGSTREAM_WEBHOOK_SECRET_KEY');
  if (webhook.secretKeys === null) {
    context.log.warn(
      'PGSTREAM_WEBHOOK_SECRET_KEY is not set: subscriptions with a secret or headers are refused',
    );
  }
  const pool = await openStore(context);
  return {
    topic,
    guard,
    pool,
    requests: new RequestStore(pool, box),
    subscriptions: new SubscriptionStore(pool, box),
    retries: new RetryStore(pool, topic),
    attempts: new AttemptStore(pool, topic),
    sender: new Sender({ guard }),
  };
}

/** How deliveries are made, as the settings say. */
export function deliveryOf(context: RunContext) {
  const { webhook } = context.config;
  return {
    slots: new Slots(webhook.workerCount),
    version: context.version,
    maxHeldBytes: webhook.maxQueueBytes,
    schedule: {
      initialRetryMs: webhook.retryInitialMs,
      maxRetryMs: webhook.retryMaxMs,
      parkAfterMs: webhook.parkAfterMs,
      parkedMs: webhook.parkedScheduleMs,
      // A schedule that is shorter than that altogether was meant to be.
      minAfterBusyMs: Math.min(MIN_AFTER_BUSY_MS, Math.max(...webhook.parkedScheduleMs)),
    },
    circuit: { initialOpenMs: webhook.circuitOpenMs, maxOpenMs: webhook.circuitMaxOpenMs },
    pollIntervalMs: webhook.cacheRefreshMs,
    disableAfterMs: webhook.disableAfterMs,
    onFailed: (cause: unknown) => context.fail(cause),
  };
}

export type LogEnds = () => Promise<ReadonlyMap<number, number>>;

/**
 * Subscriptions of the original, once; they begin where the log ends now.
 * @param setting names the server of the log.
 */
export async function takeOverOriginal(
  context: RunContext,
  { pool, topic }: WebhookParts,
  { logEnds, setting }: { readonly logEnds: LogEnds; readonly setting: string },
): Promise<void> {
  const { log, config } = context;
  const originals = new OriginalSubscriptions(pool);
  if (!(await originals.areThere())) return;
  const next = await startWithRetry(
    context,
    { part: 'log', policy: STORE_RETRY, setting, rules: POSTGRES_RULES },
    logEnds,
  );
  const taken = await originals.takeOver({
    start: { topic, next },
    timeoutMs: config.webhook.clientTimeoutMs,
    maxInFlight: DEFAULT_MAX_IN_FLIGHT,
  });
  if (taken === undefined) return;
  log.info(taken, 'subscriptions of pgstream.webhook_subscriptions taken over');
  if (taken.unusable > 0)
    log.warn(taken, 'some have no usable URL: they are disabled, see GET /v1/subscriptions');
}

/** @param parts with the cursors and the places of the log */
export async function openApi(
  context: RunContext,
  sink: WebhookSink,
  parts: WebhookParts & { readonly cursors: CursorStore; readonly positions: LogPositions },
): Promise<void> {
  const { config, log, defer, version } = context;
  const { webhook } = config;
  const api = new WebhookApi({
    ...parts,
    address: webhook.address,
    token: webhook.token,
    legacyOpen: webhook.legacyOpen,
    readTimeoutMs: webhook.readTimeoutMs,
    idleTimeoutMs: webhook.writeTimeoutMs,
    defaultTimeoutMs: webhook.clientTimeoutMs,
    version,
    refresh: () => sink.refresh(),
    lanes: () => sink.status(),
    onUnexpected: (cause) => log.error({ err: cause }, 'a request to the webhook API failed'),
  });
  const url = await api.listen();
  defer('webhook API', () => api.close());
  log.info({ url }, 'webhook API listens');
  if (webhook.token === null) {
    log.warn('PGSTREAM_WEBHOOK_API_TOKEN is not set: /v1 is not served');
  }
}

async function openStore(context: RunContext): Promise<PostgresPool> {
  const { config, log, defer } = context;
  const settings = parseConnectionUrl(config.webhook.storeUrl ?? '', STORE_SETTING);
  const retried = {
    part: 'webhook store',
    policy: STORE_RETRY,
    setting: STORE_SETTING,
    rules: POSTGRES_RULES,
  };
  const connection = await startWithRetry(context, retried, () =>
    sessionConfig(settings, { applicationName: applicationName('webhooks') }),
  );
  const pool = createPool(connection, { maxConnections: 8 });
  defer('webhook store', () => pool.end());
  const applied = await startWithRetry(context, retried, () =>
    runMigrations(pool, MIGRATIONS, { ledger: 'webhook_migrations' }),
  );
  if (applied.length > 0) log.info({ applied }, 'tables of the webhooks made');
  const { rows } = await pool.query(
    "SELECT to_regclass('pgstream.replication_state') IS NOT NULL AS captured",
  );
  if (rows[0]?.['captured'] === true) {
    log.warn(
      { setting: STORE_SETTING },
      'subscriptions are kept in a captured database: their cursors are written to its WAL several times a second, more often the more is delivered',
    );
  }
  return pool;
}

function guardOf({ allow, httpsOnly }: RunContext['config']['webhook']): AddressGuard {
  try {
    return new AddressGuard({ allow: allow ?? [], httpsOnly, setting: ALLOW_SETTING });
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : '';
    throw new PipelineError('CONFIG_INVALID', { cause, detail: `${ALLOW_SETTING}: ${what}.` });
  }
}

function inOwnGroup(context: RunContext): RunContext {
  const { config } = context;
  const { kafka } = config;
  const consumer = { ...kafka.consumer, groupId: webhookGroup(kafka.consumer.groupId) };
  return { ...context, config: { ...config, kafka: { ...kafka, consumer } } };
}
