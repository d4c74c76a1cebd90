import { Buffer } from 'node:buffer';
import { RecordBatchWriter, RecordSetReader, stampBatch } from '@pgstream/kafka-client';
import { replayRecording } from '@pgstream/postgres-source';
import { RecordReader } from '@pgstream/wal-event';
import { narrowRecording } from './frames.ts';
import { bulkBuilding } from './sink-subject.ts';

/** A stage of the hot path: `run` takes the same rows through it, again and again. */
export interface Subject {
  readonly name: string;
  readonly what: string;
  prepare(rows: number): () => void | Promise<void>;
}

const KEY = Buffer.from('public');
const BATCH_BYTES = 1024 * 1024;

export const SUBJECTS: readonly Subject[] = [
  {
    name: 'decode',
    what: 'pgoutput frames to records: splitter, decoder, encoder, batches',
    prepare(rows) {
      const recording = narrowRecording(rows);
      return () => {
        const { error, records } = replayRecording(recording);
        if (error !== null || records !== rows) throw error ?? new Error(`${records} records of ${rows}`);
      };
    },
  },
  {
    name: 'batch-encode',
    what: 'records to Kafka record batches, uncompressed',
    prepare(rows) {
      const { bytes, bounds } = packed(rows);
      const writer = new RecordBatchWriter(BATCH_BYTES + 64 * 1024);
      return () => {
        for (let i = 0; i + 1 < bounds.length; i++) {
          writer.add(KEY, bytes, bounds[i] ?? 0, bounds[i + 1] ?? 0, 1_790_000_000_000 + i);
          if (writer.length > BATCH_BYTES) {
            writer.finish('none');
            writer.reset();
          }
        }
      };
    },
  },
  {
    name: 'batch-read',
    what: 'Kafka record batches to records, uncompressed',
    prepare(rows) {
      const { bytes, bounds } = packed(rows);
      const writer = new RecordBatchWriter();
      for (let i = 0; i + 1 < bounds.length; i++)
        writer.add(KEY, bytes, bounds[i] ?? 0, bounds[i + 1] ?? 0, 1_790_000_000_000 + i);
      const set = writer.finish('none');
      stampBatch(set, { producerId: 1n, producerEpoch: 0, baseSequence: 0 });
      const reader = new RecordSetReader();
      return () => {
        reader.open(set, 0);
        let records = 0;
        while (reader.next()) records += 1;
        if (records !== rows) throw new Error(`${records} records of ${rows}`);
      };
    },
  },
  {
    name: 'record-read',
    what: 'records to tables, keys and values',
    prepare(rows) {
      const { bytes, bounds } = packed(rows);
      const reader = new RecordReader();
      return () => {
        for (let i = 0; i + 1 < bounds.length; i++) reader.read(bytes, bounds[i] ?? 0, bounds[i + 1] ?? 0);
      };
    },
  },
  {
    name: 'bulk-build',
    what: 'batches of records to bulk requests: reading, ids, versions, documents, settling',
    prepare: (rows) => bulkBuilding(packed(rows)),
  },
];

/** The records of the rows, back to back, and where each begins. */
function packed(rows: number): { bytes: Buffer; bounds: readonly number[] } {
  const values: Buffer[] = [];
  replayRecording(narrowRecording(rows), (value) => values.push(Buffer.from(value)));
  const bounds = [0];
  for (const value of values) bounds.push((bounds.at(-1) ?? 0) + value.length);
  return { bytes: Buffer.concat(values), bounds };
}
