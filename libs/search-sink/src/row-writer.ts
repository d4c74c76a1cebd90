import { ACTION, RecordFormatError, RecordReader, type RecordBatch } from '@pgstream/wal-event';
import { BulkActions, type PlacedRow } from './bulk-actions.ts';
import type { PreviousDocument } from './document/index.ts';
import type { BoundFunctions } from './functions.ts';
import type { BulkLanes } from './bulk-lanes.ts';
import { MovedRows } from './moved-rows.ts';
import type { SearchObserver } from './observer.ts';
import type { ParkedKeys } from './parked/parked-keys.ts';
import type { FreedRow, RowOfKey } from './parked/touched-key.ts';
import { ParkedRows, type WantedEntry } from './parked/parked-rows.ts';
import { PreviousDocuments, type StoredState } from './previous-documents.ts';
import { RowVersion } from './row-version.ts';
import type { TableIndex } from './table-index.ts';
import type { Tables } from './tables.ts';
import type { Ticket } from './ticket.ts';
import { MAX_VERSIONED_SEQ } from './version.ts';

/** Why {@link RowWriter.write} stopped before a record: what must be done before it goes on with the same record. */
export type Pause =
  'done' | 'barrier' | 'table' | 'columns' | 'previous' | 'parked' | 'moved' | 'undecodable' | 'no_key';

export interface RowWriterOptions {
  readonly functions: BoundFunctions;
  readonly tables: Tables;
  readonly lanes: BulkLanes;
  readonly observer: SearchObserver;
  readonly parked: ParkedKeys;
}

/**
 * Turns rows into bulk actions. The hot path: bytes of the record become bytes of the bulk, in one synchronous pass
 * that stops where something slow is needed (a table it does not know, an old document).
 */
export class RowWriter {
  readonly reader = new RecordReader();
  readonly previous: PreviousDocuments;
  /** Of the batch that is being written. */
  readonly moved = new MovedRows();
  readonly #functions: BoundFunctions;
  readonly #tables: Tables;
  readonly #observer: SearchObserver;
  readonly #parked: ParkedKeys;
  readonly #behindRows: ParkedRows;
  readonly #keyless = new Set<string>();
  readonly #version: RowVersion;
  readonly #actions: BulkActions;

  constructor(options: RowWriterOptions) {
    this.#functions = options.functions;
    this.#version = new RowVersion(options.functions.version);
    this.#tables = options.tables;
    this.#observer = options.observer;
    this.#parked = options.parked;
    this.#behindRows = new ParkedRows({ ...options, reader: this.reader });
    this.previous = new PreviousDocuments(options.lanes);
    const { reader, previous } = this;
    this.#actions = new BulkActions({ ...options, reader, previous, version: this.#version });
  }

  /** Where it stopped, and why; `done` at the end of the batch. */
  write(batch: RecordBatch, from: number, ticket: Ticket): { at: number; pause: Pause } {
    for (let at = from; at < batch.count; at += 1) {
      const pause = this.#readable(batch, at, ticket);
      // Whatever is done meanwhile finds the documents as the rows before this one left them.
      if (pause !== null) return { at, pause: this.moved.any ? 'moved' : pause };
    }
    return { at: batch.count, pause: this.moved.any ? 'moved' : 'done' };
  }

