export { configTables, knownNameTables } from './config/config-docs.ts';
export { readConfigFile, type ConfigFile, type FileEntry } from './config/config-file.ts';
export {
  ADDRESS,
  BOOLEAN,
  BYTES,
  choice,
  count,
  DURATION_MS,
  list,
  matching,
  refusedWhenTrue,
  TEXT,
  url,
  type Kind,
} from './config/kinds.ts';
export { loadConfig, type ConfigSources, type LoadedConfig, type LoadOptions } from './config/load-config.ts';
export { nearest } from './config/nearest.ts';
export {
  flatten,
  optional,
  setting,
  type ConfigOf,
  type KnownName,
  type NamedSetting,
  type Setting,
  type Settings,
  type SettingTable,
} from './config/setting.ts';
export { formatBytes, formatDuration, parseBytes, parseDurationMs } from './config/units.ts';
export { HealthServer, type HealthOptions, type ReadinessCheck } from './health/health-server.ts';
export { Watchdog, type Progress } from './health/watchdog.ts';
export { createLog, LOG_LEVELS, type Logger, type LogLevel, type LogOptions } from './logging.ts';
export {
  createMetrics,
  metricsMarkdown,
  type Metrics,
  type MetricSpec,
  type MetricTable,
} from './metrics/metric-table.ts';
export {
  exitCodeOf,
  logFailure,
  runService,
  type ExitCode,
  type ServiceContext,
  type ServiceSpec,
} from './run-service.ts';
