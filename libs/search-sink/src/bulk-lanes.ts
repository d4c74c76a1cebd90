import type { BulkLane } from './lane.ts';
import type { Chunk } from './chunk.ts';
import type { TableIndex } from './table-index.ts';

/** Actions in one chunk of the first lane from which on the others help. */
const SPREAD_AT = 256;
/** Actions that a lane takes in a row before another one has its turn, where the batch does not end first. */
const TURN = 1000;

/**
 * The sink's bulks in flight. While little is waiting everything goes through the first lane, so that one bulk (and the
 * refresh that it carries) takes all that came while the last one was under way. When much is waiting, the lanes take
 * turns, each batch to the one that has the least to do: a batch whose documents are spread over all lanes would settle,
 * and make room for another, only with the slowest of them.
 *
 * Changes of a document take effect in order: a document is in one lane at a time. Where something of it waits or flies,
 * there its next change goes.
 */
export class BulkLanes {
  readonly all: readonly BulkLane[];
  readonly #first: BulkLane;
  #current: BulkLane;
  /** Lanes that may hold documents, but for the current one. */
  readonly #others: BulkLane[] = [];
  #left = TURN;
  #calm = true;

  constructor(lanes: readonly BulkLane[]) {
    const [first] = lanes;
    if (first === undefined) throw new RangeError('no bulk lanes');
    this.all = lanes;
    this.#first = first;
    this.#current = first;
  }

  /** Where the next action for a document goes. */
  placeOf(table: TableIndex, id: string): BulkLane {
    if (this.#left === 0) {
      this.#calm = false;
      this.#turn(this.#idlest());
    }
    for (const lane of this.#others) if (lane.pending(table, id) !== null) return lane;
    this.#left -= 1;
    return this.#current;
  }

  /** The newest pending action for a document, those in flight included; `null` where none is. */
  pending(table: TableIndex, id: string): { chunk: Chunk; at: number } | null {
    for (const lane of this.#others) {
      const found = lane.pending(table, id);
      if (found !== null) return found;
    }
    return this.#current.pending(table, id);
  }

  /** Actions that wait behind bulks in flight. */
  get waitingDocuments(): number {
    return this.all.reduce((sum, lane) => sum + lane.waitingDocuments, 0);
  }

  /** Sends what waits. Called after each batch. */
  kick(): void {
    for (const lane of this.all) lane.kick();
    this.#calm =
      this.#first.filling < SPREAD_AT &&
      (this.#calm || this.all.every((lane) => lane === this.#first || lane.idle));
    this.#turn(this.#calm ? this.#first : this.#idlest());
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

  #turn(lane: BulkLane): void {
    this.#current = lane;
    this.#left = this.#calm ? SPREAD_AT - lane.filling : TURN;
    this.#others.length = 0;
    // A lane that is idle now takes documents only when its turn comes.
    for (const other of this.all) if (other !== lane && !other.idle) this.#others.push(other);
  }

  #idlest(): BulkLane {
    let idlest = this.#first;
    for (const lane of this.all) if (lane.pendingDocuments < idlest.pendingDocuments) idlest = lane;
    return idlest;
  }
}