  /** What must be read before {@link removeMoved}: some may have been parked by the bulk that was waited for. */
  movedParked(): WantedEntry[] {
    if (!this.#parked.any) return [];
    const unknown = this.moved.rows().filter(({ table, id }) => !this.#parked.isLoaded(table, id, false));
    return unknown.map(({ table, id }) => ({ table, id, document: false }));
  }

  /** Once the documents are durable that took their place. */
  removeMoved(ticket: Ticket): void {
    for (const { table, id, batch, at } of this.moved.take()) {
      this.#version.set(batch, at);
      this.#actions.delete(table, id, batch, { at, ticket });
    }
  }

  /** @throws what is not the format of a record */
  read(batch: RecordBatch, at: number): boolean {
    try {
      this.reader.read(batch.bytes, batch.starts[at] ?? 0, batch.ends[at] ?? 0);
      return true;
    } catch (cause) {
      if (cause instanceof RecordFormatError) return false;
      throw cause;
    }
  }

  /** Reads a record of a batch and says what must be asked for an UPDATE without all its values. */
  unknownOf(batch: RecordBatch, at: number): Array<{ table: TableIndex; id: string }> {
    if (batch.actions[at] !== ACTION.update || !this.read(batch, at)) return [];
    const { reader } = this;
    if (reader.unchanged.length === 0 || !this.#functions.builder.needsPrevious(reader)) return [];
    const table = this.#tables.known(reader.ref);
    if (table === undefined || table.dropped) return [];
    try {
      return this.#unknownIds(table).map((id) => ({ table, id }));
    } catch (cause) {
      if (cause instanceof SyntaxError) return []; // said of it when its turn comes
      throw cause;
    }
  }

  #unknownIds(table: TableIndex): string[] {
    const id = this.#functions.documentId(this.reader, 'columns');
    if (id === undefined) return [];
    const { previous } = this;
    const old = this.#oldId() ?? id;
    const ids = previous.find(table, old) === undefined ? [old] : [];
    if (old !== id && previous.stored(table, id) === undefined) ids.push(id);
    return ids;
  }

  /** A value may still be no JSON: reading a record only finds where it ends. */
  #readable(batch: RecordBatch, at: number, ticket: Ticket): Pause | null {
    try {
      return this.#record(batch, at, ticket);
    } catch (cause) {
      if (cause instanceof SyntaxError || cause instanceof RecordFormatError) return 'undecodable';
      throw cause;
    }
  }

  // oxlint-disable-next-line complexity -- the one decision per row, kept in one place
  #record(batch: RecordBatch, at: number, ticket: Ticket): Pause | null {
    const action = batch.actions[at];
    if (action === ACTION.truncate || action === ACTION.message) return 'barrier';
    if (!this.read(batch, at)) return 'undecodable';
    const { reader } = this;
    const { ref, columns } = reader;
    if (ref.keyColumnIds.length === 0) return this.#skipKeyless();
    const table = this.#tables.known(ref);
    if (table === undefined) return 'table';
    if (table.dropped) return this.#skipLate(table);
    if (columns.count >= 0 && !table.mapped.has(columns.columns)) return 'columns';
    this.#version.set(batch, at);
    if (action === ACTION.delete) {
      const id = this.#functions.documentId(reader, 'identity');
      if (id === undefined) return 'no_key';
      if (this.moved.any && this.moved.has(table, id)) return 'moved';
      if (this.#parked.any && !this.#parked.isLoaded(table, id, false)) return 'parked';
      this.#actions.delete(table, id, batch, { at, ticket });
      return null;
    }
    const id = this.#functions.documentId(reader, 'columns');
    if (id === undefined) return 'no_key';
    const old = action === ACTION.update ? this.#oldId() : undefined;
    if (this.moved.any && (this.moved.has(table, id) || (old !== undefined && this.moved.has(table, old))))
      return 'moved';
    const mayWait = this.#parked.any;
    if (mayWait && !this.#behindRows.isLoaded(table, id, old)) return 'parked';
    let previous: PreviousDocument | undefined;
    if (reader.unchanged.length > 0 && this.#functions.builder.needsPrevious(reader)) {
      const found = this.#previousOf(table, id, old ?? id);
      if (found === undefined) return 'previous';
      previous = found ?? undefined;
    }
    const row = { at, ticket, previous };
    if (mayWait && this.#parked.isParked(table, id))
      return this.#behind({ table, id, batch, at, version: this.#version.value }, old, row);
    if (old !== undefined && old !== id) {
      if (previous === undefined) this.#actions.delete(table, old, batch, row);
      else this.moved.add({ table, id: old, batch, at });
    }
    this.#actions.index(table, id, batch, row);
    return null;
  }

  /** The document is parked: its newest state waits with it. */
  #behind(change: RowOfKey, old: string | undefined, row: PlacedRow): Pause | null {
    const { table, id, batch } = change;
    const isMoved = old !== undefined && old !== id;
    // What it took from the old document must be durable before that is deleted.
    if (this.#behindRows.hold(change, this.#version.text, row.previous) && isMoved) {
      this.#parked.flushFirst();
      return 'parked';
    }
    if (isMoved) this.#actions.delete(table, old, batch, row);
    return null;
  }

  /** A change that waited and need not: its key was released by somebody else. */
  put(row: FreedRow, ticket: Ticket): void {
    this.#version.set(row.batch, row.at);
    this.#actions.put(row, ticket);
  }

  /** What must be read of parked keys before a record can be written. */
  parkedOf(batch: RecordBatch, at: number): WantedEntry[] {
    const action = batch.actions[at];
    if (action === ACTION.truncate || action === ACTION.message || !this.read(batch, at)) return [];
    try {
      return this.#behindRows.unknownOf(batch, at);
    } catch (cause) {
      if (cause instanceof SyntaxError) return []; // said of it when its turn comes
      throw cause;
    }
  }

  #oldId(): string | undefined {
    return this.reader.identity.count < 0 ? undefined : this.#functions.documentId(this.reader, 'identity');
  }

  /** `null` where there is none; `undefined` where the store must be asked. */
  #previousOf(table: TableIndex, id: string, old: string): PreviousDocument | null | undefined {
    const parked = this.#parked.any ? this.#parked.document(table, old) : undefined;
    if (parked !== undefined) return parked;
    const found = this.previous.find(table, old);
    if (found === undefined || old === id) return found;
    const own = this.previous.stored(table, id);
    if (own === undefined) return undefined;
    // A replay: the document moved already, and what is under the old id now is gone or is another row.
    return own !== null && this.#isApplied(own) ? own.document : found;
  }

  #isApplied({ version, document: { bytes, start, end } }: StoredState): boolean {
    const { seq } = this.reader;
    if (version !== this.#version.value || seq < MAX_VERSIONED_SEQ) return version >= this.#version.value;
    const { _pgstream: note }: { _pgstream?: { seq?: number } } = Object(
      JSON.parse(bytes.toString('utf8', start, end)),
    );
    return (note?.seq ?? 0) >= seq;
  }

  #skipKeyless(): null {
    const { ref } = this.reader;
    this.#observer.keyless(1);
    if (!this.#keyless.has(ref.tableId)) {
      this.#keyless.add(ref.tableId);
      this.#observer.notice('table_keyless', { schema: ref.schema, table: ref.table });
    }
    return null;
  }

  #skipLate(table: TableIndex): null {
    this.#observer.late(1);
    if (!table.lateNoticed) {
      table.lateNoticed = true;
      this.#observer.notice('late_rows', { schema: table.state.schema, table: table.state.table });
    }
    return null;
  }
}
