import type { RecordBatch } from '@pgstream/wal-event';
import type { Filling } from './batch-filler.ts';

/** What went by since the start, for metrics. */
export interface ConsumerCounts {
  records: number;
  bytes: number;
  heartbeats: number;
  duplicates: number;
  undecodable: number;
  handOffs: number;
  assignments: number;
  commits: number;
}

export function noCounts(): ConsumerCounts {
  return {
    records: 0,
    bytes: 0,
    heartbeats: 0,
    duplicates: 0,
    undecodable: 0,
    handOffs: 0,
    assignments: 0,
    commits: 0,
  };
}

/** Adds what one batch took from a fetch and what was passed over meanwhile. */
export function countFilling(
  counts: ConsumerCounts,
  filling: Filling,
  batch: RecordBatch & { readonly length: number },
): void {
  counts.records += batch.count;
  counts.bytes += batch.length;
  counts.heartbeats += filling.heartbeats;
  counts.duplicates += filling.duplicates;
  counts.undecodable += filling.letters.length;
  if (filling.awaited !== undefined) counts.handOffs++;
}
