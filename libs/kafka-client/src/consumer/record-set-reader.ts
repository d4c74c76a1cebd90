import { Buffer } from 'node:buffer';
import { crc32c } from '@node-rs/crc32';
import { PipelineError } from '@pgstream/failure';
import { Unpacker } from './unpacker.ts';

/** Offsets of the RecordBatch v2 header, https://kafka.apache.org/documentation/#recordbatch */
const LENGTH = 8;
const MAGIC = 16;
const CRC = 17;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const BASE_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const COUNT = 57;
const RECORDS = 61;

/** The offset after the last whole batch of `records`, or -1 when there is none. Reads headers only. */
export function nextOffsetOf(records: Buffer): number {
  let next = -1;
  let p = 0;
  while (p + RECORDS <= records.length) {
    const end = p + 12 + records.readInt32BE(p + LENGTH);
    if (end > records.length) break;
    next = Number(records.readBigInt64BE(p)) + records.readInt32BE(p + LAST_OFFSET_DELTA) + 1;
    p = end;
  }
  return next;
}

/**
 * Reads the records of a fetch answer without an object per record: a flyweight whose fields hold the record that
 * {@link next} moved to. The client library's decoding costs 6 us a record.
 */
export class RecordSetReader {
  /** Where key, value and headers of the current record lie; another buffer after each Kafka batch. */
  bytes: Buffer = Buffer.alloc(0);
  offset = -1;
  /** Milliseconds since 1970. */
  timestampMs = 0;
  /** -1 for a tombstone. */
  valueStart = -1;
  valueEnd = -1;
  headerCount = 0;
  /** The offset after everything passed so far, batches without records included. */
  nextOffset = 0;
  #records: Buffer = Buffer.alloc(0);
  #batchAt = 0;
  #fromOffset = 0;
  #baseOffset = 0;
  #baseTimestamp = 0;
  /** The time of every record where the broker stamps them, otherwise -1. */
  #appendTime = -1;
  #afterBatch = 0;
  #left = 0;
  #at = 0;
  #headersAt = 0;
  readonly #unpacker = new Unpacker();

  /** Starts over with `records`; records before `fromOffset`, which batches may carry in front, are passed. */
  open(records: Buffer, fromOffset: number): void {
    this.#records = records;
    this.#batchAt = 0;
    this.#fromOffset = fromOffset;
    this.#left = 0;
    this.#afterBatch = fromOffset;
    this.nextOffset = fromOffset;
    this.offset = -1;
  }

  /** Lets go of the buffers. */
  release(): void {
    this.open(Buffer.alloc(0), 0);
    this.bytes = Buffer.alloc(0);
  }

  /**
   * Moves to the next record; false at the end, where {@link nextOffset} is what to fetch next.
   * @throws {PipelineError} KAFKA_RECORDS_CORRUPT, KAFKA_CODEC_UNSUPPORTED
   */
  next(): boolean {
    for (;;) {
      while (this.#left > 0) {
        this.#left--;
        this.#record();
        if (this.offset >= this.#fromOffset) return true;
      }
      this.nextOffset = Math.max(this.nextOffset, this.#afterBatch);
      if (!this.#openBatch()) return false;
    }
  }

  /** The value of the last header called `name` of the current record, or `undefined`. */
  header(name: string): Buffer | undefined {
    const { bytes } = this;
    const at = this.#at;
    let found: Buffer | undefined;
    this.#at = this.#headersAt;
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = this.#varint();
      const key = bytes.toString('utf8', this.#at, this.#at + keyLength);
      this.#at += keyLength;
      const length = Math.max(this.#varint(), 0);
      if (key === name) found = bytes.subarray(this.#at, this.#at + length);
      this.#at += length;
    }
    this.#at = at;
    return found;
  }

  #openBatch(): boolean {
    const records = this.#records;
    const at = this.#batchAt;
    if (at + RECORDS > records.length) return false;
    const end = at + 12 + records.readInt32BE(at + LENGTH);
    if (end > records.length) return false; // cut off by the size limit of the fetch: comes again
    const baseOffset = Number(records.readBigInt64BE(at));
    if (records[at + MAGIC] !== 2) throw corrupt('is not of format 2', baseOffset);
    if (crc32c(records.subarray(at + ATTRIBUTES, end)) !== records.readUInt32BE(at + CRC)) {
      throw corrupt('fails its checksum', baseOffset);
    }
    const attributes = records.readInt16BE(at + ATTRIBUTES);
    this.#batchAt = end;
    this.#baseOffset = baseOffset;
    this.#baseTimestamp = Number(records.readBigInt64BE(at + BASE_TIMESTAMP));
    this.#appendTime = (attributes & 0x08) === 0 ? -1 : Number(records.readBigInt64BE(at + MAX_TIMESTAMP));
    this.#afterBatch = baseOffset + records.readInt32BE(at + LAST_OFFSET_DELTA) + 1;
    const isControl = (attributes & 0x20) !== 0;
    const isPast = this.#afterBatch <= this.#fromOffset;
    this.#left = isControl || isPast ? 0 : records.readInt32BE(at + COUNT);
    if (this.#left > 0) this.#unpack(attributes & 0x07, at + RECORDS, end);
    return true;
  }

  #unpack(codec: number, start: number, end: number): void {
    if (codec === 0) {
      this.bytes = this.#records;
      this.#at = start;
      return;
    }
    this.bytes = this.#unpacker.unpack(codec, this.#records.subarray(start, end), this.#baseOffset);
    this.#at = 0;
  }

  #record(): void {
    const length = this.#varint();
    const end = this.#at + length;
    if (length <= 0 || end > this.bytes.length) throw corrupt('is cut off', this.#baseOffset);
    this.#at++; // attributes: unused
    const timestampDelta = this.#varint();
    this.timestampMs = this.#appendTime >= 0 ? this.#appendTime : this.#baseTimestamp + timestampDelta;
    this.offset = this.#baseOffset + this.#varint();
    const keyLength = this.#varint();
    if (keyLength > 0) this.#at += keyLength;
    const valueLength = this.#varint();
    this.valueStart = valueLength < 0 ? -1 : this.#at;
    if (valueLength > 0) this.#at += valueLength;
    this.valueEnd = valueLength < 0 ? -1 : this.#at;
    this.headerCount = this.#varint();
    this.#headersAt = this.#at;
    this.#at = end;
    this.nextOffset = this.offset + 1;
  }

  /** A zigzag varint. Arithmetic rather than shifts after the fourth byte: timestamps may need more than 32 bits. */
  #varint(): number {
    const { bytes } = this;
    let byte = bytes[this.#at++] ?? 0;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    let value = byte & 0x7f;
    let unit = 128;
    do {
      byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * unit;
      unit *= 128;
    } while (byte >= 0x80);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function corrupt(what: string, baseOffset: number): PipelineError {
  return new PipelineError('KAFKA_RECORDS_CORRUPT', {
    facts: { baseOffset },
    detail: `The batch at offset ${baseOffset} ${what}.`,
  });
}
