import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import type { DeadLetter } from '@pgstream/wal-event';
import type { Refusal } from '../bulk-sender.ts';
import type { Chunk } from '../chunk.ts';
import type { TableIndex } from '../table-index.ts';
import { entryIdOf, type NewEntry } from './parked-entry.ts';
import { stateOf } from './touched-key.ts';

/** An action of a chunk. */
export interface WaitingAction {
  readonly chunk: Chunk;
  readonly at: number;
}

/** The actions for a document that wait behind the bulk that was refused, oldest first. */
export type TakeWaiting = (table: TableIndex, id: string) => readonly WaitingAction[];

export type RefusedEntry = NewEntry & { readonly entryId: string };

/**
 * The entries of documents that a bulk was refused for. Later states that wait already are taken out of their chunks:
 * the newest is what the entry keeps. Where a delete is the newest, there is nothing to park: it goes to the index as it
 * would have, and leaves nothing of the row.
 *
 * Synchronous: from here on rows of these keys find them parked.
 */
export function entriesOfRefusals(refusals: readonly Refusal[], take: TakeWaiting): RefusedEntry[] {
  return refusals.flatMap((refusal) => {
    const first = { chunk: refusal.chunk, at: refusal.action };
    const { table, id } = documentOf(first);
    const behind = take(table, id);
    const newest = behind.at(-1);
    if (newest !== undefined && newest.chunk.isDelete(newest.at)) return [];
    const states = behind.filter(({ chunk, at }) => !chunk.isDelete(at));
    const { position: firstPosition } = entryOfAction(first, refusal);
    const entry = { ...entryOfAction(newest ?? first, refusal), firstPosition, coalesced: states.length };
    for (const { chunk, at } of states) chunk.kill(at);
    return [entry];
  });
}

function entryOfAction({ chunk, at }: WaitingAction, refusal: Refusal): RefusedEntry {
  const { table, id } = documentOf({ chunk, at });
  const { [at]: batch } = chunk.batches;
  if (batch === undefined)
    throw new PipelineError('UNCLASSIFIED', { detail: 'a refused action without a record' });
  const document = chunk.isDelete(at) ? null : chunk.sourceOf(at).toString('utf8');
  const row = { table, id, batch, at: chunk.records[at] ?? 0, version: chunk.versions[at] ?? 0n };
  const { code, reason } = refusal;
  const { generation } = table.index;
  const entryId = entryIdOf(table.tableId, id);
  const state = stateOf(row, document);
  return { ...state, entryId, code, reason, coalesced: 0, firstPosition: state.position, generation };
}

function documentOf({ chunk, at }: WaitingAction): { table: TableIndex; id: string } {
  const { [at]: table } = chunk.tables;
  const { [at]: id } = chunk.ids;
  if (table === undefined || id === undefined) throw new RangeError('no such action');
  return { table, id };
}

/** What is told of a parked key. */
export function letterOfEntry(entry: NewEntry): DeadLetter {
  const { code, reason, schema, table, id, epoch, firstPosition: position, record } = entry;
  const letter = { sink: 'search', code, reason, schema, table, identity: id, epoch, position };
  return record === null ? letter : { ...letter, record: Buffer.from(record) };
}
