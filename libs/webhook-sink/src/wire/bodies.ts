import { Buffer } from 'node:buffer';
import {
  ACTION,
  DDL_PREFIX,
  type ChangeRecord,
  type ColumnValues,
  type RecordReader,
  type TableRef,
} from '@pgstream/wal-event';
import type { BodyFormat, Operation } from '../subscription.ts';
import { readRecord } from './read-record.ts';
import { RowBytes } from './row-bytes.ts';

const DATA_HEAD = Buffer.from('{"Data":');
const DATA_TAIL = Buffer.from('}');
const NEW_ROW = Buffer.from(',"new":{');
const OLD_ROW = Buffer.from(',"old":{');

export const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  pgstream: 'application/json',
  standard: 'application/json',
  cloudevents: 'application/cloudevents+json',
};

/** What a body is made from. */
export interface BodySource {
  /** The record as it is in the log. */
  readonly value: Buffer;
  /** The webhook-id. */
  readonly id: string;
  /** Where it comes from: the topic. */
  readonly origin: string;
}

/** The bytes of the request. */
export function bodyOf(source: BodySource, format: BodyFormat): Buffer {
  switch (format) {
    case 'pgstream':
      return Buffer.concat([DATA_HEAD, source.value, DATA_TAIL]);
    case 'standard':
      return standardBody(source);
    case 'cloudevents':
      return cloudEventBody(source);
    default:
      return format satisfies never;
  }
}

/** What an event is about, but for its table. */
export interface Named extends Pick<ChangeRecord, 'action' | 'schema'> {
  readonly message?: ChangeRecord['message'] | undefined;
}

/** Which operation an event is, in the words of filters. */
export function operationOf({ action, message }: Pick<Named, 'action' | 'message'>): Operation {
  switch (action) {
    case 'I':
      return 'insert';
    case 'U':
      return 'update';
    case 'D':
      return 'delete';
    case 'T':
      return 'truncate';
    case 'M':
      return messageOperation(message?.prefix);
    default:
      return action satisfies never;
  }
}

function messageOperation(prefix: string | undefined): Operation {
  return prefix === DDL_PREFIX ? 'ddl' : 'message';
}

/** The schema of the row, or the one that a schema change is about. */
export function schemaOf({ schema, message }: Pick<Named, 'schema' | 'message'>): string {
  if (schema !== '' || message?.prefix !== DDL_PREFIX) return schema;
  const content: unknown = parsed(message.content);
  const { schema_name: name }: { schema_name?: unknown } = Object(content);
  return typeof name === 'string' ? name : '';
}

/** `public.orders.update`, `public.ddl`, `message`: letters, digits, `_` and full stops only. */
function typeOf(schema: string, table: string, operation: Operation): string {
  const names = [schema, table].filter((name) => name !== '');
  return [...names, operation].map((name) => name.replaceAll(/[^\p{L}\p{N}_]/gu, '_')).join('.');
}

function standardBody({ value, id }: BodySource): Buffer {
  const record = readRecord(value);
  const words = wordsOf(record);
  return withData(`{"type":${words.type},"timestamp":${timeText(record)}`, record, { id, words });
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
function cloudEventBody({ value, id, origin }: BodySource): Buffer {
  const record = readRecord(value);
  const words = wordsOf(record);
  const source = JSON.stringify(`/pgstream/${encodeURIComponent(origin)}`);
  const time = timeText(record);
  const when = time === '""' ? '' : `,"time":${time}`;
  const head = `{"specversion":"1.0","id":"${id}","source":${source},"type":${words.type}${when},"datacontenttype":"application/json"`;
  return withData(head, record, { id, words });
}

/** What bodies say alike for each operation on a table, as JSON. */
interface Words {
  readonly type: string;
  readonly operation: string;
}

const rowWords = new WeakMap<TableRef, Map<number, Words>>();

const OPERATIONS: Readonly<Record<number, Operation>> = {
  [ACTION.insert]: 'insert',
  [ACTION.update]: 'update',
  [ACTION.delete]: 'delete',
  [ACTION.truncate]: 'truncate',
};

function wordsOf({ ref, action, prefix, content }: RecordReader): Words {
  const operation = OPERATIONS[action];
  if (operation === undefined) {
    const schema = schemaOf({ schema: ref.schema, message: { prefix, content } });
    return newWords(messageOperation(prefix), schema, ref.table);
  }
  let ofTable = rowWords.get(ref);
  if (ofTable === undefined) rowWords.set(ref, (ofTable = new Map()));
  let words = ofTable.get(action);
  if (words === undefined) ofTable.set(action, (words = newWords(operation, ref.schema, ref.table)));
  return words;
}

function newWords(operation: Operation, schema: string, table: string): Words {
  return {
    type: JSON.stringify(typeOf(schema, table, operation)),
    operation: JSON.stringify({ operation, schema, table }).slice(1, -1),
  };
}

/** `head`, its member `data`, and the end. Rows go from the record's bytes into the body's: this is once for each event. */
function withData(
  head: string,
  record: RecordReader,
  { id, words }: { readonly id: string; readonly words: Words },
): Buffer {
  const { xid, lsnText, unchanged } = record;
  const message = record.action === ACTION.message ? messageText(record) : '';
  const before = `${head},"data":{"id":"${id}",${words.operation},"lsn":"${lsnText}","xid":${xid}${message}`;
  const after = unchanged.length === 0 ? '}}' : `,"unchanged":${JSON.stringify(unchanged)}}}`;
  const [now, old] = [rowOf(record, record.columns), rowOf(record, record.identity)];
  const size =
    Buffer.byteLength(before) + sizeOf(NEW_ROW, now) + sizeOf(OLD_ROW, old) + Buffer.byteLength(after);
  const body = Buffer.allocUnsafe(size);
  let at = body.write(before);
  at = putRow(body, at, { label: NEW_ROW, row: now });
  at = putRow(body, at, { label: OLD_ROW, row: old });
  body.write(after, at);
  return body;
}

function rowOf({ bytes }: RecordReader, values: ColumnValues): RowBytes | undefined {
  return values.count < 0 ? undefined : new RowBytes(bytes, values);
}

function sizeOf(label: Buffer, row: RowBytes | undefined): number {
  return row === undefined ? 0 : label.length + row.length + 1;
}

function putRow(
  body: Buffer,
  at: number,
  { label, row }: { readonly label: Buffer; readonly row: RowBytes | undefined },
): number {
  if (row === undefined) return at;
  const end = row.putInto(body, at + label.copy(body, at));
  body[end] = 0x7d;
  return end + 1;
}

function messageText({ prefix, content }: RecordReader): string {
  if (messageOperation(prefix) === 'ddl') return `,"change":${jsonOr(content)}`;
  return `,"prefix":${JSON.stringify(prefix)},"content":${JSON.stringify(content)}`;
}

/** `"2026-11-21 09:14:10.325235+00"` as `"2026-11-21T09:14:10.325235Z"`. */
function timeText({ bytes, timestampStart, timestampEnd }: RecordReader): string {
  const text = bytes.toString('latin1', timestampStart, timestampEnd).replace(' ', 'T');
  return text.endsWith('+00"') ? `${text.slice(0, -4)}Z"` : text;
}

/** The content of a schema change is JSON; what is not stays a text. */
function jsonOr(content: string): string {
  return parsed(content) === undefined ? JSON.stringify(content) : content;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
