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
const FIRST_ACTIONS = 256;

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
  starts = new Uint32Array(FIRST_ACTIONS);
  ends = new Uint32Array(FIRST_ACTIONS);
  sourceStarts = new Int32Array(FIRST_ACTIONS);
  records = new Uint32Array(FIRST_ACTIONS);
  versions = new BigInt64Array(FIRST_ACTIONS);
  #dead = new Uint8Array(FIRST_ACTIONS);
  readonly ids: (string | undefined)[] = [];
  readonly tables: (TableIndex | undefined)[] = [];
  readonly batches: (RecordBatch | undefined)[] = [];
  readonly #byId = new ActionsById(this);

  /** The action for a document that would be sent, or -1. */
  find(table: TableIndex, id: string): number {
    const at = this.#byId.find(table, id);
    return at >= 0 && !this.isDead(at) ? at : -1;
  }

  /** Not to be sent: a later action took its place, or it was taken out. */
  isDead(at: number): boolean {
    return this.#dead[at] === 1;
  }

  /** Whether an action of this version must be written at all: not when a newer one of the document waits here. */
  accepts(table: TableIndex, id: string, version: bigint): boolean {
    const at = this.find(table, id);
    return at < 0 || (this.versions[at] ?? 0n) <= version;
  }

  /** Notes the action whose lines were written at `[start, out.length)`. Call {@link accepts} before writing them. */
  add(entry: ActionEntry, start: number): void {
    const earlier = this.find(entry.table, entry.id);
    if (earlier >= 0) this.kill(earlier);
    const at = this.count;
    if (at === this.starts.length) this.#grow();
    this.#byId.set(entry.table, entry.id, at);
    this.starts[at] = start;
    this.ends[at] = this.out.length;
    this.sourceStarts[at] = entry.sourceStart;
    this.records[at] = entry.record;
    this.versions[at] = entry.version;
    this.#dead[at] = 0;
    this.ids[at] = entry.id;
    this.tables[at] = entry.table;
    this.batches[at] = entry.batch;
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
    if (this.isDead(at)) return;
    this.#dead[at] = 1;
    this.live -= 1;
  }

  indices(): Set<PhysicalIndex> {
    const indices = new Set<PhysicalIndex>();
    let last: TableIndex | undefined;
    for (let at = 0; at < this.count; at += 1) {
      const { [at]: table } = this.tables;
      if (table !== undefined && table !== last) indices.add(table.index);
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
    for (let at = 0; at < this.count; at += 1) if (!this.isDead(at)) actions.push(at);
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
    // let go of what they refer to, but keep their room: an array that is cut to nothing grows from nothing again
    this.ids.fill(undefined);
    this.tables.fill(undefined);
    this.batches.fill(undefined);
    this.#byId.clear();
  }

  #grow(): void {
    this.starts = longer(this.starts, Uint32Array);
    this.ends = longer(this.ends, Uint32Array);
    this.sourceStarts = longer(this.sourceStarts, Int32Array);
    this.records = longer(this.records, Uint32Array);
    this.versions = longer(this.versions, BigInt64Array);
    this.#dead = longer(this.#dead, Uint8Array);
  }
}

/** The same numbers in an array of twice the length. */
function longer<T extends { readonly length: number; set(from: T): void }>(
  column: T,
  make: new (length: number) => T,
): T {
  const larger = new make(column.length * 2);
  larger.set(column);
  return larger;
}
