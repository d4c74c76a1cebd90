import {
  DDL_PREFIX,
  eventId,
  formatLsn,
  type ChangeRecord,
  type RecordColumn,
  type RecordValue,
} from '@pgstream/wal-event';

/** What an event becomes, from its decoded record: the slow, obvious twin of what the sink makes from bytes. */
export function plainBody(record: ChangeRecord, format: 'standard' | 'cloudevents', origin: string): string {
  const operation = plainOperation(record);
  const schema = plainSchema(record);
  const names = [schema, record.table].filter((name) => name !== '');
  const type = [...names, operation].map((name) => name.replaceAll(/[^\p{L}\p{N}_]/gu, '_')).join('.');
  const time = record.timestamp.replace(' ', 'T').replace(/\+00$/, 'Z');
  const id = `msg_${eventId(record.epoch, record.position)}`;
  const head =
    format === 'standard'
      ? { type, timestamp: time }
      : {
          specversion: '1.0',
          id,
          source: `/pgstream/${encodeURIComponent(origin)}`,
          type,
          ...(time === '' ? {} : { time }),
          datacontenttype: 'application/json',
        };
  const about = { id, operation, schema, table: record.table, lsn: formatLsn(record.lsn), xid: record.xid };
  const data = [
    JSON.stringify(about).slice(1, -1),
    ...messageMembers(record),
    ...(record.columns === null ? [] : [`"new":${rowText(record.columns)}`]),
    ...(record.identity === null ? [] : [`"old":${rowText(record.identity)}`]),
    ...(record.unchanged.length === 0 ? [] : [`"unchanged":${JSON.stringify(record.unchanged)}`]),
  ];
  return `${JSON.stringify(head).slice(0, -1)},"data":{${data.join(',')}}}`;
}

/** The rows that it touches, as they are told apart; `null` where it waits for everything. */
export function plainKeys(record: ChangeRecord): readonly string[] | null {
  const { action, keyColumnIds, columns, identity, tableId } = record;
  if (action === 'T' || action === 'M') return null;
  if (keyColumnIds === null) return [JSON.stringify([tableId, []])];
  const keys = [columns, identity].flatMap((row) => {
    const values = keyColumnIds.map((id) => row?.find((column) => column.id === id)?.value);
    return values.includes(undefined) ? [] : [JSON.stringify([tableId, values])];
  });
  return keys.length === 0 ? null : [...new Set(keys)];
}

function plainOperation({ action, message }: ChangeRecord): string {
  if (action === 'M') return message?.prefix === DDL_PREFIX ? 'ddl' : 'message';
  return { I: 'insert', U: 'update', D: 'delete', T: 'truncate' }[action];
}

function plainSchema({ schema, message }: ChangeRecord): string {
  if (message?.prefix !== DDL_PREFIX) return schema;
  const { schema_name: name }: { schema_name?: unknown } = Object(jsonOf(message.content));
  return typeof name === 'string' ? name : schema;
}

function messageMembers({ message }: ChangeRecord): readonly string[] {
  if (message === undefined) return [];
  const { prefix, content } = message;
  if (prefix !== DDL_PREFIX)
    return [`"prefix":${JSON.stringify(prefix)}`, `"content":${JSON.stringify(content)}`];
  return [`"change":${jsonOf(content) === undefined ? JSON.stringify(content) : content}`];
}

function rowText(columns: readonly RecordColumn[]): string {
  return `{${columns.map(({ name, value }) => `${JSON.stringify(name)}:${valueText(value)}`).join(',')}}`;
}

function valueText(value: RecordValue): string {
  return typeof value === 'object' && value !== null ? value.raw : JSON.stringify(value);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
