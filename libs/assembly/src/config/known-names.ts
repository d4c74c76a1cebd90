import type { KnownName } from '@pgstream/service-runtime';

const SNAPSHOT = 'snapshots are not available in this version; only changes after `init` are streamed';
const WEBHOOKS = 'webhooks are not available in this version';
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
  { env: 'PGSTREAM_WEBHOOK_*', yaml: ['target.webhooks'], why: WEBHOOKS },
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
