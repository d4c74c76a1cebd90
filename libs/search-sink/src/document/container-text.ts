/** The text forms that PostgreSQL gives arrays, composites, ranges and hstore, taken apart into texts. */

/** An element of an array: its text, `null`, or an array of one dimension less. */
export type ArrayElement = string | null | readonly ArrayElement[];

export interface ArrayText {
  readonly elements: readonly ArrayElement[];
  /** `[0:1]={7,8}`: the lower bounds were not 1. */
  readonly bounded: boolean;
}

/** @throws {SyntaxError} unless `text` is an array as PostgreSQL prints it. */
export function parseArray(text: string, delimiter = ','): ArrayText {
  const bounds = /^(?:\[-?\d+:-?\d+\])+=/.exec(text)?.[0] ?? '';
  const cursor = { text, at: bounds.length };
  const elements = arrayAt(cursor, delimiter);
  expectEnd(cursor);
  return { elements, bounded: bounds !== '' };
}

interface Cursor {
  readonly text: string;
  at: number;
}

function arrayAt(cursor: Cursor, delimiter: string): ArrayElement[] {
  const elements: ArrayElement[] = [];
  expect(cursor, '{');
  if (accept(cursor, '}')) return elements;
  do {
    elements.push(elementAt(cursor, delimiter));
  } while (accept(cursor, delimiter));
  expect(cursor, '}');
  return elements;
}

function elementAt(cursor: Cursor, delimiter: string): ArrayElement {
  const first = cursor.text[cursor.at];
  if (first === '{') return arrayAt(cursor, delimiter);
  if (first === '"') return quotedAt(cursor);
  const text = unquotedUntil(cursor, `${delimiter}}`);
  return text.toUpperCase() === 'NULL' ? null : text;
}

/** The fields of `(1,"x,""y",)`. @throws {SyntaxError} */
export function parseComposite(text: string): (string | null)[] {
  const cursor = { text, at: 0 };
  const fields: (string | null)[] = [];
  expect(cursor, '(');
  do {
    const first = text[cursor.at];
    fields.push(first === ',' || first === ')' ? null : piecesUntil(cursor, ',)'));
  } while (accept(cursor, ','));
  expect(cursor, ')');
  expectEnd(cursor);
  return fields;
}

export interface RangeText {
  readonly lower: string | null;
  readonly upper: string | null;
  readonly lowerIncluded: boolean;
  readonly upperIncluded: boolean;
}

/** `null` for `empty`. @throws {SyntaxError} */
export function parseRange(text: string): RangeText | null {
  if (text === 'empty') return null;
  const cursor = { text, at: 0 };
  const range = rangeAt(cursor);
  expectEnd(cursor);
  return range;
}

/** @throws {SyntaxError} */
export function parseMultirange(text: string): RangeText[] {
  const cursor = { text, at: 0 };
  const ranges: RangeText[] = [];
  expect(cursor, '{');
  if (accept(cursor, '}')) return ranges;
  do {
    ranges.push(rangeAt(cursor));
  } while (accept(cursor, ','));
  expect(cursor, '}');
  expectEnd(cursor);
  return ranges;
}

function rangeAt(cursor: Cursor): RangeText {
  const lowerIncluded = accept(cursor, '[');
  if (!lowerIncluded) expect(cursor, '(');
  const lower = cursor.text[cursor.at] === ',' ? null : piecesUntil(cursor, ',');
  expect(cursor, ',');
  const last = cursor.text[cursor.at];
  const upper = last === ')' || last === ']' ? null : piecesUntil(cursor, ')]');
  const upperIncluded = accept(cursor, ']');
  if (!upperIncluded) expect(cursor, ')');
  return { lower, upper, lowerIncluded, upperIncluded };
}

/** `"k"=>"v", "n"=>NULL` in the order of the text. @throws {SyntaxError} */
export function parseHstore(text: string): [key: string, value: string | null][] {
  const cursor = { text, at: 0 };
  const pairs: [string, string | null][] = [];
  if (text === '') return pairs;
  do {
    while (accept(cursor, ' '));
    const key = quotedAt(cursor);
    expect(cursor, '=>');
    if (cursor.text[cursor.at] === '"') pairs.push([key, quotedAt(cursor)]);
    else {
      expect(cursor, 'NULL');
      pairs.push([key, null]);
    }
  } while (accept(cursor, ','));
  expectEnd(cursor);
  return pairs;
}

/** A string in double quotes; inside, `\x` is `x` and `""` is `"`. */
function quotedAt(cursor: Cursor): string {
  expect(cursor, '"');
  let text = '';
  for (;;) {
    text += unquotedUntil(cursor, '"\\');
    if (accept(cursor, '\\')) text += escapedAt(cursor);
    else {
      expect(cursor, '"');
      if (!accept(cursor, '"')) return text;
      text += '"';
    }
  }
}

/** Composites and ranges may mix bare, escaped and quoted pieces in one value. */
function piecesUntil(cursor: Cursor, stops: string): string {
  let text = '';
  for (;;) {
    text += unquotedUntil(cursor, `${stops}"\\`);
    if (cursor.text[cursor.at] === '"') text += quotedAt(cursor);
    else if (accept(cursor, '\\')) text += escapedAt(cursor);
    else return text;
  }
}

function escapedAt(cursor: Cursor): string {
  const char = cursor.text[cursor.at];
  if (char === undefined) throw new SyntaxError('ends in a backslash');
  cursor.at += 1;
  return char;
}

const stopTables = new Map<string, Uint8Array>();

/** By ASCII code: 1 for the characters of `stops`. There are a handful of them. */
function stopTable(stops: string): Uint8Array {
  let table = stopTables.get(stops);
  if (table === undefined) {
    table = new Uint8Array(128);
    for (let i = 0; i < stops.length; i += 1) table[stops.charCodeAt(i)] = 1;
    stopTables.set(stops, table);
  }
  return table;
}

function unquotedUntil(cursor: Cursor, stops: string): string {
  const from = cursor.at;
  const { text } = cursor;
  const table = stopTable(stops);
  let at = from;
  while (at < text.length && table[text.charCodeAt(at)] !== 1) at += 1;
  cursor.at = at;
  return text.slice(from, at);
}

function accept(cursor: Cursor, token: string): boolean {
  if (!cursor.text.startsWith(token, cursor.at)) return false;
  cursor.at += token.length;
  return true;
}

function expect(cursor: Cursor, token: string): void {
  if (!accept(cursor, token)) throw new SyntaxError(`expected ${token} at character ${cursor.at}`);
}

function expectEnd(cursor: Cursor): void {
  if (cursor.at !== cursor.text.length) throw new SyntaxError(`text after character ${cursor.at}`);
}
