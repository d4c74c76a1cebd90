import type { TypeMessage } from '../pgoutput/messages.ts';
import { BUILT_IN_TYPES } from './built-in-types.ts';

export const OID = {
  bpchar: 1042,
  varchar: 1043,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  interval: 1186,
  timetz: 1266,
  bit: 1560,
  varbit: 1562,
  numeric: 1700,
} as const;

const NAMES = new Map(BUILT_IN_TYPES.map(([oid, , name]) => [oid, name]));
const ELEMENTS = new Map(BUILT_IN_TYPES.map(([oid, arrayOid]) => [arrayOid, oid]));
/** Internal names that TYPE messages carry for the base types of domains, where they differ from `format_type`. */
const INTERNAL = new Map([
  ['int2', 21],
  ['int4', 23],
  ['int8', 20],
  ['float4', 700],
  ['float8', 701],
  ['bool', 16],
  ['varchar', OID.varchar],
  ['bpchar', OID.bpchar],
  ['time', OID.time],
  ['timetz', OID.timetz],
  ['timestamp', OID.timestamp],
  ['timestamptz', OID.timestamptz],
  ['bit', OID.bit],
  ['varbit', OID.varbit],
]);
for (const [oid, , name] of BUILT_IN_TYPES) if (!INTERNAL.has(name)) INTERNAL.set(name, oid);

const VARLENA_HEADER = 4;
const NO_PRECISION = 0xffff;

/** What can be said about a type from TYPE and RELATION messages alone. */
export interface TypeName {
  readonly type: string;
  /** OID whose text form the values have: of the base type for a domain over a built-in type. */
  readonly baseOid: number;
  readonly baseType: string;
}

/** The type as `format_type` prints it with an empty search path; `type(1234)` for what nobody has announced. */
export function typeName(
  oid: number,
  modifier: number,
  announced: ReadonlyMap<number, TypeMessage>,
): TypeName {
  const element = ELEMENTS.get(oid);
  if (element !== undefined) return same(`${formatBuiltIn(element, modifier)}[]`, oid);
  if (NAMES.has(oid)) return same(formatBuiltIn(oid, modifier), oid);
  const message = announced.get(oid);
  if (message === undefined) return same(`type(${oid})`, oid);
  if (message.schema === '' || message.schema === 'pg_catalog') return domainOver(message.name, oid);
  const isArray = message.name.startsWith('_');
  const name = `${quoted(message.schema)}.${quoted(isArray ? message.name.slice(1) : message.name)}`;
  return same(isArray ? `${name}[]` : name, oid);
}

function same(type: string, baseOid: number): TypeName {
  return { type, baseOid, baseType: type };
}

/** A domain comes under its own OID with the name of its base type: its own name is not in the stream. */
function domainOver(name: string, oid: number): TypeName {
  const isArray = name.startsWith('_');
  const base = INTERNAL.get(isArray ? name.slice(1) : name);
  if (base === undefined) return same(name, oid);
  const type = formatBuiltIn(base, -1);
  return isArray ? same(`${type}[]`, oid) : same(type, base);
}

/** A built-in type with its modifier (pg_attribute.atttypmod). */
// oxlint-disable-next-line complexity -- one case per type that takes a modifier
export function formatBuiltIn(oid: number, modifier: number): string {
  const name = NAMES.get(oid) ?? `type(${oid})`;
  if (modifier < 0) return name;
  switch (oid) {
    case OID.numeric:
      return `numeric(${numericPrecision(modifier)},${numericScale(modifier)})`;
    case OID.varchar:
      return `character varying(${modifier - VARLENA_HEADER})`;
    case OID.bpchar:
      return `character(${modifier - VARLENA_HEADER})`;
    case OID.bit:
      return `bit(${modifier})`;
    case OID.varbit:
      return `bit varying(${modifier})`;
    case OID.time:
    case OID.timetz:
    case OID.timestamp:
    case OID.timestamptz:
      return name.replace(' ', `(${modifier}) `);
    case OID.interval:
      return formatInterval(modifier);
    default:
      return `${name}(${modifier})`;
  }
}

function numericPrecision(modifier: number): number {
  return ((modifier - VARLENA_HEADER) >> 16) & 0xffff;
}

/** Eleven bits in two's complement: PostgreSQL 15 allows negative scales. */
function numericScale(modifier: number): number {
  return (((modifier - VARLENA_HEADER) & 0x7ff) ^ 0x400) - 0x400;
}

const INTERVAL_FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;
/** Bits of the fields in the upper half of an interval's modifier, in the order above. */
const INTERVAL_BITS = [1 << 2, 1 << 1, 1 << 3, 1 << 10, 1 << 11, 1 << 12] as const;
const FULL_RANGE = 0x7fff;

function formatInterval(modifier: number): string {
  const range = (modifier >> 16) & FULL_RANGE;
  const precision = modifier & 0xffff;
  const suffix = precision === NO_PRECISION ? '' : `(${precision})`;
  if (range === FULL_RANGE) return `interval${suffix}`;
  const fields = INTERVAL_FIELDS.filter((_, i) => (range & (INTERVAL_BITS[i] ?? 0)) !== 0);
  const [first, last] = [fields[0] ?? '', fields.at(-1) ?? ''];
  return `interval ${first === last ? first : `${first} to ${last}`}${suffix}`;
}

export function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
