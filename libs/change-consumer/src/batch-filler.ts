import { Buffer } from 'node:buffer';
import { type FetchedRecords, RecordSetReader } from '@pgstream/kafka-client';
import {
  type DeadLetter,
  type Lsn,
  type Position,
  type RecordEntry,
  RecordFormatError,
  RecordReader,
  type TableRef,
} from '@pgstream/wal-event';
import type { Builder } from './builder-pool.ts';
import type { AwaitedOffset, ConsumedLane } from './consumed-lane.ts';
import { parseAwaited } from './hand-offs.ts';

/** What one call of {@link BatchFiller.fill} passed over, beside what it put into the builder. */
export interface Filling {
  /** Nothing is left of the fetch. */
  done: boolean;
  /** Set when the record at {@link blockedAt} has to wait. */
  awaited: readonly AwaitedOffset[] | undefined;
  blockedAt: number;
  heartbeats: number;
  /** Records at or below the position that the partition had shown before. */
  duplicates: number;
  letters: DeadLetter[];
}

/** A batch holds no more than this, unless its only record is larger, and no more than so many. */
const TARGET_BYTES = 1024 * 1024;
const MAX_RECORDS = 8_192;
const EMPTY: TableRef = { schema: '', table: '', tableId: '', keyColumnIds: [] };

