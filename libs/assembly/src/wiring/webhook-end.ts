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
  CursorStore,
  RetryStore,
  SecretBox,
  Sender,
  Slots,
  SubscriptionStore,
  WebhookApi,
  WebhookSink,
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
const MIGRATIONS = fileURLToPath(new URL('../../../../migrations/webhooks', import.meta.url));
const STORE_RETRY = { initialMs: 500, maxMs: 30_000, maxRetries: null };

/** The group of the notifiers: beside the indexers, which are another consumer of the same topic. */
export function webhookGroup(groupId: string): string {
  return `${groupId}-webhooks`;
}

/** Webhooks as the target of what comes out of Kafka, with their API. */
export async function kafkaToWebhooks(given: RunContext, deadLetters: DeadLetterStore): Promise<Joined> {
  const context = inOwnGroup(given);
  const parts = await openParts(context);
  const { config } = context;
  const sink: WebhookSink = new WebhookSink({
    ...parts,
    topic: config.kafka.topic.name,
    log: parts.reader,
    slots: new Slots(config.webhook.workerCount),
    version: context.version,
    observer: webhookObserver(context, () => sink),
    maxHeldBytes: config.webhook.maxQueueBytes,
    schedule: {
      initialRetryMs: config.webhook.retryInitialMs,
      maxRetryMs: config.webhook.retryMaxMs,
      parkAfterMs: config.webhook.parkAfterMs,
    },
    pollIntervalMs: config.webhook.cacheRefreshMs,
    disableAfterMs: config.webhook.disableAfterMs,
    confirmedTo: (partition) => source.confirmedTo(partition),
    ownsLanes: () => source.ownsLanes(),
    onFailed: (cause) => context.fail(cause),
  });
  const source = kafkaSource(context, deadLetters, {
    // Where a subscription begins is in its cursors.
    startFrom: 'latest',
    // Each subscription writes down what it has lost.
    onOffsetsLost: 'start-of-log',
    onAssigned: (partitions) => sink.assign(partitions),
  });
  await sink.start();
  await openApi(context, sink, parts);
  context.health.addReadiness('kafka', () =>
    source.counts.assignments > 0 ? null : 'has not joined the group yet',
  );
  return { source, sink };
}

type Parts = Awaited<ReturnType<typeof openParts>>;

async function openParts(context: RunContext) {
  const { config, defer } = context;
  const { webhook, kafka } = config;
  const guard = guardOf(webhook);
  const box = new SecretBox(webhook.secretKeys ?? [], 'PGSTREAM_WEBHOOK_SECRET_KEY');
  const pool = await openStore(context);
  const topic = kafka.topic.name;
  const reader = new PartitionReader({ connection: kafkaConnection(config, 'reader'), topic });
  defer('log reader of the webhooks', async () => reader.close());
  return {
    guard,
    reader,
    subscriptions: new SubscriptionStore(pool, box),
    cursors: new CursorStore(pool, topic),
    retries: new RetryStore(pool, topic),
    sender: new Sender({ guard }),
  };
}

async function openApi(context: RunContext, sink: WebhookSink, parts: Parts): Promise<void> {
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
    topic: config.kafka.topic.name,
    logEnds: () => parts.reader.ends(),
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
      'subscriptions are kept in a captured database: their cursors are written to its WAL up to five times a second',
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
