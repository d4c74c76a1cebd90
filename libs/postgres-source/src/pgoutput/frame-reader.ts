import type { Buffer } from 'node:buffer';
import { malformed } from './malformed.ts';

/** Reads the rare messages field by field; rows have a faster way. Every read is bounded by the frame. */
export class FrameReader {
  readonly #frame: Buffer;
  #offset: number;

  constructor(frame: Buffer, offset: number) {
    this.#frame = frame;
    this.#offset = offset;
  }

  uint8(): number {
    return this.#frame.readUInt8(this.#advance(1));
  }

  uint16(): number {
    return this.#frame.readUInt16BE(this.#advance(2));
  }

  uint32(): number {
    return this.#frame.readUInt32BE(this.#advance(4));
  }

  int32(): number {
    return this.#frame.readInt32BE(this.#advance(4));
  }

  uint64(): bigint {
    return this.#frame.readBigUInt64BE(this.#advance(8));
  }

  int64(): bigint {
    return this.#frame.readBigInt64BE(this.#advance(8));
  }

  /** A string up to its NUL. */
  text(): string {
    const start = this.#offset;
    const end = this.#frame.indexOf(0, start);
    if (end < 0) throw malformed('a string without its end', this.#frame, start);
    this.#offset = end + 1;
    return this.#frame.toString('utf8', start, end);
  }

  /** `length` bytes as text. */
  sized(length: number): string {
    const start = this.#advance(length);
    return this.#frame.toString('utf8', start, start + length);
  }

  /** @throws {PipelineError} PG_PROTOCOL unless the whole frame was read. */
  end(): void {
    if (this.#offset !== this.#frame.length)
      throw malformed('bytes after the message', this.#frame, this.#offset);
  }

  #advance(size: number): number {
    const at = this.#offset;
    if (at + size > this.#frame.length) throw malformed('a message cut short', this.#frame, at);
    this.#offset = at + size;
    return at;
  }
}
