import { Buffer } from 'node:buffer';
import { parseArray, parseComposite, parseHstore, type ArrayElement } from './container-text.ts';
import { parseMultirange, parseRange } from './container-text.ts';
import type { FieldKind, ScalarKind } from './field-kind.ts';
import { fieldNameOf } from './field-name.ts';
import { embeddableJson } from './json-text.ts';
import { rangeField } from './range-field.ts';
import { isoInterval, isoTimestamp } from './time-text.ts';

/** Set when a document shows less, or other, than the row: a value became null, or lost its form. */
export interface Note {
  lossy: boolean;
}

/**
 * The JSON text of a value that PostgreSQL printed as `text`. Never throws: what has no form in a document is `null`
 * with {@link Note.lossy} set. Also set where the value is shown in another form: array bounds other than 1 are
 * dropped, JSON that engines refuse is its text in a string, an infinite bound of a range is left open.
 */
export function convertText(field: FieldKind, text: string, note: Note): string {
  const json = attempt(field, text, note);
  if (json !== undefined) return json;
  note.lossy = true;
  return 'null';
}

function attempt(field: FieldKind, text: string, note: Note): string | undefined {
  try {
    return convert(field, text, note);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** @throws {SyntaxError} where the text is not of the kind */
function convert(field: FieldKind, text: string, note: Note): string | undefined {
  if (field.kind === 'array') return arrayJson(field, text, note);
  if (field.kind === 'composite') return compositeJson(field, text, note);
  if (field.kind === 'multirange') {
    return allOf(parseMultirange(text).map((range) => rangeField(field.of, range, note)));
  }
  if (field.kind !== 'range') return SCALARS[field.kind](text, note);
  const range = parseRange(text);
  return range === null ? undefined : rangeField(field.of, range, note);
}

type ScalarConverter = (text: string, note: Note) => string | undefined;

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const SCALARS: Readonly<Record<ScalarKind, ScalarConverter>> = {
  integer: numberLiteral,
  float: numberLiteral,
  numeric: (text) => (NUMBER.test(text) ? `"${text}"` : undefined),
  money: moneyJson,
  boolean: booleanJson,
  text: quote,
  keyword: quote,
  stored: quote,
  time: quote,
  date: (text) => quoted(isoTimestamp(text)),
  timestamp: (text) => quoted(isoTimestamp(text)),
  interval: (text) => quoted(isoInterval(text)),
  bytea: (text) =>
    text.startsWith('\\x') ? `"${Buffer.from(text.slice(2), 'hex').toString('base64')}"` : undefined,
  json: (text, note) => jsonJson(text, embeddableJson(text), note),
  jsonb: (text, note) => jsonJson(text, embeddableJson(text, true), note),
  hstore: (text) =>
    objectJson(parseHstore(text).map(([key, value]) => [key, value === null ? 'null' : quote(value)])),
  vector: (text) => (/^\[[-+\d.eE,]*\]$/.test(text) ? text : undefined),
};

function numberLiteral(text: string): string | undefined {
  return NUMBER.test(text) ? text : undefined;
}

function booleanJson(text: string): string | undefined {
  if (text === 't' || text === 'true') return 'true';
  return text === 'f' || text === 'false' ? 'false' : undefined;
}

/** `-$1,234.50` under lc_monetary=C. */
function moneyJson(text: string): string | undefined {
  const digits = text.replaceAll(/[$,]/g, '');
  return NUMBER.test(digits) ? `"${digits}"` : undefined;
}

function jsonJson(text: string, json: string | undefined, note: Note): string {
  if (json !== undefined) return json;
  note.lossy = true;
  return quote(text);
}

function arrayJson(field: FieldKind & { kind: 'array' }, text: string, note: Note): string {
  const { elements, bounded } = parseArray(text, field.delimiter);
  if (bounded) note.lossy = true;
  const json = (element: ArrayElement): string => {
    if (element === null) return 'null';
    return typeof element === 'string'
      ? convertText(field.of, element, note)
      : `[${element.map(json).join(',')}]`;
  };
  return `[${elements.map(json).join(',')}]`;
}

function compositeJson(
  field: FieldKind & { kind: 'composite' },
  text: string,
  note: Note,
): string | undefined {
  const values = parseComposite(text);
  if (values.length !== field.attributes.length) return undefined;
  return objectJson(
    field.attributes.map(({ name, field: of }, i) => {
      const value = values[i] ?? null;
      return [fieldNameOf(name), value === null ? 'null' : convertText(of, value, note)];
    }),
  );
}

/** An array of what could be converted: `undefined`, for the whole, where a part could not. */
function allOf(parts: readonly (string | undefined)[]): string | undefined {
  return parts.includes(undefined) ? undefined : `[${parts.join(',')}]`;
}

function objectJson(members: readonly (readonly [name: string, json: string])[]): string {
  return `{${members.map(([name, json]) => `${quote(name)}:${json}`).join(',')}}`;
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `"${text}"`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
