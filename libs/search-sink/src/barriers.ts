import { failpoint } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { ACTION, DDL_PREFIX, positionAt, type RecordBatch } from '@pgstream/wal-event';
import type { BoundFunctions } from './functions.ts';
import { WHY } from './letters.ts';
import { deleteOlder } from './mass-change.ts';
import type { Parking } from './parked/parking.ts';
import type { Refresher } from './refresher.ts';
import type { RowWriter } from './row-writer.ts';
import { isSchemaChange, type SchemaChanges } from './schema-changes.ts';
import type { Steady } from './steady.ts';
import type { TableIndex } from './table-index.ts';
import type { Tables } from './tables.ts';

export interface BarriersOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly tables: Tables;
  readonly steady: Steady;
  readonly schema: SchemaChanges;
  readonly parking: Parking;
  readonly writer: RowWriter;
  readonly refresher: Refresher;
  /** Resolves when no bulk waits or flies. */
  readonly drain: (signal: AbortSignal) => Promise<void>;
}

interface Fence {
  readonly version: bigint;
  readonly seq: number;
}

/** Records that change more than one document: TRUNCATE and schema changes. Everything before them is durable first. */
export class Barriers {
  readonly #it: BarriersOptions;

  constructor(options: BarriersOptions) {
    this.#it = options;
  }

  /** Does what the record at `at` asks for. Parked keys of the batch are to be durable. */
  async pass(batch: RecordBatch, at: number, signal: AbortSignal): Promise<void> {
    const { writer, parking, functions } = this.#it;
    if (!writer.read(batch, at)) return await parking.record(batch, at, WHY.undecodable, signal);
    const seq = batch.seqs[at] ?? 0;
    const fence = { version: functions.version(batch.commitLsns[at] ?? 0n, seq), seq };
    const { action, ref, prefix } = writer.reader;
    if (action === ACTION.truncate) {
      if (ref.keyColumnIds.length > 0) await this.#truncate(ref.tableId, fence, signal);
      return;
    }
    if (prefix === DDL_PREFIX) await this.#schemaChange(batch, at, fence, signal);
  }

  async #schemaChange(batch: RecordBatch, at: number, fence: Fence, signal: AbortSignal): Promise<void> {
    const { writer, parking, schema, steady, drain } = this.#it;
    const { content } = writer.reader;
    if (!isSchemaChange(content)) return await parking.record(batch, at, WHY.undecodable, signal);
    const position = positionAt(batch, at);
    await drain(signal);
    writer.previous.clear();
    await steady.run(signal, async () => schema.apply({ content, position, fence }, signal));
    await parking.follow(content, fence, signal);
  }

  async #truncate(tableId: TableIndex['tableId'], fence: Fence, signal: AbortSignal): Promise<void> {
    const { store, tables, steady, writer, parking, functions, refresher, drain } = this.#it;
    const table = await steady.run(signal, async () => tables.find(tableId));
    if (table === null || table.dropped) return;
    await drain(signal);
    writer.previous.clear();
    const { shared } = functions.naming;
    await steady.run(signal, async () => deleteOlder(store, table, fence, { shared, signal }));
    failpoint?.('search.truncated');
    await parking.truncated(table.tableId, fence, signal);
    refresher.forget(table.index);
  }
}
