import { Buffer } from 'node:buffer';
import { parseText, type ColumnValues } from './column-path.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import type { Position } from './position.ts';
import { RecordReader } from './record-reader.ts';
import { metadataOf } from './table-template.ts';

/** A number as its literal, every digit kept: `9223372036854775807`, `0.5000`. */
export interface NumberLiteral {
  readonly raw: string;
}
export type RecordValue = string | boolean | null | NumberLiteral;

export interface RecordColumn {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly value: RecordValue;
}

/** A record as an object, lossless: for tools, tests and sinks that are not on a hot path. */
export interface ChangeRecord {
  readonly action: 'I' | 'U' | 'D' | 'T' | 'M';
  /** Commit time in PostgreSQL's text form, UTC; `''` for a message outside transactions. */
  readonly timestamp: string;
  readonly position: Position;
  readonly epoch: number;
  readonly xid: number;
  /** LSN of the change itself: neither unique nor ordered. */
  readonly lsn: Lsn;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly RecordColumn[] | null;
  readonly identity: readonly RecordColumn[] | null;
  /** Only for M. */
  readonly message?: { readonly prefix: string; readonly content: string };
  readonly tableId: string;
  readonly keyColumnIds: readonly string[] | null;
  /** Names of TOASTed columns that did not change and were not sent. */
  readonly unchanged: readonly string[];
  readonly snapshot: boolean;
}

/**
 * Reads one record from its value.
 * @param reader of whoever reads many: it knows the tables and columns that it has met.
 * @throws {RecordFormatError}
 */
export function decodeRecord(value: Buffer, reader = new RecordReader()): ChangeRecord {
  reader.read(value, 0, value.length);
  const { ref, prefix, content } = reader;
  return {
    action: actionOf(reader.action),
    timestamp: parseText(value.toString('utf8', reader.timestampStart, reader.timestampEnd)),
    position: { commitLsn: lsnOf(reader.commitLsn), seq: reader.seq, sub: reader.sub },
    epoch: reader.epoch,
    xid: reader.xid,
    lsn: lsnOf(reader.lsn),
    schema: ref.schema,
    table: ref.table,
    columns: columnsOf(value, reader.columns),
    identity: columnsOf(value, reader.identity),
    ...(reader.action === 0x4d ? { message: { prefix, content } } : {}),
    tableId: ref.tableId,
    keyColumnIds: ref.keyColumnIds.length === 0 ? null : ref.keyColumnIds,
    unchanged: reader.unchanged,
    snapshot: reader.snapshot,
  };
}

/** The bytes that {@link RecordEncoder} writes for the same change: its slow, obvious twin. */
export function encodeRecord(record: ChangeRecord): Buffer {
  const { position, message } = record;
  const members = [
    `"action":"${record.action}"`,
    `"timestamp":${JSON.stringify(record.timestamp)}`,
    `"commit_lsn":"${formatLsn(position.commitLsn)}"`,
    `"epoch":${record.epoch}`,
    `"xid":${record.xid}`,
    `"lsn":"${formatLsn(record.lsn)}"`,
    `"seq":${position.seq}`,
    `"schema":${JSON.stringify(record.schema)}`,
    `"table":${JSON.stringify(record.table)}`,
    `"columns":${columnsText(record.columns)}`,
    `"identity":${columnsText(record.identity)}`,
    ...(message === undefined
      ? []
      : [`"prefix":${JSON.stringify(message.prefix)}`, `"content":${JSON.stringify(message.content)}`]),
    metadataOf(record.tableId, record.keyColumnIds).slice(1),
    ...(record.unchanged.length === 0 ? [] : [`"unchanged":${JSON.stringify(record.unchanged)}`]),
    ...(position.sub === 0 ? ['"sub":0'] : []),
    ...(record.snapshot ? ['"snapshot":true'] : []),
  ];
  return Buffer.from(`{${members.join(',')}}`);
}

/** A value from its raw JSON text. */
export function valueOf(json: string): RecordValue {
  switch (json.charAt(0)) {
    case '"':
      return parseText(json);
    case 't':
      return true;
    case 'f':
      return false;
    case 'n':
      return null;
    default:
      return { raw: json };
  }
}

function columnsOf(bytes: Buffer, values: ColumnValues): readonly RecordColumn[] | null {
  if (values.count < 0) return null;
  return values.columns.map(({ id, name, type }, i) => {
    return { id, name, type, value: valueOf(bytes.toString('utf8', values.starts[i], values.ends[i])) };
  });
}

function columnsText(columns: readonly RecordColumn[] | null): string {
  if (columns === null) return 'null';
  const texts = columns.map(({ id, name, type, value }) => {
    const names = `"id":${JSON.stringify(id)},"name":${JSON.stringify(name)},"type":${JSON.stringify(type)}`;
    return `{${names},"value":${isLiteral(value) ? value.raw : JSON.stringify(value)}}`;
  });
  return `[${texts.join(',')}]`;
}

function isLiteral(value: RecordValue): value is NumberLiteral {
  return typeof value === 'object' && value !== null;
}

/** The letter of one of {@link ACTION}. */
export function actionOf(code: number): ChangeRecord['action'] {
  switch (code) {
    case 0x49:
      return 'I';
    case 0x55:
      return 'U';
    case 0x44:
      return 'D';
    case 0x54:
      return 'T';
    default:
      return 'M';
  }
}

function lsnOf(value: bigint): Lsn {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read from the form of an LSN
  return value as Lsn;
}
