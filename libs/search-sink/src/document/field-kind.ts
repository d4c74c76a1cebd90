import type { ColumnShape, ColumnSpec } from '@pgstream/wal-event';

/**
 * How a column's values look in a search document. Chosen by type, never by value, so that a field has one mapping.
 *
 * - `integer`: number literal, every digit. `float`: number literal; NaN and infinities become null.
 * - `numeric`, `money`: the digits as a JSON string, which `double` fields coerce.
 * - `text`: searchable as a whole and by words. `keyword`: as a whole. `stored`: kept, not searchable.
 * - `date`, `timestamp`: ISO 8601 with microseconds. `interval`: ISO 8601 duration. `bytea`: base64.
 * - `json`, `jsonb`: the JSON itself. `hstore`: object of strings. `vector`: array of numbers.
 */
export type FieldKind =
  | { readonly kind: ScalarKind }
  /** `delimiter` is `,` for all types but `box`. */
  | { readonly kind: 'array'; readonly of: FieldKind; readonly delimiter: string }
  | { readonly kind: 'range' | 'multirange'; readonly of: FieldKind }
  | {
      readonly kind: 'composite';
      readonly attributes: readonly { readonly name: string; readonly field: FieldKind }[];
    };

export type ScalarKind =
  | 'integer'
  | 'numeric'
  | 'float'
  | 'money'
  | 'boolean'
  | 'text'
  | 'keyword'
  | 'stored'
  | 'date'
  | 'timestamp'
  | 'time'
  | 'interval'
  | 'bytea'
  | 'json'
  | 'jsonb'
  | 'hstore'
  | 'vector';

/** What the catalogue adds to the name of a type. */
export type TypeShape = Pick<ColumnShape, 'base_type' | 'attributes'>;

/** A column, with its shape where the catalogue gave it. */
export type DocumentColumn = ColumnSpec & Partial<TypeShape>;

/** By the name that `format_type` prints, without modifier, array marks, quotes and schema. */
const SCALARS: ReadonlyMap<string, ScalarKind> = new Map<string, ScalarKind>([
  ...names('integer', 'smallint|integer|bigint|oid|int2|int4|int8'),
  ...names('numeric', 'numeric|decimal'),
  ...names('float', 'real|double precision|float4|float8'),
  ...names('money', 'money'),
  ...names('boolean', 'boolean|bool'),
  ...names('text', 'text|character varying|varchar|character|bpchar|char|citext|xml|name'),
  ...names('stored', 'tsvector|tsquery|geometry|geography|raster|pg_snapshot|txid_snapshot'),
  ...names('date', 'date'),
  ...names('timestamp', 'timestamp|timestamptz|timestamp without time zone|timestamp with time zone'),
  ...names('time', 'time|timetz|time without time zone|time with time zone'),
  ...names('interval', 'interval'),
  ...names('bytea', 'bytea'),
  ...names('json', 'json'),
  ...names('jsonb', 'jsonb'),
  ...names('hstore', 'hstore'),
  ...names('vector', 'vector|halfvec'),
]);

const RANGES: ReadonlyMap<string, ScalarKind> = new Map<string, ScalarKind>([
  ...names('integer', 'int4range|int8range|int4multirange|int8multirange'),
  ...names('numeric', 'numrange|nummultirange'),
  ...names('date', 'daterange|datemultirange'),
  ...names('timestamp', 'tsrange|tstzrange|tsmultirange|tstzmultirange'),
]);

const KEYWORD: FieldKind = { kind: 'keyword' };

/**
 * The kind of a column from its type as `format_type` prints it (`numeric(10,2)`, `"Odd".mood[]`,
 * `timestamp(3) with time zone`). Extension types are known by name in whatever schema they were installed.
 * `shape` resolves domains, enums and composites; without it a type that is not known is a keyword.
 */
export function classifyType(type: string, shape?: TypeShape): FieldKind {
  const [element, isArray] = withoutArrayMark(type);
  const field = elementKind(element, shape);
  if (!isArray) return field;
  return { kind: 'array', of: field, delimiter: bareName(element) === 'box' ? ';' : ',' };
}

function elementKind(type: string, shape: TypeShape | undefined): FieldKind {
  if (shape?.attributes !== undefined) {
    const attributes = shape.attributes.map(({ name, type: of }) => ({ name, field: classifyType(of) }));
    return { kind: 'composite', attributes };
  }
  const base = shape?.base_type;
  if (base === 'enum' || base === 'composite') return KEYWORD;
  if (base !== undefined && withoutArrayMark(base)[0] !== type) return classifyType(base);
  return namedKind(bareName(type));
}

function namedKind(name: string): FieldKind {
  const scalar = SCALARS.get(name);
  if (scalar !== undefined) return { kind: scalar };
  const bound = RANGES.get(name);
  if (bound === undefined) return name.startsWith('interval ') ? { kind: 'interval' } : KEYWORD;
  return { kind: name.includes('multi') ? 'multirange' : 'range', of: { kind: bound } };
}

function withoutArrayMark(type: string): [element: string, isArray: boolean] {
  const element = type.replace(/(\[\])+$/, '');
  return [element, element !== type];
}

/** `"Odd".citext` → `citext`; `character varying(20)` → `character varying`; `time(3) with time zone` → without `(3)`. */
function bareName(type: string): string {
  const local = /^(?:(?:"(?:[^"]|"")*"|[^".\s(]+)\.)?(.*)$/s.exec(type)?.[1] ?? type;
  if (local.startsWith('"')) return local.replace(/^"|"$/g, '').replaceAll('""', '"');
  return local.replace(/ ?\([^)]*\)/, '');
}

function names(kind: ScalarKind, list: string): [string, ScalarKind][] {
  return list.split('|').map((name) => [name, kind]);
}
