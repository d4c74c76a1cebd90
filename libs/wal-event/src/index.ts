export { assertNever } from './assert-never.ts';
export type { BatchOutcome, DeadLetter, DeadLetterStore, Sink, Source } from './contracts.ts';
export { formatLsn, parseLsn, type Lsn } from './lsn.ts';
export { comparePositions, eventId, formatPosition, parsePosition, type Position } from './position.ts';
export {
  ACTION,
  positionAt,
  RecordBatchBuilder,
  valueAt,
  type RecordBatch,
  type RecordEntry,
} from './record-batch.ts';
export {
  DDL_PREFIX,
  type AddedColumn,
  type ColumnShape,
  type DdlObject,
  type SchemaChange,
  type ShapeChange,
  type TableShape,
} from './schema-change.ts';
export { encodingOfType, type ColumnSpec, type TableRef, type TableSpec, type ValueEncoding } from './table.ts';
