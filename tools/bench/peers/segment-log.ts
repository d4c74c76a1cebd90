import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** Offsets of the RecordBatch v2 header, https://kafka.apache.org/documentation/#recordbatch */
const LENGTH = 8;
const MAX_TIMESTAMP = 35;
const COUNT = 57;
const HEADER_BYTES = 61;
/** In front of what LENGTH counts: the base offset and the length itself. */
const BEFORE_LENGTH = 12;

/** What the headers of a log say; the records in it may be packed in any way. */
export interface LogFacts {
  readonly records: number;
  /** As they lie on the disk. */
  readonly bytes: number;
  /** Records of the first batch: they were all there when its time was taken. */
  readonly firstRecords: number;
  /** When the broker appended the first batch and the last one, milliseconds since 1970; 0 without any. */
  readonly firstAppendMs: number;
  readonly lastAppendMs: number;
}

/**
 * Follows the segments of one partition on the disk of a local broker. That costs the broker nothing and needs no codec;
 * the topic must have `message.timestamp.type=LogAppendTime`.
 */
export class SegmentLog {
  readonly #dir: string;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #segment = '';
  #at = 0;
  #facts: LogFacts = { records: 0, bytes: 0, firstRecords: 0, firstAppendMs: 0, lastAppendMs: 0 };

  /** @param dir of the partition: `<log.dirs>/<topic>-0` */
  constructor(dir: string) {
    this.#dir = dir;
  }

  /** What is there by now: reads the headers that came since the last call. */
  look(): LogFacts {
    const segments = readdirSync(this.#dir)
      .filter((file) => file.endsWith('.log') && file >= this.#segment)
      .toSorted();
    for (const segment of segments) {
      if (segment !== this.#segment) [this.#segment, this.#at] = [segment, 0];
      const file = openSync(join(this.#dir, segment), 'r');
      try {
        while (this.#readHeader(file)) this.#note();
      } finally {
        closeSync(file);
      }
    }
    return this.#facts;
  }

  #readHeader(file: number): boolean {
    return readSync(file, this.#header, 0, HEADER_BYTES, this.#at) === HEADER_BYTES;
  }

  #note(): void {
    const bytes = BEFORE_LENGTH + this.#header.readInt32BE(LENGTH);
    const [records, appendMs] = [
      this.#header.readInt32BE(COUNT),
      Number(this.#header.readBigInt64BE(MAX_TIMESTAMP)),
    ];
    const isFirst = this.#facts.records === 0;
    this.#at += bytes;
    this.#facts = {
      records: this.#facts.records + records,
      bytes: this.#facts.bytes + bytes,
      firstRecords: isFirst ? records : this.#facts.firstRecords,
      firstAppendMs: isFirst ? appendMs : this.#facts.firstAppendMs,
      lastAppendMs: appendMs,
    };
  }
}
