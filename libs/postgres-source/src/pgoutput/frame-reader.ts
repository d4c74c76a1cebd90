import type { Buffer } from 'node:buffer';
import { malformed } from './malformed.ts';

/** One 64-bit number as a bigint and as its two words: cheaper than shifting bigints, of which rows have none. */
const WIDE = new BigUint64Array(1);
const WORDS = new Uint32Array(WIDE.buffer);
const HIGH = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 1 : 0;

/** Reads messages other than rows field by field. Every read is bounded by the frame, `bytes[from, to)`. */
export class FrameReader {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #to: number;
  #offset: number;

  /** @param skip bytes of the frame that were looked at */
  // oxlint-disable-next-line max-params -- where a frame lies takes three
  constructor(bytes: Buffer, from: number, to: number, skip: number) {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#offset = from + skip;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#advance(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#advance(4));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    const at = this.#advance(8);
    WORDS[HIGH] = this.#bytes.readUInt32BE(at);
    WORDS[1 - HIGH] = this.#bytes.readUInt32BE(at + 4);
    return WIDE[0] ?? 0n;
  }

  /** A signed 64-bit number, exact below 2^53: microseconds of three centuries. */
  int64(): number {
    const at = this.#advance(8);
    return this.#bytes.readInt32BE(at) * 2 ** 32 + this.#bytes.readUInt32BE(at + 4);
  }

  /** A string up to its NUL. */
  text(): string {
    const start = this.#offset;
    const end = this.#bytes.indexOf(0, start);
    if (end < 0 || end >= this.#to) throw this.#malformed('a string without its end', start);
    this.#offset = end + 1;
    return this.#bytes.toString('utf8', start, end);
  }

  /** `length` bytes as text. */
  sized(length: number): string {
    const start = this.#advance(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** @throws {PipelineError} PG_PROTOCOL unless the whole frame was read. */
  end(): void {
    if (this.#offset !== this.#to) throw this.#malformed('bytes after the message', this.#offset);
  }

  #advance(size: number): number {
    const at = this.#offset;
    if (at + size > this.#to) throw this.#malformed('a message cut short', at);
    this.#offset = at + size;
    return at;
  }

  #malformed(what: string, at: number): Error {
    return malformed(what, this.#bytes.subarray(this.#from, this.#to), at - this.#from);
  }
}
