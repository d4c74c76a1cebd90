import { positionAt, valueAt, type DeadLetter, type RecordBatch } from '@pgstream/wal-event';

/** Records that nothing can be made of. */
export const WHY = {
  undecodable: { code: 'RECORD_UNDECODABLE', reason: 'not a record', identity: null },
  no_key: { code: 'SEARCH_DOCUMENT_REFUSED', reason: 'the record lacks a key column', identity: null },
} as const;

/** The dead letter of a record. Its bytes are a view: valid until the batch has settled. */
export function letterOf(
  batch: RecordBatch,
  at: number,
  why: { code: string; reason: string; identity: string | null },
): DeadLetter {
  const { schema = '', table = '' } = batch.tables[at] ?? {};
  return {
    sink: 'search',
    ...why,
    schema,
    table,
    epoch: batch.epoch,
    position: positionAt(batch, at),
    record: valueAt(batch, at),
  };
}

/** For the log: no values of the row. */
export function noticeOf({
  code,
  schema,
  table,
  reason,
  position,
}: DeadLetter): Record<string, string | number> {
  return {
    code,
    schema,
    table,
    reason: reason.slice(0, 300),
    commit_lsn: position.commitLsn.toString(),
    seq: position.seq,
  };
}
