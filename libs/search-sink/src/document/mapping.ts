import { classifyType, type DocumentColumn, type FieldKind, type TypeShape } from './field-kind.ts';
import { fieldNameOf } from './field-name.ts';

export type Layout = 'table' | 'pgstream';

/** A property of an index mapping, as OpenSearch 2 and 3 and Elasticsearch 7.17 and 8 all understand it. */
export type FieldMapping = Readonly<Record<string, unknown>>;

/**
 * Lucene refuses a term above 32,766 bytes and with it the whole document; `ignore_above` counts UTF-16 units, of
 * at most three bytes each.
 */
const IGNORE_ABOVE = 10_922;

const KEYWORD = { type: 'keyword', ignore_above: IGNORE_ABOVE } as const;
const TEXT = { ...KEYWORD, fields: { text: { type: 'text' } } } as const;
const TIME_FORMATS = ['HH:mm:ss', 'HH:mm:ss.SS', 'HH:mm:ss.SSS', 'HH:mm:ss.SSSSSS']
  .flatMap((format) => [format, `${format}x`, `${format}Z`])
  .join('||');

/**
 * The `properties` of an index for these columns. Arrays have the mapping of their elements.
 *
 * Decisions:
 * - `numeric` and `money` are JSON strings of every digit under a `double` field, which coerces them: range queries,
 *   sorting and aggregations work to 15 digits, `<field>.exact` matches the digits, and `_source` keeps all of them
 *   even where a client parses JSON numbers as doubles. Numbers beyond a double stay in `_source` only.
 * - `date` fields have milliseconds; `_source` keeps the microseconds. Years beyond 9999 and before Christ are
 *   ISO 8601 expanded years, indexed by OpenSearch; Elasticsearch keeps them in `_source` only (`ignore_malformed`).
 * - json and hstore are disabled objects: any JSON is accepted and returned, none of it can clash or explode.
 * - No field type of one vendor only (`flat_object`, `flattened`, `knn_vector`).
 */
export function mappingOf(columns: readonly DocumentColumn[], layout: Layout): Record<string, FieldMapping> {
  return Object.fromEntries(
    columns.map((column) => [
      layout === 'table' ? fieldNameOf(column.name) : column.id,
      mappingOfField(classifyType(column.type, shapeOf(column)), layout),
    ]),
  );
}

/** The mapping of the member `_pgstream` that every document carries. */
export const PGSTREAM_MAPPING: FieldMapping = {
  properties: {
    table: { type: 'keyword' },
    version: { type: 'long' },
    seq: { type: 'long' },
    incomplete: { type: 'keyword' },
    ignored: { type: 'keyword' },
  },
};

export function shapeOf(column: Partial<TypeShape>): TypeShape | undefined {
  const { base_type: base, attributes } = column;
  if (base === undefined) return undefined;
  return attributes === undefined ? { base_type: base } : { base_type: base, attributes };
}

function mappingOfField(field: FieldKind, layout: Layout): FieldMapping {
  // inside arrays and composites JSON is JSON in both layouts
  if (field.kind === 'array') return mappingOfField(field.of, isJson(field.of) ? 'table' : layout);
  if (field.kind === 'range' || field.kind === 'multirange') return { type: rangeType(field.of) };
  if (field.kind === 'composite') {
    const properties = field.attributes.map(({ name, field: of }) => [
      fieldNameOf(name),
      mappingOfField(of, 'table'),
    ]);
    return { properties: Object.fromEntries(properties) };
  }
  if (layout === 'pgstream' && isJson(field)) return { type: 'text' };
  if (layout === 'pgstream' && field.kind === 'time') {
    return { type: 'date', format: TIME_FORMATS, ignore_malformed: true };
  }
  return SCALAR_MAPPINGS[field.kind];
}

const EXACT = { type: 'double', ignore_malformed: true, fields: { exact: KEYWORD } } as const;

const SCALAR_MAPPINGS = {
  integer: { type: 'long' },
  numeric: EXACT,
  money: EXACT,
  float: { type: 'double', ignore_malformed: true },
  time: KEYWORD,
  json: { type: 'object', enabled: false },
  jsonb: { type: 'object', enabled: false },
  boolean: { type: 'boolean' },
  text: TEXT,
  keyword: KEYWORD,
  stored: { type: 'keyword', index: false, doc_values: false, ignore_above: IGNORE_ABOVE },
  date: { type: 'date', ignore_malformed: true },
  timestamp: { type: 'date', ignore_malformed: true },
  interval: KEYWORD,
  bytea: { type: 'binary' },
  hstore: { type: 'object', enabled: false },
  vector: { type: 'float', index: false, doc_values: false },
} as const;

function isJson(field: FieldKind): boolean {
  return field.kind === 'json' || field.kind === 'jsonb';
}

function rangeType(bound: FieldKind): string {
  if (bound.kind === 'integer') return 'long_range';
  return bound.kind === 'numeric' ? 'double_range' : 'date_range';
}
