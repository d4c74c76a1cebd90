export { assertNever } from './assert-never.ts';
export type { BatchOutcome, DeadLetter, DeadLetterStore, RevokeHandler, Sink, Source } from './contracts.ts';
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
export {
  encodingOfType,
  type ColumnSpec,
  type TableRef,
  type TableSpec,
  type ValueEncoding,
} from './table.ts';
export {
  actionOf,
  decodeRecord,
  encodeRecord,
  valueOf,
  type ChangeRecord,
  type NumberLiteral,
  type RecordColumn,
  type RecordValue,
} from './change-record.ts';
export type { ColumnValues } from './column-path.ts';
export { viewOf } from './json-bytes.ts';
export { RecordEncoder } from './record-encoder.ts';
export { RecordFormatError } from './record-format-error.ts';
export { RecordReader } from './record-reader.ts';
export type { MessageEvent, RowEvent, TransactionHead, TruncateEvent } from './source-events.ts';
export { TableTemplate } from './table-template.ts';
