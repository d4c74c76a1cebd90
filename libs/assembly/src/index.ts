export { checkConfig, HAS_ZSTD, type ConfigNeed } from './config/check-config.ts';
export { REFUSED_FLAGS } from './config/known-names.ts';
export { loadPgstreamConfig, type LoadPgstreamConfigOptions } from './config/load.ts';
export { slotNameOf } from './config/postgres-urls.ts';
export { retryPolicy, type RetryPolicy } from './config/retry-policy.ts';
export { routeOf, searchUrlOf, type Route } from './config/route.ts';
export { GROUP_TITLES, SETTING_TABLE, SETTINGS, type PgstreamConfig } from './config/settings.ts';
export { tableSelection } from './config/table-filter.ts';
export { METRIC_TABLES } from './metrics/metric-specs.ts';
export { databaseStatus, tearDownDatabase, type DatabaseStatus } from './operations/database-status.ts';
export { initDatabase, type InitRequest } from './operations/init-database.ts';
export { runRoute, type RunRouteOptions } from './run-route.ts';
export { StreamSink, FileSink } from './sinks/ndjson-sink.ts';
export type { InitResult } from '@pgstream/postgres-source';
export { checkEverything, type CheckItem } from './operations/check-everything.ts';
export { consumerLag, type Lag, type SlotLag } from './operations/consumer-lag.ts';
export { replayFile, type FileReplay } from './operations/replay-file.ts';
export {
  countDeadLetters,
  listDeadLetters,
  settleDeadLetters,
  showDeadLetter,
  type LetterChoice,
  type LetterRequest,
} from './operations/dead-letters/dead-letters.ts';
export type {
  LetterFilter,
  LetterOutcome,
  ListedDeadLetter,
  ShownDeadLetter,
} from './operations/dead-letters/letter-book.ts';
export { openWebhooks, Webhooks } from './operations/webhooks/webhooks.ts';
export type {
  NewSubscription,
  ReplayFrom,
  ShownAttempt,
  ShownLetter,
  ShownStatus,
  ShownMadeSubscription,
  ShownSubscription,
} from '@pgstream/webhook-sink';
export type { LagRow } from './wiring/group-lag.ts';
export { runStandalone, type StandaloneOptions } from './run-standalone.ts';
