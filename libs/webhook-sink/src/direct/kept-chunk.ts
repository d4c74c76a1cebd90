import { Buffer } from 'node:buffer';
import { ACTION, decodeRecord, type ChangeRecord, type RecordBatch } from '@pgstream/wal-event';
import type { LogChunk } from '../log-source.ts';
import type { KeptRecord } from './kept-store.ts';

const ACTIONS: Readonly<Record<ChangeRecord['action'], number>> = {
  I: ACTION.insert,
  U: ACTION.update,
  D: ACTION.delete,
  T: ACTION.truncate,
  M: ACTION.message,
};

/**
 * Kept records as a piece of the log.
 * @param nextOffset where to read on; `undefined`: behind the last of them.
 */
export function keptChunk(
  kept: readonly KeptRecord[],
  { nextOffset, logStart }: { readonly nextOffset: number | undefined; readonly logStart: number },
): LogChunk {
  const decoded = kept.map(({ record }) => decodeRecord(record));
  const ends = Uint32Array.from(kept, sumUp(kept));
  const batch: RecordBatch = {
    lane: 0,
    count: kept.length,
    bytes: Buffer.concat(kept.map(({ record }) => record)),
    starts: ends.map((end, i) => end - (kept[i]?.record.length ?? 0)),
    ends,
    actions: Uint8Array.from(decoded, ({ action }) => ACTIONS[action]),
    commitLsns: BigUint64Array.from(decoded, ({ position }) => position.commitLsn),
    seqs: Uint32Array.from(decoded, ({ position }) => position.seq),
    subs: Uint8Array.from(decoded, ({ position }) => position.sub),
    commitTimesMs: Float64Array.from(kept, ({ commitTimeMs }) => commitTimeMs),
    tables: decoded.map(({ schema, table, tableId, keyColumnIds }) => ({
      schema,
      table,
      tableId,
      keyColumnIds: keyColumnIds ?? [],
    })),
    offsets: Float64Array.from(kept, ({ offset }) => offset),
    epoch: decoded[0]?.epoch ?? 0,
  };
  return { batch, nextOffset: nextOffset ?? (kept.at(-1)?.offset ?? logStart) + 1, logStart };
}

function sumUp(kept: readonly KeptRecord[]): (record: KeptRecord, index: number) => number {
  let end = 0;
  return (_record, index) => (end += kept[index]?.record.length ?? 0);
}
