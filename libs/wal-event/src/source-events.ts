import type { Buffer } from 'node:buffer';
import type { TableRef } from './table.ts';

/** The transaction whose records follow. */
export interface TransactionHead {
  /** LSN of the COMMIT record. */
  readonly commitLsn: bigint;
  /** Microseconds since 2000-01-01 UTC, as BEGIN carries it. */
  readonly commitTimeUs: number;
  readonly xid: number;
}

/** One row of pgoutput, still in its frame. Callers reuse one object. */
export interface RowEvent {
  /** {@link ACTION}: insert, update or delete. */
  readonly action: number;
  readonly lsnHi: number;
  readonly lsnLo: number;
  readonly seq: number;
  /** Holds the frame of the row, at whatever offset. */
  readonly bytes: Buffer;
  /** Of the same bytes. */
  readonly view: DataView;
  /** Bytes of the frame: what its values take at most. */
  readonly size: number;
  /** Offset of the new TupleData (its column count) in `bytes`, -1 without one. */
  readonly newTuple: number;
  /** Offset of the old TupleData, -1 without one. */
  readonly oldTuple: number;
  /** 0x4b `K`: only the key columns of the old tuple count; 0x4f `O`: the whole old row; 0 without one. */
  readonly oldKind: number;
}

export interface TruncateEvent {
  readonly lsnHi: number;
  readonly lsnLo: number;
  readonly seq: number;
}

export interface MessageEvent {
  readonly lsn: bigint;
  readonly seq: number;
  /** 0 for a schema record in front of the row that revealed it, otherwise 1. */
  readonly sub: 0 | 1;
  readonly prefix: string;
  readonly content: string;
  /** What routers go by: the schema a change of schema is about; empty names for other messages. */
  readonly table: TableRef;
  /** Set for a message outside transactions: it has no commit time, and its own LSN in place of a commit's. */
  readonly outsideTransaction?: boolean;
}
