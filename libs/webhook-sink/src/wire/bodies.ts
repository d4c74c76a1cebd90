import { Buffer } from 'node:buffer';
import {
  DDL_PREFIX,
  formatLsn,
  type ChangeRecord,
  type RecordColumn,
  type RecordValue,
} from '@pgstream/wal-event';
import type { BodyFormat, Operation } from '../subscription.ts';

const DATA_HEAD = Buffer.from('{"Data":');
const DATA_TAIL = Buffer.from('}');

export const CONTENT_TYPES: Readonly<Record<BodyFormat, string>> = {
  pgstream: 'application/json',
  standard: 'application/json',
  cloudevents: 'application/cloudevents+json',
};

/** What a body is made from. */
export interface BodySource {
  /** The record as it is in the log. */
  readonly value: Buffer;
  readonly record: ChangeRecord;
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
      return Buffer.from(standardBody(source));
    case 'cloudevents':
      return Buffer.from(cloudEventBody(source));
    default:
      return format satisfies never;
  }
}

/** Which operation an event is, in the words of filters. */
export function operationOf({ action, message }: ChangeRecord): Operation {
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
      return message?.prefix === DDL_PREFIX ? 'ddl' : 'message';
    default:
      return action satisfies never;
  }
}

/** `public.orders.update`, `public.ddl`, `message`: letters, digits, `_` and full stops only. */
export function eventTypeOf(record: ChangeRecord): string {
  return typeOf(schemaOf(record), record.table, operationOf(record));
}

function typeOf(schema: string, table: string, operation: Operation): string {
  const names = [schema, table].filter((name) => name !== '');
  return [...names, operation].map((name) => name.replaceAll(/[^\p{L}\p{N}_]/gu, '_')).join('.');
}

/** The schema of the row, or the one that a schema change is about. */
export function schemaOf({ schema, message }: ChangeRecord): string {
  if (schema !== '' || message?.prefix !== DDL_PREFIX) return schema;
  const content: unknown = parsed(message.content);
  const { schema_name: name }: { schema_name?: unknown } = Object(content);
  return typeof name === 'string' ? name : '';
}

function standardBody({ record, id }: BodySource): string {
  const words = wordsOf(record);
  return `{"type":${words.type},"timestamp":${JSON.stringify(isoOf(record.timestamp))},"data":${dataText(record, id, words)}}`;
}

/** https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
function cloudEventBody({ record, id, origin }: BodySource): string {
  const head = {
    specversion: '1.0',
    id,
    source: `/pgstream/${encodeURIComponent(origin)}`,
    type: eventTypeOf(record),
    ...(record.timestamp === '' ? {} : { time: isoOf(record.timestamp) }),
    datacontenttype: 'application/json',
  };
  return `${JSON.stringify(head).slice(0, -1)},"data":${dataText(record, id, wordsOf(record))}}`;
}

/** What bodies say alike for each operation on a table, as JSON. */
interface Words {
  readonly type: string;
  readonly operation: string;
}

const MAX_WORDS = 10_000;
const words = new Map<string, Words>();

function wordsOf(record: ChangeRecord): Words {
  const operation = operationOf(record);
  const { table } = record;
  const schema = schemaOf(record);
  const key = `${operation} ${schema}\0${table}`;
  const known = words.get(key);
  if (known !== undefined) return known;
  const made = {
    type: JSON.stringify(typeOf(schema, table, operation)),
    operation: JSON.stringify({ operation, schema, table }).slice(1, -1),
  };
  // Bounded: a table that is met again is made anew.
  if (words.size >= MAX_WORDS) words.clear();
  words.set(key, made);
  return made;
}

/** Texts are put together, without lists that are joined: this is once for each event. */
function dataText(record: ChangeRecord, id: string, { operation }: Words): string {
  const { action, lsn, xid, columns, identity, unchanged } = record;
  let text = `{"id":${JSON.stringify(id)},${operation},"lsn":"${formatLsn(lsn)}","xid":${xid}`;
  if (action === 'M') text += messageText(record);
  if (columns !== null) text += `,"new":${rowText(columns)}`;
  if (identity !== null) text += `,"old":${rowText(identity)}`;
  if (unchanged.length > 0) text += `,"unchanged":${JSON.stringify(unchanged)}`;
  return `${text}}`;
}

function messageText(record: ChangeRecord): string {
  const { prefix, content } = record.message ?? { prefix: '', content: '' };
  if (operationOf(record) === 'ddl') return `,"change":${jsonOr(content)}`;
  return `,"prefix":${JSON.stringify(prefix)},"content":${JSON.stringify(content)}`;
}

function rowText(columns: readonly RecordColumn[]): string {
  let text = '{';
  for (const { name, value } of columns) {
    text += `${text === '{' ? '' : ','}${JSON.stringify(name)}:${valueText(value)}`;
  }
  return `${text}}`;
}

/** Numbers keep every digit: they are never made JavaScript numbers. */
function valueText(value: RecordValue): string {
  return typeof value === 'object' && value !== null ? value.raw : JSON.stringify(value);
}

/** `2026-11-21 09:14:10.325235+00` as `2026-11-21T09:14:10.325235Z`. */
function isoOf(timestamp: string): string {
  const text = timestamp.replace(' ', 'T');
  return text.endsWith('+00') ? `${text.slice(0, -3)}Z` : text;
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
