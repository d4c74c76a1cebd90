import type { Row } from './peer.ts';

/** The form of records that both pgstreams write: `columns` as a list of names and values. */
export function pgstreamRow(value: string, table: string): Row | undefined {
  const record = objectIn(JSON.parse(value));
  if (record['table'] !== table || !Array.isArray(record['columns'])) return undefined;
  const columns = new Map(
    record['columns'].map((column: unknown) => {
      const { name, value: cell } = objectIn(column);
      return [name, cell];
    }),
  );
  return rowFrom(columns.get('id'), columns.get('version'));
}

/** Debezium's JSON, with or without the schema in each record. */
export function debeziumRow(value: string, table: string): Row | undefined {
  const record = objectIn(JSON.parse(value));
  const envelope = 'payload' in record ? objectIn(record['payload']) : record;
  if (objectIn(envelope['source'])['table'] !== table) return undefined;
  const after = objectIn(envelope['after']);
  return rowFrom(after['id'], after['version']);
}

function rowFrom(id: unknown, version: unknown): Row | undefined {
  return id === undefined || version === undefined ? undefined : { id: Number(id), version: Number(version) };
}

function objectIn(value: unknown): Readonly<Record<string, unknown>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an object of JSON
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
