import { Buffer } from 'node:buffer';
import { positionAt, type RecordBatch, type RecordReader } from '@pgstream/wal-event';
import type { BulkLanes } from './bulk-lanes.ts';
import type { ActionEntry, Chunk } from './chunk.ts';
import type { PreviousDocument } from './document/index.ts';
import type { BoundFunctions } from './functions.ts';
import type { BulkLane } from './lane.ts';
import type { SearchObserver } from './observer.ts';
import type { ParkedKeys } from './parked/parked-keys.ts';
import type { FreedRow } from './parked/touched-key.ts';
import type { PreviousDocuments } from './previous-documents.ts';
import type { RowVersion } from './row-version.ts';
import type { TableIndex } from './table-index.ts';
import type { Ticket } from './ticket.ts';

const ID = Buffer.from(',"_id":');
const END = Buffer.from('}}\n');
const NEW_LINE = 0x0a;

export interface BulkActionsOptions {
  readonly functions: BoundFunctions;
  readonly lanes: BulkLanes;
  readonly observer: SearchObserver;
  readonly parked: ParkedKeys;
  /** Stands on the record that is written. */
  readonly reader: RecordReader;
  readonly previous: PreviousDocuments;
  /** Of the record that is written. */
  readonly version: RowVersion;
}

export interface PlacedRow {
  readonly at: number;
  readonly ticket: Ticket;
  readonly previous: PreviousDocument | undefined;
}

/** The lines of a bulk, for one record after the other: each goes to the lane that its document is in. */
export class BulkActions {
  readonly #functions: BoundFunctions;
  readonly #lanes: BulkLanes;
  readonly #observer: SearchObserver;
  readonly #parked: ParkedKeys;
  readonly #reader: RecordReader;
  readonly #previous: PreviousDocuments;
  readonly #version: RowVersion;
  #entry: ActionEntry | undefined;

  constructor(options: BulkActionsOptions) {
    this.#functions = options.functions;
    this.#lanes = options.lanes;
    this.#observer = options.observer;
    this.#parked = options.parked;
    this.#reader = options.reader;
    this.#previous = options.previous;
    this.#version = options.version;
  }

  index(table: TableIndex, id: string, batch: RecordBatch, row: PlacedRow): void {
    const { lane, chunk } = this.#place(table, id);
    if (!chunk.accepts(table, id, this.#version.value)) {
      this.#passOver(chunk, row.ticket);
      return;
    }
    const { out } = chunk;
    const start = out.length;
    out.write(table.indexHead);
    this.#writeAddress(chunk, id);
    const sourceStart = out.length;
    const { builder } = this.#functions;
    try {
      this.#functions.document(this.#reader, out, this.#version.text, row.previous);
    } catch (cause) {
      out.length = start; // what lies between two actions would be sent with them
      throw cause;
    }
    if (builder.incomplete.length > 0) this.#observer.incomplete(builder.incomplete.length);
    if (builder.ignored.length > 0) this.#observer.ignored(builder.ignored.length);
    out.writeByte(NEW_LINE);
    lane.add(chunk, this.#entryOf(table, id, batch, { at: row.at, sourceStart }), start, row.ticket);
  }

  delete(table: TableIndex, id: string, batch: RecordBatch, row: { at: number; ticket: Ticket }): void {
    if (this.#parked.any) this.#parked.resolve(table, id, positionAt(batch, row.at));
    const { lane, chunk } = this.#place(table, id);
    if (!chunk.accepts(table, id, this.#version.value)) {
      this.#passOver(chunk, row.ticket);
      return;
    }
    const start = chunk.out.length;
    chunk.out.write(table.deleteHead);
    this.#writeAddress(chunk, id);
    lane.add(chunk, this.#entryOf(table, id, batch, { at: row.at, sourceStart: -1 }), start, row.ticket);
  }

  put({ table, id, batch, at, version, document }: FreedRow, ticket: Ticket): void {
    const { lane, chunk } = this.#place(table, id);
    if (!chunk.accepts(table, id, version)) {
      this.#passOver(chunk, ticket);
      return;
    }
    const { out } = chunk;
    const start = out.length;
    out.write(table.indexHead);
    this.#writeAddress(chunk, id);
    const sourceStart = out.length;
    out.writeUtf8(`${document}\n`);
    lane.add(chunk, this.#entryOf(table, id, batch, { at, sourceStart }), start, ticket);
  }

  #passOver(chunk: Chunk, ticket: Ticket): void {
    chunk.join(ticket);
    this.#observer.conflicts(1);
  }

  #place(table: TableIndex, id: string): { lane: BulkLane; chunk: Chunk } {
    this.#previous.outdate(table, id);
    const lane = this.#lanes.placeOf(table, id);
    return { lane, chunk: lane.open() };
  }

  #writeAddress(chunk: Chunk, id: string): void {
    const { out } = chunk;
    out.writeAscii(this.#version.text);
    out.write(ID);
    out.writeUtf8(JSON.stringify(id));
    out.write(END);
  }

  #entryOf(
    table: TableIndex,
    id: string,
    batch: RecordBatch,
    row: { at: number; sourceStart: number },
  ): ActionEntry {
    const entry = (this.#entry ??= { table, id, version: 0n, sourceStart: -1, batch, record: 0 });
    entry.table = table;
    entry.id = id;
    entry.version = this.#version.value;
    entry.sourceStart = row.sourceStart;
    entry.batch = batch;
    entry.record = row.at;
    return entry;
  }
}
