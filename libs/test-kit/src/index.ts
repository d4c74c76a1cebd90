export { compareTable, type CompareOptions, type Comparison } from './oracle/compare-table.ts';
export { readDocuments, type FieldText } from './oracle/read-documents.ts';
export { endpoints, uniqueName, type Endpoints } from './endpoints.ts';
export {
  kafkaJars,
  startKafka,
  stopKafka,
  type KafkaOptions,
  type KafkaServer,
} from './servers/kafka-server.ts';
export {
  removeCluster,
  startPostgres,
  stopPostgres,
  type PostgresMajor,
  type PostgresOptions,
  type PostgresServer,
} from './servers/postgres-server.ts';
export {
  canStart,
  startSearch,
  stopSearch,
  type SearchKind,
  type SearchOptions,
  type SearchServer,
} from './servers/search-server.ts';
export { copyCluster, promote, startStandby, untilCaughtUp } from './servers/standby-server.ts';
export { freePort, isAlive, MissingToolError, stopProcess } from './servers/server-process.ts';
export { requireJava } from './servers/java.ts';
export {
  readStack,
  stackEnvironment,
  startStack,
  stopStack,
  type Stack,
  type StackOptions,
} from './servers/stack.ts';
export { assetsDir, cacheDir, workspaceRoot } from './servers/workspace.ts';
export { waitFor } from './wait-for.ts';
