import { Buffer } from 'node:buffer';
import { crc32c } from '@node-rs/crc32';
import { zstdCompress, zstdCompressSync } from './zstd.ts';

export type BatchCodec = 'none' | 'zstd';

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer;
}

const HEADER_BYTES = 61;
const CODEC_BITS: Readonly<Record<BatchCodec, number>> = { none: 0, zstd: 4 };
const NO_KEY = -1;
const NO_VALUE = -1;

/** Who sends: stamped into a finished batch, so that a retry is the same bytes. */
export interface BatchOwner {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/**
 * One RecordBatch (magic 2) of one partition, encoded while records arrive: no object per record.
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export class RecordBatchWriter {
  count = 0;
  #bytes: Buffer;
  #length = HEADER_BYTES;
  #firstTimestampMs = 0;
  #maxTimestampMs = 0;

  constructor(byteCapacity = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(byteCapacity);
  }

  /** Bytes of the batch before compression, header included. */
  get length(): number {
    return this.#length;
  }

  get byteCapacity(): number {
    return this.#bytes.length;
  }

  reset(): void {
    this.count = 0;
    this.#length = HEADER_BYTES;
  }

  /**
   * Copies `source[start, end)` as the value of the next record.
   * @param key at most a few hundred bytes; `null` for none.
   */
  // oxlint-disable-next-line max-params -- hot path: an argument object per row would cost more than the row
  add(
    key: Buffer | null,
    source: Buffer,
    start: number,
    end: number,
    timestampMs: number,
    headers?: readonly RecordHeader[],
  ): void {
    const valueLength = end - start;
    const headerBytes = headers === undefined ? 1 : headersLength(headers);
    let at = this.#open(key, valueLength, timestampMs, headerBytes);
    const bytes = this.#bytes;
    at = putVarint(bytes, at, valueLength * 2);
    at = putBytes(bytes, at, source, start, end);
    if (headers === undefined) bytes[at++] = 0;
    else at = putHeaders(bytes, at, headers);
    this.#length = at;
  }

  /** A record without a value. */
  addTombstone(key: Buffer | null, timestampMs: number): void {
    const at = this.#open(key, NO_VALUE, timestampMs, 1);
    this.#bytes[at] = 1;
    this.#bytes[at + 1] = 0;
    this.#length = at + 2;
  }

  /**
   * The finished batch, complete except for what {@link stampBatch} writes. Without compression it is a view
   * of this writer, valid until {@link reset}.
   */
  finish(codec: BatchCodec): Buffer {
    if (codec === 'none') return this.#described(this.#bytes.subarray(0, this.#length), codec);
    return this.#framed(zstdCompressSync(this.#body), codec);
  }

  /** {@link finish} on another thread. Nothing may be added until it resolves. */
  async finishAside(codec: BatchCodec): Promise<Buffer> {
    if (codec === 'none') return this.finish(codec);
    return this.#framed(await zstdCompress(this.#body), codec);
  }

