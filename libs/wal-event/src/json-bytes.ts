import { Buffer } from 'node:buffer';
import { stringEnd } from './json-text.ts';

const QUOTE = 0x22;
/** Below this a loop beats the native call, which takes 15 ns for any of our sizes (measured on Node 22). */
const COPY_BY_LOOP = 16;

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

/**
 * The end of the JSON scalar that starts at `from`: past the closing quote of a string, the last letter of a
 * constant, the last digit of a number. Answers -1 when it does not end before `limit`.
 */
export function scalarEnd(bytes: DataView, from: number, limit: number): number {
  if (from >= limit) return -1;
  const end = scalarEndUnchecked(bytes, from, limit);
  return end > limit ? -1 : end;
}

function scalarEndUnchecked(bytes: DataView, from: number, limit: number): number {
  switch (bytes.getUint8(from)) {
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
      while (p < limit && isNumberByte(bytes.getUint8(p))) p++;
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

/** Bytes that stand in every record: compared and written four at a time, which takes a fifth of the time of one by one. */
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
    if (from < 0 || from + this.length > view.byteLength) return false;
    let at = from;
    for (let i = 0; i < words.length; i++, at += 4) if (view.getInt32(at, true) !== words[i]) return false;
    for (const end = from + this.length; at < end; at++)
      if (view.getUint8(at) !== this.bytes[at - from]) return false;
    return true;
  }

  /** Writes it into `view` at `to`; answers the end. The caller has reserved the room. */
  put(view: DataView, to: number): number {
    const words = this.#words;
    let at = to;
    for (let i = 0; i < words.length; i++, at += 4) view.setInt32(at, words[i] ?? 0, true);
    for (const end = to + this.length; at < end; at++) view.setUint8(at, this.bytes[at - to] ?? 0);
    return at;
  }
}

/** Bytes and a view of the same, which reads and writes several at once. */
export interface Viewed {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
