import type { BulkLane } from './lane.ts';
import type { Chunk } from './chunk.ts';
import type { TableIndex } from './table-index.ts';

/** Actions in one chunk of the first lane from which on the others help. */
const SPREAD_AT = 256;

/**
 * The sink's bulks in flight. While little is waiting everything goes through the first lane, so that one bulk (and the
 * refresh that it carries) takes all that came while the last one was under way; when much is waiting, documents are
 * spread over all lanes.
 *
 * Changes of a document take effect in order: a document is in one lane at a time. It has a home among the lanes, and
 * goes home only when nothing of it waits or flies in the first one.
 */
export class BulkLanes {
  readonly all: readonly BulkLane[];
  readonly #first: BulkLane;
  #calm = true;
  /** The first lane has documents that are at home elsewhere, or had at the end of the last batch. */
  #mixed = false;

  constructor(lanes: readonly BulkLane[]) {
    const [first] = lanes;
    if (first === undefined) throw new RangeError('no bulk lanes');
    this.all = lanes;
    this.#first = first;
  }

  /** Where the next action for a document goes. */
  placeOf(table: TableIndex, id: string): BulkLane {
    if (this.#calm) {
      if (this.#first.filling < SPREAD_AT) {
        this.#mixed = true;
        this.#first.open().mixed = true;
        return this.#first;
      }
      this.#calm = false;
    }
    const home = this.#homeOf(id);
    if (this.#mixed && home !== this.#first && this.#first.pending(table, id) !== null) return this.#first;
    return home;
  }

  /** The newest pending action for a document, those in flight included; `null` where none is. */
  pending(table: TableIndex, id: string): { chunk: Chunk; at: number } | null {
    const found = this.#mixed ? this.#first.pending(table, id) : null;
    if (found !== null || this.#calm) return found;
    return this.#homeOf(id).pending(table, id);
  }

  /** Actions that wait behind bulks in flight. */
  get waitingDocuments(): number {
    return this.all.reduce((sum, lane) => sum + lane.waitingDocuments, 0);
  }

  /** Sends what waits. Called after each batch. */
  kick(): void {
    for (const lane of this.all) lane.kick();
    this.#mixed = this.#first.isMixed;
    if (!this.#calm && this.#first.filling < SPREAD_AT)
      this.#calm = this.all.every((lane) => lane === this.#first || lane.idle);
  }

  async drain(): Promise<void> {
    await Promise.all(this.all.map(async (lane) => lane.drain()));
  }

  revoke(sourceLane: number): void {
    for (const lane of this.all) lane.revoke(sourceLane);
  }

  stop(): void {
    for (const lane of this.all) lane.stop();
  }

  #homeOf(id: string): BulkLane {
    const { all } = this;
    let hash = 0x811c9dc5;
    for (let i = 0; i < id.length; i += 1) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
    return all[(hash >>> 0) % all.length] ?? this.#first;
  }
}
