import type { Buffer } from 'node:buffer';
import { decodeRecord, RecordReader, type ChangeRecord } from '@pgstream/wal-event';

/** One for all events: it knows the tables and columns that it has met. */
const READER = new RecordReader();
/** What it has read last. */
let last: Buffer | undefined;

/**
 * The record in `value`, bytes that stay as they are. To be used at once: the next call reads another one into the same
 * object. Of one event after the other, each is read once, whatever is asked of it in between.
 * @throws {RecordFormatError}
 */
export function readRecord(value: Buffer): RecordReader {
  if (value === last) return READER;
  last = undefined;
  READER.read(value, 0, value.length);
  last = value;
  return READER;
}

/**
 * The same as an object, which is many times as dear: for filters that look into rows.
 * @throws {RecordFormatError}
 */
export function wholeRecord(value: Buffer): ChangeRecord {
  last = undefined;
  return decodeRecord(value, READER);
}
