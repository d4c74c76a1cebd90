export type { SchemaHistoryPort, TableState } from './history-port.ts';
export type { RelationColumn, RelationMessage, TypeMessage } from './pgoutput/messages.ts';
export { PostgresSource, type PostgresSourceOptions } from './postgres-source.ts';
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
