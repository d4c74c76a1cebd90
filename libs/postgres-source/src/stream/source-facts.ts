import type { PipelineError } from '@pgstream/failure';
import { parseLsn, type Lsn, type Position } from '@pgstream/wal-event';

/** `standby`: another process uses the slot, and this one waits for it to end. */
export type SourceRole = 'connecting' | 'leader' | 'standby' | 'stopped';

/** What metrics are read from. Updated in place, per transaction where that is enough. */
export interface SourceFacts {
  role: SourceRole;
  /** Start of the last transaction's COMMIT, or end of WAL of the last keepalive. */
  receivedLsn: Lsn;
  confirmedLsn: Lsn;
  /** End of the server's WAL as last heard. */
  serverLsn: Lsn;
  /** Milliseconds since 1970 of the last transaction received; 0 before the first. */
  lastCommitTimeMs: number;
  transactions: number;
  /** Changes received: rows, tables of a TRUNCATE, messages; whether emitted or not. */
  changes: number;
  /** Records emitted. */
  records: number;
  /** Bytes of the stream as received. */
  bytes: number;
  reconnects: number;
  /** Changes of tables outside the filters. */
  filtered: number;
  /** Messages with a prefix that is reserved for pgstream. */
  reservedMessages: number;
  /** Bytes of batches that were not given back yet. */
  lentBytes: number;
}

/** Called on what is rare. None of it may throw. */
export interface SourceObserver {
  onRole?(role: SourceRole): void;
  /** The connection ended or could not be made, and is tried again after `waitMs`. */
  onReconnect?(error: PipelineError, waitMs: number): void;
  /** The schema history could not be persisted yet; nothing above is confirmed meanwhile. */
  onCheckpointFailure?(error: PipelineError): void;
  /** A message of somebody else under a prefix of ours: counted, not emitted. */
  onReservedMessage?(prefix: string, position: Position): void;
}

/** Of a source that has not connected yet. */
export function newSourceFacts(): SourceFacts {
  const nowhere = parseLsn('0/0');
  return {
    role: 'connecting',
    receivedLsn: nowhere,
    confirmedLsn: nowhere,
    serverLsn: nowhere,
    lastCommitTimeMs: 0,
    transactions: 0,
    changes: 0,
    records: 0,
    bytes: 0,
    reconnects: 0,
    filtered: 0,
    reservedMessages: 0,
    lentBytes: 0,
  };
}
