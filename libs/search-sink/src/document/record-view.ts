import type { Buffer } from 'node:buffer';
import type { ColumnSpec, TableRef } from '@pgstream/wal-event';

/** What documents need of a `RecordReader`. Offsets are of raw JSON values in `bytes`, strings with their quotes. */
export interface RecordView {
  readonly bytes: Buffer;
  readonly ref: TableRef;
  /** -1 where the record has no columns. */
  readonly columnCount: number;
  /** Interned: the same array for every row of one shape. */
  readonly columns: readonly ColumnSpec[];
  readonly valueStarts: ArrayLike<number>;
  readonly valueEnds: ArrayLike<number>;
  /** -1 where the record has no identity. */
  readonly identityCount: number;
  readonly identityColumns: readonly ColumnSpec[];
  readonly identityStarts: ArrayLike<number>;
  readonly identityEnds: ArrayLike<number>;
  /** Names of TOASTed columns that were not sent. */
  readonly unchanged: readonly string[];
}
