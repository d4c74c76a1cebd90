import type { KnownName } from '@pgstream/service-runtime';

const SNAPSHOT = 'snapshots are not available in this version; only changes after `init` are streamed';
const OTLP =
  'OpenTelemetry export is not available in this version; metrics are served to Prometheus at /metrics';

/** Features of the original, or of the next versions, that this version does not have. */
export const REFUSED: readonly KnownName[] = [
  {
    env: 'PGSTREAM_TRANSFORMER_RULES_FILE',
    yaml: ['modifiers.transformations'],
    why: 'transformations are not available in this version, and to ignore rules that mask data would publish it',
  },
  { env: 'PGSTREAM_TRANSFORMER_*', why: 'transformations are not available in this version' },
  { env: 'PGSTREAM_POSTGRES_SNAPSHOT_*', yaml: ['source.postgres.snapshot'], why: SNAPSHOT },
  { env: 'PGSTREAM_FILTER_SCHEMA_ONLY_TABLES', yaml: ['modifiers.filter.schema_only_tables'], why: SNAPSHOT },
  {
    env: 'PGSTREAM_POSTGRES_WRITER_*',
    yaml: ['target.postgres'],
    why: 'PostgreSQL as a target is not available in this version',
  },
  {
    env: 'PGSTREAM_NATS_*',
    yaml: ['source.nats', 'target.nats'],
    why: 'NATS is not available in this version',
  },
  { env: 'PGSTREAM_METRICS_ENDPOINT', yaml: ['instrumentation.metrics.endpoint'], why: OTLP },
  { env: 'PGSTREAM_TRACES_ENDPOINT', yaml: ['instrumentation.traces.endpoint'], why: OTLP },
];

/** Settings of the original that mean nothing here. */
export const IGNORED: readonly KnownName[] = [
  {
    env: 'PGSTREAM_POSTGRES_REPLICATION_PLUGIN_*',
    yaml: ['source.postgres.replication.plugin'],
    why: 'the changes are decoded by pgoutput, which is part of PostgreSQL; xid is always in the record',
  },
  {
    env: 'PGSTREAM_SEARCH_INDEXER_CLEANUP_*',
    why: 'a dropped table is cleaned up in order with its records',
  },
  {
    env: 'PGSTREAM_PROCESSOR_SANITIZE_STRIP_NULL_CHAR_BYTES',
    yaml: ['modifiers.sanitize'],
    why: 'PostgreSQL text cannot hold null characters',
  },
  {
    env: 'PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_CACHE_ENABLED',
    yaml: ['target.webhooks.subscriptions.store.cache.enabled'],
    why: 'subscriptions are always held in memory and read again when they change',
  },
  {
    env: 'PGSTREAM_WEBHOOK_NOTIFIER_STRICT_MODE',
    yaml: ['target.webhooks.notifier.strict_mode'],
    why: 'no event is ever dropped, and none stops the others',
  },
  {
    env: 'PGSTREAM_WEBHOOK_NOTIFIER_EXP_BACKOFF_MAX_RETRIES',
    yaml: ['target.webhooks.notifier.backoff.exponential.max_retries'],
    why: 'an event is tried until it is delivered or, refused for about 75 hours, becomes a dead letter',
  },
  {
    env: 'PGSTREAM_WEBHOOK_NOTIFIER_BACKOFF_*',
    yaml: ['target.webhooks.notifier.backoff.constant'],
    why: 'waits between attempts grow',
  },
  {
    env: 'PGSTREAM_WEBHOOK_NOTIFIER_DISABLE_RETRIES',
    yaml: ['target.webhooks.notifier.backoff.disable_retries'],
    why: 'an event is tried until it is delivered or becomes a dead letter',
  },
  {
    env: 'PGSTREAM_INJECTOR_ENABLED',
    yaml: ['modifiers.injector.enabled'],
    why: 'identities and schema records are always produced',
  },
  {
    env: 'PGSTREAM_METRICS_COLLECTION_INTERVAL',
    yaml: ['instrumentation.metrics.collection_interval'],
    why: 'Prometheus decides when it collects',
  },
  {
    env: 'PGSTREAM_TRACES_SAMPLE_RATIO',
    yaml: ['instrumentation.traces.sample_ratio'],
    why: 'there are no traces',
  },
  {
    env: 'PGSTREAM_KAFKA_COMMIT_EXP_BACKOFF_MAX_ELAPSED_TIME',
    yaml: ['source.kafka.backoff.exponential.max_elapsed_time'],
    why: 'the number of retries is the limit',
  },
  {
    env: 'PGSTREAM_SEARCH_STORE_EXP_BACKOFF_MAX_ELAPSED_TIME',
    yaml: ['target.search.backoff.exponential.max_elapsed_time'],
    why: 'the number of retries is the limit',
  },
];

/** Flags of features that this version does not have, refused by name. */
export const REFUSED_FLAGS: ReadonlyMap<string, string> = new Map([
  ['--transform', 'transformations are not available in this version'],
  ['--snapshot-tables', SNAPSHOT],
  ['--tables', SNAPSHOT],
  ['--reset', SNAPSHOT],
  ['--dump-file', SNAPSHOT],
  ['--data-only', SNAPSHOT],
  ['--profile', 'profiles are not available in this version'],
  ['--upgrade', 'upgrading a database of the original is not available in this version'],
]);