  get #body(): Buffer {
    return this.#bytes.subarray(HEADER_BYTES, this.#length);
  }

  #framed(body: Buffer, codec: BatchCodec): Buffer {
    const out = Buffer.allocUnsafeSlow(HEADER_BYTES + body.length);
    out.set(body, HEADER_BYTES);
    return this.#described(out, codec);
  }

  #described(out: Buffer, codec: BatchCodec): Buffer {
    out.fill(0, 0, 8);
    out.writeInt32BE(out.length - 12, 8);
    out.writeInt32BE(-1, 12);
    out[16] = 2;
    out.writeInt16BE(CODEC_BITS[codec], 21);
    out.writeInt32BE(this.count - 1, 23);
    out.writeBigInt64BE(BigInt(this.#firstTimestampMs), 27);
    out.writeBigInt64BE(BigInt(this.#maxTimestampMs), 35);
    out.writeInt32BE(this.count, 57);
    return out;
  }

  /** Makes room for a record and writes what stands in front of its value; answers where the value begins. */
  #open(key: Buffer | null, valueLength: number, timestampMs: number, headerBytes: number): number {
    if (this.count === 0) this.#firstTimestampMs = this.#maxTimestampMs = timestampMs;
    else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs;
    const delta = timestampMs - this.#firstTimestampMs;
    const deltaZigzag = delta < 0 ? -delta * 2 - 1 : delta * 2;
    const keyLength = key === null ? NO_KEY : key.length;
    const body =
      1 +
      varintLength(deltaZigzag) +
      varintLength(this.count * 2) +
      varintLength(keyLength < 0 ? 1 : keyLength * 2) +
      Math.max(keyLength, 0) +
      varintLength(valueLength < 0 ? 1 : valueLength * 2) +
      Math.max(valueLength, 0) +
      headerBytes;
    this.#reserve(body + 5);
    const bytes = this.#bytes;
    let at = putVarint(bytes, this.#length, body * 2);
    bytes[at++] = 0;
    at = putVarint(bytes, at, deltaZigzag);
    at = putVarint(bytes, at, this.count * 2);
    this.count += 1;
    if (key === null) {
      bytes[at] = 1;
      return at + 1;
    }
    return putBytes(bytes, putVarint(bytes, at, keyLength * 2), key, 0, keyLength);
  }

  #reserve(size: number): void {
    const need = this.#length + size;
    if (need <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(need, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Writes the sender and the checksum into a finished batch. Stamping again with the same owner changes no byte. */
export function stampBatch(batch: Buffer, owner: BatchOwner): void {
  batch.writeBigInt64BE(owner.producerId, 43);
  batch.writeInt16BE(owner.producerEpoch, 51);
  batch.writeInt32BE(owner.baseSequence, 53);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
}

/** The largest number of bytes that one record takes beside its key, value and headers, batch header included. */
export const RECORD_OVERHEAD_BYTES = HEADER_BYTES + 36;

/** Below this a loop beats the native call (measured on Node 22). */
const COPY_BY_LOOP = 16;

// oxlint-disable-next-line max-params -- hot path: see add
function putBytes(bytes: Buffer, at: number, source: Buffer, start: number, end: number): number {
  if (end - start < COPY_BY_LOOP) for (let i = start; i < end; i += 1) bytes[at + i - start] = source[i] ?? 0;
  else source.copy(bytes, at, start, end);
  return at + end - start;
}

function putVarint(bytes: Buffer, at: number, value: number): number {
  let rest = value;
  let end = at;
  // Beyond 31 bits (a timestamp weeks away from the first one) shifts would wrap.
  while (rest >= 0x8000_0000) {
    bytes[end++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest >= 0x80) {
    bytes[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[end] = rest;
  return end + 1;
}

function putHeaders(bytes: Buffer, from: number, headers: readonly RecordHeader[]): number {
  let at = putVarint(bytes, from, headers.length * 2);
  for (const { key, value } of headers) {
    at = putVarint(bytes, at, Buffer.byteLength(key) * 2);
    at += bytes.write(key, at);
    at = putVarint(bytes, at, value.length * 2);
    bytes.set(value, at);
    at += value.length;
  }
  return at;
}

function headersLength(headers: readonly RecordHeader[]): number {
  let length = varintLength(headers.length * 2);
  for (const { key, value } of headers) {
    const keyLength = Buffer.byteLength(key);
    length += varintLength(keyLength * 2) + keyLength + varintLength(value.length * 2) + value.length;
  }
  return length;
}

function varintLength(zigzag: number): number {
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  if (zigzag < 0x1000_0000) return 4;
  return zigzag < 0x8_0000_0000 ? 5 : longVarintLength(zigzag);
}

function longVarintLength(zigzag: number): number {
  let length = 0;
  for (let rest = zigzag; rest >= 1; rest /= 128) length += 1;
  return length;
}
