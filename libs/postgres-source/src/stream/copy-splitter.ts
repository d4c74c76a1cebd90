import { Buffer } from 'node:buffer';
import { malformed } from '../pgoutput/malformed.ts';

const COPY_DATA = 0x64; // d
const HEADER_BYTES = 5;

export interface SplitterOutput {
  /** One CopyData payload, `bytes[from, to)`; they are reused as soon as this returns. No object is made for it. */
  copyData(bytes: Buffer, from: number, to: number): void;
  /** Any other message, whole, with its header. */
  other(message: Buffer): void;
  /** Asked before each CopyData: false leaves the rest for a later {@link CopySplitter.run}. */
  ready(): boolean;
}

/**
 * Splits what the socket delivers into messages of the frontend/backend protocol. Most of a chunk is handled where it lies;
 * only a message that spans chunks is put together, in a buffer of its own.
 * @see https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class CopySplitter {
  readonly #output: SplitterOutput;
  #chunk: Buffer = EMPTY;
  #offset = 0;
  /** The beginning of a message whose end is still to come. */
  #partial: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
  #partialLength = 0;
  /** The output was not ready. */
  #refused = false;

  constructor(output: SplitterOutput) {
    this.#output = output;
  }

  /** Takes the next chunk; call only after the last call returned true. */
  feed(chunk: Buffer): boolean {
    this.#chunk = chunk;
    this.#offset = 0;
    return this.run();
  }

  /** Handles messages until the chunk is used up (true) or the output is not ready (false). */
  run(): boolean {
    this.#refused = false;
    if (this.#partialLength > 0 && !this.#completePartial()) return !this.#refused;
    const chunk = this.#chunk;
    const size = chunk.length;
    let at = this.#offset;
    while (at + HEADER_BYTES <= size) {
      const end = at + sizeAt(chunk, at);
      if (end > size) break;
      if (chunk[at] === COPY_DATA) {
        if (!this.#output.ready()) {
          this.#offset = at;
          return false;
        }
        this.#offset = end;
        this.#output.copyData(chunk, at + HEADER_BYTES, end);
      } else {
        this.#offset = end;
        this.#output.other(chunk.subarray(at, end));
      }
      at = end;
    }
    this.#keep(at);
    return true;
  }

  /** Completes the message that began in an earlier chunk. False: more is needed, or the output is not ready. */
  #completePartial(): boolean {
    while (this.#partialLength < HEADER_BYTES) {
      if (this.#offset === this.#chunk.length) return false;
      this.#append(1);
    }
    const length = sizeAt(this.#partial, 0);
    this.#append(Math.min(length - this.#partialLength, this.#chunk.length - this.#offset));
    if (this.#partialLength < length) return false;
    if (this.#partial[0] === COPY_DATA) {
      if (!this.#output.ready()) {
        this.#refused = true;
        return false;
      }
      this.#partialLength = 0;
      this.#output.copyData(this.#partial, HEADER_BYTES, length);
    } else {
      this.#partialLength = 0;
      this.#output.other(this.#partial.subarray(0, length));
    }
    if (this.#partial.length > MAX_KEPT) this.#partial = Buffer.allocUnsafeSlow(64 * 1024);
    return true;
  }

  #append(size: number): void {
    const need = this.#partialLength + size;
    if (need > this.#partial.length) {
      // The length is in the message: room for the whole of it at once, not by doubling through a long row
      const total = this.#partialLength >= HEADER_BYTES ? sizeAt(this.#partial, 0) : need;
      const grown = Buffer.allocUnsafeSlow(Math.max(need, total));
      this.#partial.copy(grown, 0, 0, this.#partialLength);
      this.#partial = grown;
    }
    this.#chunk.copy(this.#partial, this.#partialLength, this.#offset, this.#offset + size);
    this.#partialLength = need;
    this.#offset += size;
  }

  #keep(from: number): void {
    this.#offset = from;
    if (from < this.#chunk.length) this.#append(this.#chunk.length - from);
    this.#chunk = EMPTY;
    this.#offset = 0;
  }
}

/** Size of the message at `at`, header included. */
function sizeAt(bytes: Buffer, at: number): number {
  const length = bytes.readUInt32BE(at + 1);
  if (length < 4 || length > MAX_MESSAGE) throw malformed('a message of impossible size', bytes, at);
  return 1 + length;
}

/** The server's own limit of a message (MaxAllocSize). */
const MAX_MESSAGE = 0x4000_0000;
const EMPTY = Buffer.alloc(0);
/** A buffer that grew beyond this for one long row is given up afterwards. */
const MAX_KEPT = 1024 * 1024;
