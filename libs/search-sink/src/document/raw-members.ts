import type { Buffer } from 'node:buffer';

/** Where the value of a member stands in the bytes of its object: `[start, end)`. */
export interface RawMember {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * The members of the JSON object at `bytes[start, end)`, without reading their values: copying a value's bytes is
 * the one way to keep every digit of it. Names are decoded; of equal names the last one counts.
 * @throws {SyntaxError} where the bytes are not one object.
 */
export function rawMembers(bytes: Buffer, start = 0, end = bytes.length): Map<string, RawMember> {
  const members = new Map<string, RawMember>();
  let at = skipSpace(bytes, start, end);
  if (bytes[at] !== 0x7b) throw new SyntaxError('not a JSON object');
  at = skipSpace(bytes, at + 1, end);
  while (bytes[at] === QUOTE) {
    const nameEnd = endOfString(bytes, at, end);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON string
    const name = JSON.parse(bytes.toString('utf8', at, nameEnd)) as string;
    at = skipSpace(bytes, nameEnd, end);
    if (bytes[at] !== COLON) throw new SyntaxError('a member without a value');
    const from = skipSpace(bytes, at + 1, end);
    const to = endOfValue(bytes, from, end);
    members.set(name, { start: from, end: to });
    at = skipSpace(bytes, to, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1, end);
  }
  if (bytes[at] !== 0x7d) throw new SyntaxError('an unfinished JSON object');
  return members;
}

/** The offset after the value at `from`, without the space that follows it. */
// oxlint-disable-next-line complexity -- one condition per kind of byte
function endOfValue(bytes: Buffer, from: number, end: number): number {
  const first = bytes[from];
  if (first === QUOTE) return endOfString(bytes, from, end);
  if (first !== 0x7b && first !== 0x5b) return endOfLiteral(bytes, from, end);
  let depth = 0;
  for (let at = from; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) at = endOfString(bytes, at, end) - 1;
    else if (byte === 0x7b || byte === 0x5b) depth += 1;
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    if (depth === 0) return at + 1;
  }
  throw new SyntaxError('an unfinished JSON value');
}

function endOfLiteral(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && !isDelimiter(bytes[at])) at += 1;
  if (at === from) throw new SyntaxError('an empty JSON value');
  return at;
}

function isDelimiter(byte: number | undefined): boolean {
  return byte === COMMA || byte === 0x7d || byte === 0x5d || isSpace(byte);
}

function endOfString(bytes: Buffer, from: number, end: number): number {
  for (let at = from + 1; at < end; at += 1) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at += 1;
  }
  throw new SyntaxError('an unfinished JSON string');
}

function skipSpace(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(bytes[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
