import { PipelineError } from '@pgstream/failure';
import { positionAt, valueAt, type DeadLetter, type RecordBatch } from '@pgstream/wal-event';
import type { Refusal } from './bulk-sender.ts';

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

/** The dead letter of an action that the store refused. */
export function letterOfRefusal({ chunk, action, code, reason }: Refusal): DeadLetter {
  const { [action]: batch } = chunk.batches;
  if (batch === undefined)
    throw new PipelineError('UNCLASSIFIED', { detail: 'a refused action without a record' });
  return letterOf(batch, chunk.records[action] ?? 0, { code, reason, identity: chunk.ids[action] ?? null });
}
