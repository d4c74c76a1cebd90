import type { Buffer } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { crc32c } from '@node-rs/crc32';
import { WireReader } from './wire.ts';
import { zstdDecompressSync } from './zstd.ts';

export interface FetchedRecord {
  readonly offset: bigint;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[];
}

export interface FetchedBatch {
  readonly baseOffset: bigint;
  readonly lastOffset: bigint;
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** Transaction markers, which we never write. */
  readonly isControl: boolean;
  readonly records: readonly FetchedRecord[];
}

const MAX_UNCOMPRESSED_BYTES = 256 * 1024 * 1024;

/**
 * The whole batches at the start of `bytes`; a cut last one is ignored, as the protocol allows. For reading the end of a
 * partition back, not for consuming.
 * @throws {RangeError} for bytes that are no batches of magic 2, a checksum that differs or a codec we never write.
 */
export function readBatches(bytes: Buffer): FetchedBatch[] {
  const batches: FetchedBatch[] = [];
  for (let at = 0; at + 61 <= bytes.length;) {
    const size = 12 + bytes.readInt32BE(at + 8);
    if (at + size > bytes.length) break;
    batches.push(readBatch(bytes.subarray(at, at + size)));
    at += size;
  }
  return batches;
}

function readBatch(batch: Buffer): FetchedBatch {
  if (batch[16] !== 2) throw new RangeError(`record batches of magic ${batch[16]} are not supported`);
  if (batch.readUInt32BE(17) !== crc32c(batch.subarray(21)))
    throw new RangeError('a record batch is corrupt');
  const attributes = batch.readInt16BE(21);
  const baseOffset = batch.readBigInt64BE(0);
  const isControl = (attributes & 0x20) !== 0;
  const records = isControl ? [] : readRecords(batch, attributes & 7, baseOffset);
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(batch.readInt32BE(23)),
    producerId: batch.readBigInt64BE(43),
    producerEpoch: batch.readInt16BE(51),
    isControl,
    records,
  };
}

function readRecords(batch: Buffer, codec: number, baseOffset: bigint): FetchedRecord[] {
  const body = new WireReader(uncompressed(batch.subarray(61), codec));
  const firstTimestampMs = Number(batch.readBigInt64BE(27));
  return Array.from({ length: batch.readInt32BE(57) }, () => readRecord(body, baseOffset, firstTimestampMs));
}

function readRecord(body: WireReader, baseOffset: bigint, firstTimestampMs: number): FetchedRecord {
  body.varint();
  body.int8();
  const timestampMs = firstTimestampMs + body.varint();
  const offset = baseOffset + BigInt(body.varint());
  const key = readBytes(body);
  const value = readBytes(body);
  const headers = Array.from({ length: body.varint() }, () => ({
    key: body.raw(body.varint()).toString(),
    value: readBytes(body),
  }));
  return { offset, timestampMs, key, value, headers };
}

function readBytes(body: WireReader): Buffer | null {
  const length = body.varint();
  return length < 0 ? null : body.raw(length);
}

function uncompressed(body: Buffer, codec: number): Buffer {
  if (codec === 0) return body;
  if (codec === 1) return gunzipSync(body, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
  if (codec === 4) return zstdDecompressSync(body, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
  throw new RangeError(`compression codec ${codec} is not one that pgstream writes`);
}
