import { FAILPOINTS_VARIABLE } from '@pgstream/failure';
import {
  ADDRESS,
  BOOLEAN,
  BYTES,
  choice,
  DURATION_MS,
  list,
  LOG_LEVELS,
  matching,
  optional,
  setting,
  TEXT,
  type Kind,
} from '@pgstream/service-runtime';
import { FAILPOINTS_KIND } from './failpoints.ts';

export type SourceName = 'postgres' | 'kafka';
export type TargetName = 'kafka' | 'opensearch' | 'elasticsearch' | 'webhooks' | 'stdout' | 'ndjson';

const TARGET: Kind<TargetName> = {
  ...choice('kafka', 'opensearch', 'elasticsearch', 'webhooks', 'stdout', 'ndjson'),
  accepts:
    'one of kafka, opensearch, elasticsearch, webhooks, stdout, ndjson; postgres is not available in this version',
};

const TABLES = list(
  /^[^.\s,]+(\.[^.\s,]+)?$/,
  'a list of table, schema.table, schema.* or *.*, separated by commas or space',
);

export const routeSettings = {
  source: optional(choice('postgres', 'kafka'), {
    env: 'PGSTREAM_SOURCE',
    flags: ['--source'],
    doc: 'Where records come from. Unset: PostgreSQL where its URL is set, otherwise Kafka.',
  }),
  target: optional(TARGET, {
    env: 'PGSTREAM_TARGET',
    flags: ['--target', '--sink-type'],
    doc: 'Where records go. Unset: the one target whose address is set.',
  }),
  stdout: setting(BOOLEAN, {
    env: 'PGSTREAM_STDOUT_WRITER_ENABLED',
    yaml: ['target.stdout'],
    default: false,
    doc: 'Write records to standard output, one JSON object per line. The log goes to standard error.',
  }),
  ndjsonFile: optional(TEXT, {
    env: 'PGSTREAM_NDJSON_FILE',
    flags: ['--file'],
    yaml: ['target.ndjson.file'],
    doc: 'Append records to this file, one JSON object per line; each batch is synced before it is confirmed.',
  }),
  memoryBytes: setting(BYTES, {
    env: 'PGSTREAM_MEMORY_BUDGET',
    default: 16 * 2 ** 20,
    doc: 'Bytes of records that may be read and not yet settled; reading pauses above it.',
  }),
  shutdownTimeoutMs: setting(DURATION_MS, {
    env: 'PGSTREAM_SHUTDOWN_TIMEOUT',
    default: 10_000,
    doc: 'How long a stop may take (stop reading, flush, confirm, leave the group) before the process exits with 1.',
  }),
  failpoints: optional(FAILPOINTS_KIND, {
    env: FAILPOINTS_VARIABLE,
    doc: 'For tests: points at which this process ends, stops or waits; docs/failpoints.md lists them. From the environment only. Unset: none, at no cost.',
  }),
};

export const filterSettings = {
  include: optional(TABLES, {
    env: 'PGSTREAM_FILTER_INCLUDE_TABLES',
    flags: ['--include-tables'],
    yaml: ['modifiers.filter.include_tables'],
    doc: 'Only these tables. A name without schema is in `public`; `*` stands for any characters.',
  }),
  exclude: optional(TABLES, {
    env: 'PGSTREAM_FILTER_EXCLUDE_TABLES',
    flags: ['--exclude-tables'],
    yaml: ['modifiers.filter.exclude_tables'],
    doc: 'Not these tables, whatever the other list says.',
  }),
};

export const logSettings = {
  level: setting(choice(...LOG_LEVELS), {
    env: 'PGSTREAM_LOG_LEVEL',
    flags: ['--log-level'],
    yaml: ['logging.level'],
    default: 'info',
    doc: "The original's default is `debug`.",
  }),
  format: setting(choice('console', 'json'), {
    env: 'PGSTREAM_LOG_FORMAT',
    flags: ['--log-format'],
    yaml: ['logging.format', 'logging.format.type'],
    default: 'console',
    doc: '`console` for people, `json` (one object per line) for programs.',
  }),
  noColor: setting(BOOLEAN, {
    env: 'PGSTREAM_NO_COLOR',
    flags: ['--no-color'],
    yaml: ['logging.no_color', 'logging.format.no_color'],
    default: false,
    doc: 'No colours; without a terminal there are none either.',
  }),
};

export const healthSettings = {
  enabled: optional(BOOLEAN, {
    env: 'PGSTREAM_HEALTH_CHECK_ENABLED',
    yaml: ['instrumentation.health.enabled'],
    doc: 'Serve /livez, /readyz, /metrics, /status (and /health, /ready). Unset: yes in the services, no in `pgstream run`.',
  }),
  address: setting(ADDRESS, {
    env: 'PGSTREAM_HEALTH_CHECK_ADDRESS',
    flags: ['--health-address'],
    yaml: ['instrumentation.health.address'],
    default: 'localhost:9910',
    doc: 'Where they are served; naming it on the command line turns them on. Port 0: any free port, which the log names.',
  }),
  stuckAfterMs: setting(DURATION_MS, {
    env: 'PGSTREAM_HEALTH_STUCK_AFTER',
    default: 300_000,
    doc: '/livez fails when work is waiting and nothing was done for so long.',
  }),
};

export const metricsSettings = {
  enabled: optional(BOOLEAN, {
    env: 'PGSTREAM_METRICS_PROMETHEUS_ENABLED',
    yaml: ['instrumentation.metrics.prometheus.enabled'],
    doc: 'Unset: with the health server. `true` starts it; `false` serves no metrics.',
  }),
  path: setting(matching(/^\/[\w/.-]*$/, 'a path that begins with /'), {
    env: 'PGSTREAM_METRICS_PROMETHEUS_ENDPOINT',
    yaml: ['instrumentation.metrics.prometheus.endpoint'],
    default: '/metrics',
    doc: 'The path of the metrics, besides /metrics.',
  }),
};
