import type { Socket } from 'node:net';
import { assertNever } from '@pgstream/wal-event';

/** What becomes of bytes on their way. */
export type Flow =
  | { readonly kind: 'pass' }
  | { readonly kind: 'wait' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'shape'; readonly bytes: number; readonly everyMs: number }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'reset-after'; readonly bytes: number };

/** Above it the sender is not read any more, so that its own buffers fill as they would on a network. */
const MAX_QUEUED_BYTES = 256 * 1024;

interface Queued {
  readonly bytes: Buffer;
  readonly atMs: number;
}

/** One direction of one connection. */
export class PipeEnd {
  /** Some bytes did not arrive. */
  lostBytes = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #reset: () => void;
  #flow: Flow;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #passedBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #hasEnded = false;

  constructor(from: Socket, to: Socket, flow: Flow, reset: () => void) {
    this.#from = from;
    this.#to = to;
    this.#flow = flow;
    this.#reset = reset;
    to.on('drain', () => this.#pump());
  }

  flow(flow: Flow): void {
    this.#flow = flow;
    this.#passedBytes = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump();
  }

  take(bytes: Buffer): void {
    this.#queue.push({ bytes, atMs: performance.now() });
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#from.pause();
    this.#pump();
  }

  /** The sender has finished: the receiver hears of it behind what is queued, or not at all where bytes vanish. */
  end(): void {
    this.#hasEnded = true;
    this.#pump();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#queue = [];
  }

  #pump(): void {
    if (this.#timer !== undefined) return;
    while (this.#queue.length > 0 && !this.#to.writableNeedDrain) {
      const waitMs = this.#step();
      if (waitMs === null) return;
      if (waitMs > 0) {
        this.#timer = setTimeout(() => {
          this.#timer = undefined;
          this.#pump();
        }, waitMs);
        return;
      }
    }
    const vanishes = this.#flow.kind === 'drop' || this.#flow.kind === 'wait';
    if (this.#hasEnded && this.#queue.length === 0 && !vanishes) this.#to.end();
  }

  /** Passes some bytes on. Answers how long to wait before the next step, or `null`: until the flow changes. */
  #step(): number | null {
    const flow = this.#flow;
    switch (flow.kind) {
      case 'pass':
        this.#send(Infinity);
        return 0;
      case 'wait':
        return null;
      case 'drop':
        this.lostBytes = true;
        this.#takeFirst(Infinity);
        return 0;
      case 'shape':
        this.#send(flow.bytes);
        return flow.everyMs;
      case 'delay':
        return this.#stepDelayed(flow.ms);
      case 'reset-after':
        return this.#stepToReset(flow.bytes);
      default:
        return assertNever(flow);
    }
  }

  #stepDelayed(delayMs: number): number {
    const dueMs = (this.#queue[0]?.atMs ?? 0) + delayMs - performance.now();
    if (dueMs > 0) return dueMs;
    this.#send(Infinity);
    return 0;
  }

  #stepToReset(bytes: number): number | null {
    const left = bytes - this.#passedBytes;
    if (left > 0) this.#send(left);
    if (this.#passedBytes < bytes) return 0;
    // what was written must leave before the reset takes the connection
    setImmediate(this.#reset);
    return null;
  }

  #send(bytes: number): void {
    const first = this.#takeFirst(bytes);
    this.#passedBytes += first.length;
    this.#to.write(first);
  }

  #takeFirst(limit: number): Buffer {
    const [first] = this.#queue;
    if (first === undefined) return Buffer.alloc(0);
    const taken = first.bytes.subarray(0, limit);
    if (taken.length === first.bytes.length) this.#queue.shift();
    else this.#queue[0] = { ...first, bytes: first.bytes.subarray(taken.length) };
    this.#queuedBytes -= taken.length;
    if (this.#queuedBytes <= MAX_QUEUED_BYTES && this.#from.isPaused()) this.#from.resume();
    return taken;
  }
}
