import type { Buffer } from 'node:buffer';
import { SearchSink } from '@pgstream/search-sink';
import {
  RecordBatchBuilder,
  RecordReader,
  type DeadLetterStore,
  type RecordBatch,
} from '@pgstream/wal-event';

const BATCH_BYTES = 512 * 1024;

/** A store that has everything and refuses nothing: what is counted is the sink's. */
const STORE = {
  request: async (method: string) =>
    method === 'GET' ? { status: 404, text: '{}' } : { status: 200, text: '{"acknowledged":true}' },
  json: async () => ({ count: 0, docs: [], hits: { hits: [] } }),
  newest: async () => ({}),
  isOpenSearch: async () => true,
  mget: async (addresses: readonly unknown[]) => addresses.map(() => null),
  bulk: async () => ({ tookMs: 0, failures: [] }),
};

/** Batches as the consumer makes them, written until all are settled. */
export function bulkBuilding({ bytes, bounds }: { bytes: Buffer; bounds: readonly number[] }) {
  const batches = batchesOf(bytes, bounds);
  const deadLetters: DeadLetterStore = {
    park: () => Promise.reject(new Error('nothing is refused here')),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the sink calls
  const store = STORE as unknown as ConstructorParameters<typeof SearchSink>[0]['store'];
  const sink = new SearchSink({ store, deadLetters, refreshIntervalMs: 0 });
  const { signal } = new AbortController();
  return async () => {
    for (const batch of batches) {
      // oxlint-disable-next-line no-await-in-loop -- as the pipeline hands them over
      await new Promise<void>((settled, failed) => {
        sink.write(batch, { settled, failed }, signal).catch(failed);
      });
    }
  };
}

function batchesOf(bytes: Buffer, bounds: readonly number[]): RecordBatch[] {
  const reader = new RecordReader();
  const batches: RecordBatchBuilder[] = [new RecordBatchBuilder(BATCH_BYTES)];
  for (let i = 0; i + 1 < bounds.length; i++) {
    const [start = 0, end = 0] = [bounds[i], bounds[i + 1]];
    if ((batches.at(-1)?.length ?? 0) + end - start > BATCH_BYTES)
      batches.push(new RecordBatchBuilder(BATCH_BYTES));
    const batch = batches.at(-1);
    if (batch === undefined) continue;
    const { length } = batch;
    bytes.copy(batch.bytes, length, start, end);
    reader.read(batch.bytes, length, length + end - start);
    const commitLsn = (BigInt(reader.commitLsnHi) << 32n) | BigInt(reader.commitLsnLo);
    const { action, seq, sub, ref: table } = reader;
    batch.push({ action, commitLsn, seq, sub, commitTimeMs: 0, table }, length + end - start);
  }
  return batches;
}
