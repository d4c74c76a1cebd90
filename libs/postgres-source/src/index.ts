export type { SchemaHistoryPort, TableState } from './history-port.ts';
export type { RelationColumn, RelationMessage, TypeMessage } from './pgoutput/messages.ts';
export { PostgresSource } from './postgres-source.ts';
export type { PostgresSourceOptions } from './source-options.ts';
export { FlightRecorder, type FlightRecorderOptions } from './recorder/flight-recorder.ts';
export { readRecording, type Recording, type RecordingHeader } from './recorder/recording-file.ts';
export { describeRecording, replayRecording, type ReplayOutcome } from './recorder/replay.ts';
export type { PostgresCheckpoint } from './stream/batch-pool.ts';
export type { StartFacts } from './stream/prepare.ts';
export type { SourceFacts, SourceObserver, SourceRole } from './stream/source-facts.ts';
export type { TableFilter } from './stream/table-filter.ts';
export { Reconciler } from './history/reconciler.ts';
export { SchemaHistory, type SchemaHistoryOptions } from './history/schema-history.ts';
export {
  captureInitialShapes,
  readShapes,
  saveInitialShapes,
  type CatalogueShapes,
} from './history/shape-store.ts';
export type { Sql } from './sql.ts';
export {
  checkBeforeStart,
  type Failover,
  type StartCheckOptions,
  type StartState,
} from './setup/check-before-start.ts';
export type { SlotOutcome } from './setup/ensure-slot.ts';
export { listKeyless, type KeylessTable } from './setup/identity.ts';
export { init, type InitOptions, type InitResult, type SetupConnections } from './setup/init.ts';
export { addMissingTables, type AddedTables } from './setup/list-mode.ts';
export { assertSlotName, defaultSlotName, publicationNames, type PublicationNames } from './setup/names.ts';
export { LIST_LIMITS, planInit, type InitPlan, type PlanOptions } from './setup/plan.ts';
export { keepingPosition, PositionKeeper } from './setup/position-keeper.ts';
export { assertPreflight, preflight, type PreflightCheck, type PreflightOptions } from './setup/preflight.ts';
export type { SetupMode } from './setup/publication.ts';
export { serverFacts, slotFacts, type ServerFacts, type SlotFacts } from './setup/server.ts';
export {
  listGaps,
  loadState,
  recordGap,
  savePosition,
  saveRouting,
  saveTimeline,
  type Gap,
  type ReplicationState,
} from './setup/state.ts';
export { status, type SourceStatus } from './setup/status.ts';
export { selectionIncludes, type TableSelection } from './setup/table-selection.ts';
export { tearDown, type TearDownOptions, type TearDownResult } from './setup/tear-down.ts';
