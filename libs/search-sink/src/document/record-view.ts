import type { RecordReader } from '@pgstream/wal-event';

/** What documents need of a {@link RecordReader}. */
export type RecordView = Pick<RecordReader, 'bytes' | 'ref' | 'seq' | 'columns' | 'identity' | 'unchanged'>;