/** Copies records out of fetches into batches, checking each against the contract and the last position. */
export class BatchFiller {
  readonly #topic: string;
  readonly #records = new RecordSetReader();
  readonly #reader = new RecordReader();
  /** The reader stands on a record that the last batch had no place for. */
  #isPending = false;
  // One entry for all records: push() copies its members.
  readonly #entry: { -readonly [K in keyof RecordEntry]: RecordEntry[K] } = {
    action: 0,
    commitLsn: 0n,
    seq: 0,
    sub: 1,
    commitTimeMs: 0,
    table: EMPTY,
  };
  #lsnHi = 0;
  #lsnLo = 0;
  #seenLsn = 0n;
  #seenEpoch = -1;
  #seenSeq = -1;
  #seenSub = 0;

  constructor(topic: string) {
    this.#topic = topic;
  }

  open(fetched: FetchedRecords): void {
    this.#records.open(fetched.records, fetched.fromOffset);
    this.#isPending = false;
  }

  release(): void {
    this.#records.release();
  }

  /** Fills `out` from where the last call ended, and moves `lane` on past everything it read. */
  fill(lane: ConsumedLane, out: Builder): Filling {
    const records = this.#records;
    const filling: Filling = {
      done: false,
      awaited: undefined,
      blockedAt: -1,
      heartbeats: 0,
      duplicates: 0,
      letters: [],
    };
    this.#restore(lane);
    while (out.length < TARGET_BYTES && out.count < MAX_RECORDS) {
      if (!this.#isPending && !records.next()) {
        filling.done = true;
        break;
      }
      this.#isPending = false;
      if (records.headerCount > 0 && this.#passHeaders(lane, filling)) {
        if (filling.awaited !== undefined) break;
        continue;
      }
      if (!this.#add(lane, out, filling)) {
        this.#isPending = true;
        break;
      }
    }
    lane.passedTo = this.#passedTo(filling);
    this.#save(lane);
    return filling;
  }

  #passedTo(filling: Filling): number {
    if (filling.awaited !== undefined) return filling.blockedAt;
    return this.#isPending ? this.#records.offset : this.#records.nextOffset;
  }

  /** True when the record is not to be added: a heartbeat, or one that has to wait. */
  #passHeaders(lane: ConsumedLane, filling: Filling): boolean {
    const records = this.#records;
    if (records.header('pgstream-kind')?.toString() === 'heartbeat') {
      filling.heartbeats++;
      return true;
    }
    const after = records.header('pgstream-after')?.toString();
    if (after === undefined || lane.clearedAt === records.offset) return false;
    const awaited = parseAwaited(after);
    if (awaited === undefined) {
      this.#letter(lane, filling, 'record: its header pgstream-after is malformed');
      return true;
    }
    if (awaited.length === 0) return false;
    filling.awaited = awaited;
    filling.blockedAt = records.offset;
    return true;
  }

  /** False when the record needs another batch, for its size or its epoch; it stays pending. */
  #add(lane: ConsumedLane, out: Builder, filling: Filling): boolean {
    const { bytes, valueStart, valueEnd, timestampMs } = this.#records;
    const reader = this.#reader;
    try {
      if (valueStart < 0) throw new RecordFormatError('a value, not a tombstone,', 0);
      reader.readHead(bytes, valueStart, valueEnd);
    } catch (cause) {
      if (!(cause instanceof RecordFormatError)) throw cause;
      this.#letter(lane, filling, cause.message);
      return true;
    }
    const size = valueEnd - valueStart;
    if (out.count > 0 && (out.epoch !== reader.epoch || out.length + size > TARGET_BYTES)) return false;
    const entry = this.#entry;
    entry.commitLsn = this.#commitLsn();
    if (!reader.snapshot && !this.#isNew(entry.commitLsn)) {
      filling.duplicates++;
      return true;
    }
    entry.action = reader.action;
    entry.seq = reader.seq;
    entry.sub = reader.sub;
    entry.commitTimeMs = timestampMs;
    entry.table = reader.ref;
    out.reserve(size);
    bytes.copy(out.bytes, out.length, valueStart, valueEnd);
    out.epoch = reader.epoch;
    out.markOffset(this.#records.offset);
    out.push(entry, out.length + size);
    return true;
  }

  /** A transaction's records share one bigint: making one costs more than comparing two words. */
  #commitLsn(): bigint {
    const { commitLsnHi, commitLsnLo } = this.#reader;
    if (commitLsnLo === this.#lsnLo && commitLsnHi === this.#lsnHi) return this.#entry.commitLsn;
    this.#lsnHi = commitLsnHi;
    this.#lsnLo = commitLsnLo;
    return this.#reader.commitLsn;
  }

  /** Compares with the newest position seen and, when the record is newer, takes its place. */
  #isNew(commitLsn: bigint): boolean {
    const { epoch, seq, sub } = this.#reader;
    if (epoch === this.#seenEpoch) {
      if (commitLsn < this.#seenLsn) return false;
      if (commitLsn === this.#seenLsn) {
        if (seq < this.#seenSeq || (seq === this.#seenSeq && sub <= this.#seenSub)) return false;
      }
    } else if (epoch < this.#seenEpoch) {
      return false; // of a cluster that was replaced since
    }
    this.#seenEpoch = epoch;
    this.#seenLsn = commitLsn;
    this.#seenSeq = seq;
    this.#seenSub = sub;
    return true;
  }

  #restore(lane: ConsumedLane): void {
    this.#seenEpoch = lane.seen?.epoch ?? -1;
    this.#seenLsn = lane.seen?.position.commitLsn ?? 0n;
    this.#seenSeq = lane.seen?.position.seq ?? -1;
    this.#seenSub = lane.seen?.position.sub ?? 0;
  }

  #save(lane: ConsumedLane): void {
    if (this.#seenEpoch < 0) return;
    const position: Position = {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read from a record's commit_lsn
      commitLsn: this.#seenLsn as Lsn,
      seq: this.#seenSeq,
      sub: this.#seenSub === 0 ? 0 : 1,
    };
    lane.seen = { epoch: this.#seenEpoch, position };
  }

  /**
   * A record of which nothing is known has no position: its place in the log stands for one, so that parking it again
   * after a restart changes nothing.
   */
  #letter(lane: ConsumedLane, filling: Filling, reason: string): void {
    const { bytes, offset, valueStart, valueEnd } = this.#records;
    filling.letters.push({
      sink: `kafka:${this.#topic}`,
      code: 'RECORD_UNDECODABLE',
      reason: `${reason} (partition ${lane.partition}, offset ${offset})`,
      schema: '',
      table: '',
      identity: `${lane.partition}/${offset}`,
      epoch: 0,
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
      position: { commitLsn: BigInt(offset) as Lsn, seq: lane.partition, sub: 1 },
      ...(valueStart < 0 ? {} : { record: Buffer.from(bytes.subarray(valueStart, valueEnd)) }),
    });
  }
}
