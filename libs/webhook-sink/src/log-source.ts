import type { RecordBatch } from '@pgstream/wal-event';

export interface LogChunk {
  /** Has `offsets`. Its bytes stay as they are. */
  readonly batch: RecordBatch;
  /** Where to read on. */
  readonly nextOffset: number;
  /** The first offset that the log still holds. */
  readonly logStart: number;
}

export interface LogReadOptions {
  readonly signal: AbortSignal;
  /** About so many bytes of records are wanted at most; by default as many as the log gives at a time. */
  readonly maxBytes?: number;
}

/** Reads the log beside the group, for subscriptions that are behind it. */
export interface LogSource {
  /**
   * What the log has from `offset` on: some of it, nothing where it ends there, and what comes from its start where
   * `offset` lies before that.
   * @throws {PipelineError} with disposition `retry` while the log cannot be read.
   */
  read(partition: number, offset: number, options: LogReadOptions): Promise<LogChunk>;
  /** Next offsets of all partitions: where the log ends now. */
  ends(): Promise<ReadonlyMap<number, number>>;
}
