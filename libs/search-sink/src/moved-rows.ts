import type { RecordBatch } from '@pgstream/wal-event';
import { documentKey, type TableIndex } from './table-index.ts';

/** A document that is to go, and the record of a batch that says so. */
export interface MovedRow {
  readonly table: TableIndex;
  readonly id: string;
  readonly batch: RecordBatch;
  readonly at: number;
}

/**
 * Documents whose rows got another key and took values along that the log does not repeat. Until the new document is
 * durable the old one is the only place that has them: a process that died in between would find them nowhere. So its end
 * waits, and so does whatever else happens to its id.
 */
export class MovedRows {
  readonly #waiting = new Map<string, MovedRow>();

  get any(): boolean {
    return this.#waiting.size > 0;
  }

  add(row: MovedRow): void {
    this.#waiting.set(documentKey(row.table, row.id), row);
  }

  has(table: TableIndex, id: string): boolean {
    return this.#waiting.has(documentKey(table, id));
  }

  rows(): MovedRow[] {
    return [...this.#waiting.values()];
  }

  /** In the order of their changes; none is left. */
  take(): MovedRow[] {
    const rows = this.rows();
    this.#waiting.clear();
    return rows;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
