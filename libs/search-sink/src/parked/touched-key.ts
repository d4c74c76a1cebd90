import { positionAt, valueAt, type Position, type RecordBatch } from '@pgstream/wal-event';
import type { TableIndex } from '../table-index.ts';
import type { EntryHead, ParkedState } from './parked-entry.ts';

/** A row behind a parked key. */
export interface RowOfKey {
  readonly table: TableIndex;
  readonly id: string;
  readonly batch: RecordBatch;
  readonly at: number;
  readonly version: bigint;
}

/** A change that found its key released by somebody else: it is to be written as any other. */
export interface FreedRow extends RowOfKey {
  readonly document: string;
}

/** An entry that the batch at hand has to do with. */
export interface Touched {
  readonly row: { readonly table: TableIndex; readonly id: string };
  head: EntryHead;
  /** What the batch makes of it. */
  state: (ParkedState & { readonly document: string }) | null;
  from: RowOfKey | null;
  added: number;
  /** The key was deleted here: the entry goes as soon as the delete is durable. */
  resolvedBy: Position | null;
}

/** `undefined` where it was not read. */
export function documentOf({ state, head }: Touched): string | null | undefined {
  return state === null ? head.document : state.document;
}

export function isChanged(touched: Touched | null): boolean {
  return touched !== null && (touched.state !== null || touched.resolvedBy !== null);
}

export function stateOf(row: RowOfKey, document: string | null): ParkedState {
  const { table, id, batch, at, version } = row;
  const { schema = '', table: name = '' } = batch.tables[at] ?? {};
  return {
    tableId: table.tableId,
    schema,
    table: name,
    id,
    index: table.index.writeAlias,
    epoch: batch.epoch,
    position: positionAt(batch, at),
    version,
    document,
    isDelete: document === null,
    record: valueAt(batch, at).toString('utf8'),
  };
}
