import type { SourceName, TargetName } from './process-settings.ts';
import type { PgstreamConfig } from './settings.ts';

export interface Route {
  readonly source: SourceName;
  readonly target: TargetName;
}

/** Which two ends of this configuration are joined, or what is missing, for people. */
export function routeOf(config: PgstreamConfig): Route | { readonly faults: readonly string[] } {
  const source = sourceOf(config);
  const targets = targetsOf(config, source);
  const [target] = targets;
  const faults = [
    ...(source === null ? [NO_SOURCE] : sourceFaults(config, source)),
    ...(target === undefined ? [NO_TARGET] : targetFaults(config, target)),
    ...(targets.length > 1 ? [severalTargets(targets)] : []),
    ...joinFaults(source, target),
  ];
  return faults.length === 0 && source !== null && target !== undefined ? { source, target } : { faults };
}

const NO_SOURCE =
  'no source is configured: set PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url), or PGSTREAM_KAFKA_READER_SERVERS with --source kafka';

function severalTargets(targets: readonly TargetName[]): string {
  return `several targets are configured (${targets.join(', ')}): choose one with PGSTREAM_TARGET (--target)`;
}

function joinFaults(source: SourceName | null, target: TargetName | undefined): readonly string[] {
  if (source !== 'kafka') return [];
  if (target === 'kafka') return ['source and target cannot both be Kafka'];
  // Partitions have an order of their own each, so a file could not tell what it holds already.
  return target === 'ndjson' ? ['the target ndjson needs PostgreSQL as its source'] : [];
}

const NO_TARGET =
  'no target is configured: set PGSTREAM_OPENSEARCH_STORE_URL (--opensearch-url), PGSTREAM_ELASTICSEARCH_STORE_URL, PGSTREAM_KAFKA_WRITER_SERVERS (--target kafka), PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL (--target webhooks), PGSTREAM_NDJSON_FILE (--file) or PGSTREAM_STDOUT_WRITER_ENABLED (--target stdout)';

function sourceOf({ route, postgres, kafka }: PgstreamConfig): SourceName | null {
  if (route.source !== null) return route.source;
  if (postgres.url !== null) return 'postgres';
  return kafka.readerServers === null ? null : 'kafka';
}

function targetsOf(
  { route, kafka, search, webhook }: PgstreamConfig,
  source: SourceName | null,
): readonly TargetName[] {
  if (route.target !== null) return [route.target];
  const targets: TargetName[] = [];
  if (search.elasticsearchUrl !== null) targets.push('elasticsearch');
  if (search.opensearchUrl !== null) targets.push(search.engine);
  if (webhook.storeUrl !== null) targets.push('webhooks');
  if (route.ndjsonFile !== null) targets.push('ndjson');
  else if (route.stdout) targets.push('stdout');
  // With Kafka as source, PGSTREAM_KAFKA_SERVERS names the brokers to read from.
  if (kafka.writerServers !== null && source !== 'kafka') targets.push('kafka');
  return [...new Set(targets)];
}

function sourceFaults({ postgres, kafka }: PgstreamConfig, source: SourceName): readonly string[] {
  if (source === 'postgres' && postgres.url === null) {
    return ['the source is PostgreSQL: PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url) is needed'];
  }
  if (source === 'kafka' && kafka.readerServers === null) {
    return ['the source is Kafka: PGSTREAM_KAFKA_READER_SERVERS (--kafka-servers) is needed'];
  }
  return [];
}

function targetFaults(config: PgstreamConfig, target: TargetName): readonly string[] {
  const { kafka, route } = config;
  switch (target) {
    case 'kafka':
      return kafka.writerServers === null
        ? ['the target is Kafka: PGSTREAM_KAFKA_WRITER_SERVERS (--kafka-servers) is needed']
        : [];
    case 'opensearch':
    case 'elasticsearch':
      return searchUrlOf(config) === null
        ? [`the target is ${target}: PGSTREAM_${target.toUpperCase()}_STORE_URL (--${target}-url) is needed`]
        : [];
    case 'ndjson':
      return route.ndjsonFile === null
        ? ['the target is ndjson: PGSTREAM_NDJSON_FILE (--file) is needed']
        : [];
    case 'webhooks':
      return webhookFaults(config);
    case 'stdout':
      return [];
    default:
      return [];
  }
}

function webhookFaults({ webhook }: PgstreamConfig): readonly string[] {
  return webhook.storeUrl === null
    ? ['the target is webhooks: PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL is needed']
    : [];
}

/** The cluster to index into, whichever of the two variables names it. */
export function searchUrlOf({ search, route }: PgstreamConfig): string | null {
  return route.target === 'elasticsearch'
    ? (search.elasticsearchUrl ?? search.opensearchUrl)
    : (search.opensearchUrl ?? search.elasticsearchUrl);
}

/** The variable that {@link searchUrlOf} reads, for messages. */
export function searchSettingOf(config: PgstreamConfig): string {
  return searchUrlOf(config) === config.search.opensearchUrl
    ? 'PGSTREAM_OPENSEARCH_STORE_URL'
    : 'PGSTREAM_ELASTICSEARCH_STORE_URL';
}
