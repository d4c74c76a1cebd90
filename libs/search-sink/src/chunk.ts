import { Buffer } from 'node:buffer';
import type { RecordBatch } from '@pgstream/wal-event';
import { ActionsById } from './actions-by-id.ts';
import { ByteSink } from './document/index.ts';
import type { PhysicalIndex, TableIndex } from './table-index.ts';
import type { Ticket } from './ticket.ts';

/** One action of a bulk, as {@link Chunk.add} takes it. Callers reuse one object. */
export interface ActionEntry {
  table: TableIndex;
  id: string;
  version: bigint;
  /** Where the source line begins, or -1 for a delete. */
  sourceStart: number;
  batch: RecordBatch;
  record: number;
}

const MAX_SOURCES_KEPT = 8 * 1024 * 1024;

/**
 * A bulk under construction: NDJSON lines in one buffer, at most one action per document. A later action for the same
 * document takes the place of the earlier one; an older one (a replay) is passed over.
 *
 * Parallel arrays instead of an object per action: this is the hot path.
 */
export class Chunk {
  readonly out = new ByteSink(64 * 1024);
  readonly tickets = new Set<Ticket>();
  /** Actions, superseded ones included. */
  count = 0;
  /** Actions that will be sent. */
  live = 0;
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly sourceStarts: number[] = [];
  readonly ids: string[] = [];
  readonly versions: bigint[] = [];
  readonly tables: TableIndex[] = [];
  readonly batches: RecordBatch[] = [];
  readonly records: number[] = [];
  readonly dead: boolean[] = [];
  readonly #byId = new ActionsById(this);

  /** The action for a document that would be sent, or -1. */
  find(table: TableIndex, id: string): number {
    const at = this.#byId.find(table, id);
    return at >= 0 && this.dead[at] !== true ? at : -1;
  }

  /** Whether an action of this version must be written at all: not when a newer one of the document waits here. */
  accepts(table: TableIndex, id: string, version: bigint): boolean {
    const at = this.find(table, id);
    return at < 0 || (this.versions[at] ?? 0n) <= version;
  }

  /** Notes the action whose lines were written at `[start, out.length)`. Call {@link accepts} before writing them. */
  add(entry: ActionEntry, start: number): void {
    const earlier = this.find(entry.table, entry.id);
    if (earlier >= 0) {
      this.dead[earlier] = true;
      this.live -= 1;
    }
    const at = this.count;
    this.#byId.set(entry.table, entry.id, at);
    this.starts.push(start);
    this.ends.push(this.out.length);
    this.sourceStarts.push(entry.sourceStart);
    this.ids.push(entry.id);
    this.versions.push(entry.version);
    this.tables.push(entry.table);
    this.batches.push(entry.batch);
    this.records.push(entry.record);
    this.dead.push(false);
    this.count = at + 1;
    this.live += 1;
  }

  join(ticket: Ticket): void {
    if (this.tickets.has(ticket)) return;
    this.tickets.add(ticket);
    ticket.hold();
  }

  /** Takes an action out: it will not be sent (again). */
  kill(at: number): void {
    if (this.dead[at] === true) return;
    this.dead[at] = true;
    this.live -= 1;
  }

  indices(): Set<PhysicalIndex> {
    const indices = new Set<PhysicalIndex>();
    let last: TableIndex | undefined;
    for (const table of this.tables) {
      if (table !== last) indices.add(table.index);
      last = table;
    }
    return indices;
  }

  /** Takes out what came from lanes that were lost meanwhile: their new owner writes it. */
  killForeign(): void {
    if (![...this.tickets].some(({ batch }) => batch.isOurs?.() === false)) return;
    for (let at = 0; at < this.count; at += 1) if (this.batches[at]?.isOurs?.() === false) this.kill(at);
  }

  isDelete(at: number): boolean {
    return (this.sourceStarts[at] ?? -1) < 0;
  }

  /** The source of an index action: JSON without the line's end. A view, valid until the next write. */
  sourceOf(at: number): Buffer {
    return this.out.bytes.subarray(this.sourceStarts[at], (this.ends[at] ?? 0) - 1);
  }

  /** The numbers of the actions that are to be sent, in order. */
  liveActions(): number[] {
    const actions: number[] = [];
    for (let at = 0; at < this.count; at += 1) if (this.dead[at] !== true) actions.push(at);
    return actions;
  }

  /** The lines of these actions, without a copy where nothing lies between them. */
  bodyOf(actions: readonly number[]): Buffer {
    const [first] = actions;
    if (first === undefined) return Buffer.alloc(0);
    const last = actions.at(-1) ?? first;
    if (last - first + 1 === actions.length) {
      return this.out.bytes.subarray(this.starts[first], this.ends[last]);
    }
    return Buffer.concat(actions.map((at) => this.out.bytes.subarray(this.starts[at], this.ends[at])));
  }

  /** Empties it for reuse; a buffer that one huge document made large is let go. */
  reset(): void {
    this.out.reset();
    if (this.out.bytes.length > MAX_SOURCES_KEPT) this.out.bytes = Buffer.allocUnsafeSlow(64 * 1024);
    this.tickets.clear();
    this.count = 0;
    this.live = 0;
    for (const column of [this.starts, this.ends, this.sourceStarts, this.ids, this.versions])
      column.length = 0;
    for (const column of [this.tables, this.batches, this.records, this.dead]) column.length = 0;
    this.#byId.clear();
  }
}
