import { Buffer } from 'node:buffer';

/** Builds the fixed part of a request. Requests are rare and small: batches are appended as they are, see `produce`. */
export class WireWriter {
  #bytes = Buffer.allocUnsafe(512);
  #length = 0;

  int8(value: number): this {
    const at = this.#take(1);
    this.#bytes.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#take(2);
    this.#bytes.writeInt16BE(value, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#take(4);
    this.#bytes.writeInt32BE(value, at);
    return this;
  }

  int64(value: bigint): this {
    const at = this.#take(8);
    this.#bytes.writeBigInt64BE(value, at);
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const length = Buffer.byteLength(value);
    this.int16(length);
    const at = this.#take(length);
    this.#bytes.write(value, at);
    return this;
  }

  bytes(value: Buffer): this {
    this.int32(value.length);
    return this.raw(value);
  }

  raw(value: Buffer): this {
    const at = this.#take(value.length);
    value.copy(this.#bytes, at);
    return this;
  }

  /** Unsigned varint: lengths (plus one) and tagged fields of the flexible request versions. */
  uvarint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.int8((((rest & 0x7f) | 0x80) << 24) >> 24);
      rest >>>= 7;
    }
    return this.int8(rest);
  }

  compactString(value: string): this {
    this.uvarint(Buffer.byteLength(value) + 1);
    return this.raw(Buffer.from(value));
  }

  finish(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #take(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }
}

/** Reads a response. Every read past the end throws a `RangeError`: a broker's answer is input like any other. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8));
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.raw(length).toString();
  }

  /** A view, `null` for absent. */
  bytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.raw(length);
  }

  raw(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** Zigzag varint of a record, within the safe integers. */
  varint(): number {
    const raw = this.uvarint();
    return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2;
  }

  uvarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i += 1) {
      const byte = this.#bytes.readUInt8(this.#skip(1));
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new RangeError('a varint is too long');
  }

  compactString(): string | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.raw(length).toString();
  }

  /** Every tagged field, unread. */
  skipTags(): void {
    for (let n = this.uvarint(); n > 0; n -= 1) {
      this.uvarint();
      this.raw(this.uvarint());
    }
  }

  array<T>(item: () => T): T[] {
    return Array.from({ length: this.#count(this.int32()) }, item);
  }

  compactArray<T>(item: () => T): T[] {
    return Array.from({ length: this.#count(this.uvarint() - 1) }, item);
  }

  /** An array cannot hold more items than bytes follow: a forged count allocates nothing. */
  #count(count: number): number {
    if (count > this.remaining) throw new RangeError('an array is longer than its message');
    return Math.max(count, 0);
  }

  #skip(size: number): number {
    const at = this.#at;
    if (size < 0 || at + size > this.#bytes.length) throw new RangeError('a message ends early');
    this.#at = at + size;
    return at;
  }
}
