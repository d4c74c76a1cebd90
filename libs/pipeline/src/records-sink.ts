import { Buffer } from 'node:buffer';
import {
  decodeRecord,
  valueAt,
  type BatchOutcome,
  type ChangeRecord,
  type RecordBatch,
  type Sink,
} from '@pgstream/wal-event';

/**
 * A sink from one function, for users of the library: it gets the records of a batch as objects, in order, and
 * returns once they are durable. One batch at a time; a rejection stops the pipeline with nothing of the batch
 * confirmed.
 */
export function recordsSink(
  name: string,
  write: (records: readonly ChangeRecord[], signal: AbortSignal) => Promise<void>,
): Sink {
  return {
    name,
    async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
      const records = Array.from({ length: batch.count }, (_, i) =>
        decodeRecord(Buffer.from(valueAt(batch, i))),
      );
      if (records.length > 0) await write(records, signal);
      outcome.settled();
    },
    flush: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
