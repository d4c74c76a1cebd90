export { checkConfig, HAS_ZSTD, type ConfigNeed } from './config/check-config.ts';
export { databaseOf, defaultSlotName } from './config/database-url.ts';
export { REFUSED_FLAGS } from './config/known-names.ts';
export { loadPgstreamConfig, type LoadPgstreamConfigOptions } from './config/load.ts';
export { retryPolicy, type RetryPolicy } from './config/retry-policy.ts';
export { routeOf, searchUrlOf, type Route } from './config/route.ts';
export { GROUP_TITLES, SETTING_TABLE, SETTINGS, type PgstreamConfig } from './config/settings.ts';
export {
  selects,
  singleTable,
  tableFilter,
  type TableFilter,
  type TablePattern,
} from './config/table-filter.ts';
export {
  CONSUMER_METRICS,
  KAFKA_SINK_METRICS,
  METRIC_TABLES,
  PROCESS_METRICS,
  PRODUCER_METRICS,
  SEARCH_SINK_METRICS,
} from './metrics/metric-specs.ts';
