import { Buffer } from 'node:buffer';

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const HEX = '0123456789abcdef';
/** Below this a loop beats the native call, which takes 15 ns for any of our sizes (measured on Node 22). */
const COPY_BY_LOOP = 16;
const SCAN_BY_LOOP = 96;

/** Copies `source` into `target` at `at`; answers the end. The caller has reserved the room. */
export function put(target: Buffer, at: number, source: Buffer): number {
  const size = source.length;
  if (size < COPY_BY_LOOP) for (let i = 0; i < size; i++) target[at + i] = source[i] ?? 0;
  else target.set(source, at);
  return at + size;
}

/** Copies `source[from, to)` into `target` at `at`; answers the end. */
// oxlint-disable-next-line max-params -- called once per column on the hot path
export function putRange(target: Buffer, at: number, source: Buffer, from: number, to: number): number {
  if (to - from < COPY_BY_LOOP) for (let i = from; i < to; i++) target[at + i - from] = source[i] ?? 0;
  else source.copy(target, at, from, to);
  return at + to - from;
}

/** Writes a 32-bit word in upper-case hex without leading zeros, as PostgreSQL prints half an LSN. */
export function putHex(target: Buffer, at: number, word: number): number {
  const digits = word === 0 ? 1 : (35 - Math.clz32(word)) >> 2;
  let rest = word;
  for (let i = at + digits - 1; i >= at; i--) {
    const digit = rest & 15;
    target[i] = digit < 10 ? 0x30 + digit : 0x37 + digit;
    rest >>>= 4;
  }
  return at + digits;
}

/** Writes a non-negative integer below 2^53 in decimal. */
export function putInteger(target: Buffer, at: number, value: number): number {
  if (value >= 1e9) {
    const text = String(value);
    for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
    return at + text.length;
  }
  let digits = 1;
  for (let power = 10; value >= power; power *= 10) digits++;
  let rest = value | 0;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = (rest / 10) | 0;
    target[i] = 0x30 + rest - next * 10;
    rest = next;
  }
  return at + digits;
}

/** The most bytes that `source[from, to)` can take as the inside of a JSON string: exact, for long values. */
export function escapedSize(source: Buffer, from: number, to: number): number {
  let escapes = 0;
  for (let i = from; i < to; i++) {
    const byte = source[i] ?? 0;
    if (byte < 0x20 || byte === QUOTE || byte === BACKSLASH) escapes++;
  }
  return to - from + escapes * 5;
}

/** Writes UTF-8 text as a JSON string with its quotes. Only what JSON demands is escaped, so `<` and U+2028 stay. */
// oxlint-disable-next-line max-params -- called once per column on the hot path
export function putJsonString(target: Buffer, at: number, source: Buffer, from: number, to: number): number {
  let p = at;
  target[p++] = QUOTE;
  if (to - from < SCAN_BY_LOOP) {
    for (let i = from; i < to; i++) {
      const byte = source[i] ?? 0;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) target[p++] = byte;
      else p = putEscape(target, p, byte);
    }
  } else {
    p = putLongText(target, p, source, from, to);
  }
  target[p++] = QUOTE;
  return p;
}

/** Copies the runs between escapes natively. */
// oxlint-disable-next-line max-params -- see putJsonString
function putLongText(target: Buffer, at: number, source: Buffer, from: number, to: number): number {
  let p = at;
  let run = from;
  for (let i = from; i < to; i++) {
    const byte = source[i] ?? 0;
    if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) continue;
    if (i > run) {
      source.copy(target, p, run, i);
      p += i - run;
    }
    p = putEscape(target, p, byte);
    run = i + 1;
  }
  if (to > run) {
    source.copy(target, p, run, to);
    p += to - run;
  }
  return p;
}

function putEscape(target: Buffer, at: number, byte: number): number {
  target[at] = BACKSLASH;
  const short = shortEscape(byte);
  if (short !== 0) {
    target[at + 1] = short;
    return at + 2;
  }
  target[at + 1] = 0x75; // u
  target[at + 2] = 0x30;
  target[at + 3] = 0x30;
  target[at + 4] = HEX.charCodeAt(byte >> 4);
  target[at + 5] = HEX.charCodeAt(byte & 15);
  return at + 6;
}

function shortEscape(byte: number): number {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
      return byte;
    case 0x08:
      return 0x62; // b
    case 0x09:
      return 0x74; // t
    case 0x0a:
      return 0x6e; // n
    case 0x0c:
      return 0x66; // f
    case 0x0d:
      return 0x72; // r
    default:
      return 0;
  }
}

/**
 * The end of the JSON scalar that starts at `from`: past the closing quote of a string, the last letter of a
 * constant, the last digit of a number. Answers -1 when it does not end before `limit`.
 */
export function scalarEnd(bytes: Buffer, from: number, limit: number): number {
  const end = scalarEndUnchecked(bytes, from, limit);
  return end > limit ? -1 : end;
}

function scalarEndUnchecked(bytes: Buffer, from: number, limit: number): number {
  switch (bytes[from] ?? 0) {
    case QUOTE:
      return stringEnd(bytes, from + 1, limit);
    case 0x74: // true
    case 0x6e: // null
      return from + 4;
    case 0x66: // false
      return from + 5;
    default: {
      let p = from;
      // + - . 0-9 E e: everything a number literal is made of
      while (p < limit && isNumberByte(bytes[p] ?? 0)) p++;
      return p === from ? -1 : p;
    }
  }
}

function isNumberByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2e ||
    byte === 0x2d ||
    byte === 0x2b ||
    (byte | 0x20) === 0x65
  );
}

function stringEnd(bytes: Buffer, from: number, limit: number): number {
  let p = from;
  const near = Math.min(limit, from + SCAN_BY_LOOP);
  while (p < near) {
    const byte = bytes[p];
    if (byte === QUOTE) return p + 1;
    p += byte === BACKSLASH ? 2 : 1;
  }
  for (;;) {
    const quote = bytes.indexOf(QUOTE, p);
    if (quote < 0 || quote >= limit) return -1;
    if (!isEscaped(bytes, p, quote)) return quote + 1;
    p = quote + 1;
  }
}

/** Whether the byte at `at` is preceded by an odd number of backslashes, none of them before `from`. */
function isEscaped(bytes: Buffer, from: number, at: number): boolean {
  let p = at;
  while (p > from && bytes[p - 1] === BACKSLASH) p--;
  return (at - p) % 2 === 1;
}

/** Bytes that are looked for in every record: compared four at a time, which takes a fifth of the time of one by one. */
export class Literal {
  readonly bytes: Buffer;
  readonly length: number;
  readonly #words: Int32Array;

  constructor(text: string) {
    this.bytes = Buffer.from(text);
    this.length = this.bytes.length;
    this.#words = new Int32Array(this.length >> 2);
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = this.bytes.readInt32LE(i * 4);
  }

  /** Whether `view` holds it at `from`. */
  isAt(view: DataView, from: number): boolean {
    const words = this.#words;
    if (from + this.length > view.byteLength) return false;
    let at = from;
    for (let i = 0; i < words.length; i++, at += 4) if (view.getInt32(at, true) !== words[i]) return false;
    for (const end = from + this.length; at < end; at++)
      if (view.getUint8(at) !== this.bytes[at - from]) return false;
    return true;
  }
}

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
