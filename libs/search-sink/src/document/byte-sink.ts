import { Buffer } from 'node:buffer';

/** Below this many bytes a loop beats the call into `Buffer.copy` (measured on Node 22). */
const LOOP_LIMIT = 12;

/**
 * Bytes under construction: a buffer that grows by doubling and is reused through {@link reset}.
 * The buffer may move at any write: read {@link bytes} again afterwards.
 */
export class ByteSink {
  bytes: Buffer;
  /** Bytes in use. Setting it back undoes what was written after it. */
  length = 0;

  constructor(byteCapacity = 65_536) {
    this.bytes = Buffer.allocUnsafeSlow(byteCapacity);
  }

  reset(): void {
    this.length = 0;
  }

  /** What was written, as a view: valid until the next write or reset. */
  view(from = 0): Buffer {
    return this.bytes.subarray(from, this.length);
  }

  /** Makes room for `size` more bytes. */
  reserve(size: number): void {
    const need = this.length + size;
    if (need <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(need, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  writeByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.length] = byte;
    this.length += 1;
  }

  /** Copies `source[start, end)`. */
  write(source: Buffer, start = 0, end = source.length): void {
    const size = end - start;
    this.reserve(size);
    const to = this.bytes;
    let at = this.length;
    if (size < LOOP_LIMIT) {
      for (let i = start; i < end; i += 1) {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `i` is within `source`
        to[at] = source[i] as number;
        at += 1;
      }
    } else {
      source.copy(to, at, start, end);
    }
    this.length += size;
  }

  /** For text that is known to be ASCII: one byte per character. */
  writeAscii(text: string): void {
    this.reserve(text.length);
    this.length += this.bytes.write(text, this.length, 'latin1');
  }

  writeUtf8(text: string): void {
    this.reserve(text.length * 3);
    this.length += this.bytes.write(text, this.length, 'utf8');
  }
}
