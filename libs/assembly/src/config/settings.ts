import type { ConfigOf, SettingTable } from '@pgstream/service-runtime';
import { kafkaSettings } from './kafka-settings.ts';
import { IGNORED, REFUSED } from './known-names.ts';
import { postgresSettings } from './postgres-settings.ts';
import {
  filterSettings,
  healthSettings,
  logSettings,
  metricsSettings,
  routeSettings,
} from './process-settings.ts';
import { searchSettings } from './search-settings.ts';
import { webhookSettings } from './webhook-settings.ts';

/** Every setting of the product. `docs/configuration.md` is printed from it. */
export const SETTINGS = {
  route: routeSettings,
  postgres: postgresSettings,
  filter: filterSettings,
  kafka: kafkaSettings,
  search: searchSettings,
  webhook: webhookSettings,
  log: logSettings,
  health: healthSettings,
  metrics: metricsSettings,
};

export type PgstreamConfig = ConfigOf<typeof SETTINGS>;

export const SETTING_TABLE: SettingTable<typeof SETTINGS> = {
  settings: SETTINGS,
  refused: REFUSED,
  ignored: IGNORED,
};

/** Headings of `docs/configuration.md`. */
export const GROUP_TITLES: Readonly<Record<keyof typeof SETTINGS, string>> = {
  route: 'Source, target and process',
  postgres: 'PostgreSQL',
  filter: 'Table filters',
  kafka: 'Kafka',
  search: 'OpenSearch and Elasticsearch',
  webhook: 'Webhooks',
  log: 'Logging',
  health: 'Health server',
  metrics: 'Metrics',
};
