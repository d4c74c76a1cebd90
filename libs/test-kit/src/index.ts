export {
  compareRows,
  compareTable,
  type ComparedColumn,
  type CompareOptions,
  type CompareRowsOptions,
  type Comparison,
} from './oracle/compare-table.ts';
export { readDocuments, type FieldText } from './oracle/read-documents.ts';
export {
  named,
  Normaliser,
  parseTree,
  repaired,
  textOf,
  type Tree,
  type TreeObject,
} from './golden/golden-form.ts';
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
export { requireJava, resolveJars } from './servers/java.ts';
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
export {
  TcpFaultProxy,
  type Direction,
  type Inspector,
  type TcpFaultProxyOptions,
} from './faults/tcp-fault-proxy.ts';
export { KafkaFaultProxies } from './faults/kafka-fault-proxy.ts';
export { SearchFaultProxy, type SearchFault, type SearchRequest } from './faults/search-fault-proxy.ts';
export { CHECKS, judge, type CheckLetter, type Finding } from './ledger/checks.ts';
export type {
  CatchUp,
  Evidence,
  ProcessExit,
  ProgressSample,
  ResourceFigures,
  Visibility,
} from './ledger/evidence.ts';
export { disorderIn, duplicatesIn, readLog, type LogEntry } from './ledger/log.ts';
export { ProgressWatch, type ProgressWatchOptions } from './ledger/progress-watch.ts';
export { Random } from './ledger/random.ts';
export { linesOf, replay, replayTables, rowText, type Replayed, type ReplayedRows } from './ledger/replay.ts';
export { ResourceWatch, type ResourceSample, type WatchedProcess } from './ledger/resource-watch.ts';
export { Workload, type CommittedEntry, type WorkloadOptions } from './ledger/workload.ts';
