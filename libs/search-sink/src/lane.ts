import { systemClock, type Clock, type PipelineError } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { BulkSender, type BulkHooks } from './bulk-sender.ts';
import { Chunk, type ActionEntry } from './chunk.ts';
import type { SearchObserver } from './observer.ts';
import type { Backoff } from './steady.ts';
import type { TableIndex } from './table-index.ts';
import type { Ticket } from './ticket.ts';

export interface LaneOptions {
  readonly store: SearchStore;
  readonly observer: SearchObserver;
  readonly hooks: BulkHooks;
  readonly maxBulkBytes: number;
  readonly maxBulkDocuments: number;
  readonly bulkTimeoutMs: number;
  readonly mayWrite: () => Promise<boolean>;
  readonly backoff: Backoff;
  readonly clock?: Clock;
  /** A bulk can never succeed: everything stops. */
  readonly onFailure: (error: PipelineError, tickets: Iterable<Ticket>) => void;
}

/**
 * An ordered row of bulks: one in flight, the next one filling meanwhile. A document always goes through the same
 * lane, so that its changes reach the index in order. Sends when idle, grows when busy.
 */
export class BulkLane {
  readonly #options: LaneOptions;
  readonly #sender: BulkSender;
  readonly #waiting: Chunk[] = [];
  readonly #spare: Chunk[] = [];
  #flying: Chunk | null = null;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;
  /** Running calls of {@link drain}. */
  #drains = 0;
  #held: NodeJS.Timeout | undefined;
  /** What waits has been held back once, and is not again. */
  #wasHeld = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#sender = new BulkSender({ ...options, clock: options.clock ?? systemClock });
  }

  get idle(): boolean {
    return this.#flying === null && this.#waiting.length === 0;
  }

  /** Actions in the chunk that takes the next one. */
  get filling(): number {
    return this.#waiting.at(-1)?.count ?? 0;
  }

  /** Actions that wait or fly. */
  get pendingDocuments(): number {
    return this.waitingDocuments + (this.#flying?.live ?? 0);
  }

  /** Actions that wait behind the bulk in flight. */
  get waitingDocuments(): number {
    let sum = 0;
    for (const chunk of this.#waiting) sum += chunk.live;
    return sum;
  }

  /** The chunk that takes the next action. */
  open(): Chunk {
    const last = this.#waiting.at(-1);
    const { maxBulkBytes, maxBulkDocuments } = this.#options;
    if (last !== undefined && last.out.length < maxBulkBytes && last.count < maxBulkDocuments) return last;
    const chunk = this.#spare.pop() ?? new Chunk();
    this.#waiting.push(chunk);
    return chunk;
  }

  /** The newest pending action for a document, the one in flight included; `null` where none is. */
  pending(table: TableIndex, id: string): { chunk: Chunk; at: number } | null {
    for (let i = this.#waiting.length - 1; i >= 0; i -= 1) {
      const { [i]: chunk } = this.#waiting;
      const at = chunk?.find(table, id) ?? -1;
      if (chunk !== undefined && at >= 0) return { chunk, at };
    }
    const at = this.#flying?.find(table, id) ?? -1;
    return this.#flying !== null && at >= 0 ? { chunk: this.#flying, at } : null;
  }

  /** The actions for a document that wait behind the bulk in flight, oldest first. */
  waiting(table: TableIndex, id: string): Array<{ chunk: Chunk; at: number }> {
    return this.#waiting.flatMap((chunk) => {
      const at = chunk.find(table, id);
      return at < 0 ? [] : [{ chunk, at }];
    });
  }

  add(chunk: Chunk, entry: ActionEntry, start: number, ticket: Ticket): void {
    chunk.add(entry, start);
    chunk.join(ticket);
  }

  /** Sends what waits, if nothing is in flight and it need not wait for its refresh. */
  kick(): void {
    if (this.#flying !== null || this.#stopped || this.#held !== undefined) return;
    this.#flying = this.#next();
    if (this.#flying !== null) this.#running = this.#run();
  }

  /** Resolves when nothing waits or flies. */
  async drain(): Promise<void> {
    this.#drains += 1;
    try {
      while (!this.idle && !this.#stopped) {
        this.#release();
        // oxlint-disable-next-line no-await-in-loop -- one bulk after the other, until none is left
        await this.#running;
      }
    } finally {
      this.#drains -= 1;
    }
  }

  /** Drops what belongs to a source lane; a bulk in flight that has some of it is cut off and sent without it. */
  revoke(sourceLane: number): void {
    for (const chunk of this.#waiting) dropLane(chunk, sourceLane);
    if (this.#flying !== null && dropLane(this.#flying, sourceLane)) this.#sender.restart();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#held);
    this.#sender.stop();
  }

  /** The chunk to be sent now; `null` where none waits, or where it is worth waiting a moment. */
  #next(): Chunk | null {
    const { length, [0]: next } = this.#waiting;
    if (next === undefined) return null;
    const mayWait = length === 1 && this.#drains === 0 && !this.#wasHeld;
    const holdMs = mayWait ? this.#options.hooks.holdMs(next) : 0;
    if (holdMs > 0) {
      this.#wasHeld = true;
      this.#held = setTimeout(() => this.#release(), holdMs);
      return null;
    }
    this.#wasHeld = false;
    return this.#waiting.shift() ?? null;
  }

  /** Ends the wait of what is held back. */
  #release(): void {
    clearTimeout(this.#held);
    this.#held = undefined;
    this.kick();
  }

  async #run(): Promise<void> {
    for (;;) {
      const { [0]: chunk } = [this.#flying];
      if (chunk === null || chunk === undefined) return;
      // oxlint-disable-next-line no-await-in-loop -- one bulk in flight per lane: that is its order
      const error = await this.#sender.send(chunk);
      if (error !== null) {
        this.#stopped = true;
        this.#options.onFailure(error, [
          ...chunk.tickets,
          ...this.#waiting.flatMap(({ tickets }) => [...tickets]),
        ]);
        return;
      }
      this.#flying = this.#next();
      this.#finish(chunk);
    }
  }

  #finish(chunk: Chunk): void {
    const tickets = [...chunk.tickets];
    const indices = chunk.indices();
    const documents = chunk.count;
    chunk.reset();
    if (this.#spare.length < 2) this.#spare.push(chunk);
    for (const ticket of tickets) ticket.release();
    this.#options.hooks.written(indices, documents, this.#sender.refreshed);
  }
}

/** Whether the chunk had actions of this source lane. */
function dropLane(chunk: Chunk, sourceLane: number): boolean {
  let found = false;
  for (let at = 0; at < chunk.count; at += 1) {
    if (chunk.batches[at]?.lane !== sourceLane || chunk.isDead(at)) continue;
    chunk.kill(at);
    found = true;
  }
  return found;
}
