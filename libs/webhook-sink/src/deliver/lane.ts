import { Fifo, LinkedOrder } from '@pgstream/flow';
import { RowChains } from './row-chains.ts';
import type { Failing, LaneEvent, LaneOptions, LanePlace } from './lane-options.ts';
import type { LogEvent } from './log-event.ts';

/**
 * The events of one partition for one subscription, between being read and being settled, in a bounded window.
 *
 * Each event is in exactly one place: `#waiting` (behind a barrier), in the chains of its rows, among `#ready` (head of
 * all its chains), or taken. The cursor is the offset of the oldest unsettled event, or where reading has come to.
 */
export class Lane {
  readonly partition: number;
  /** Everything before it was offered or is not wanted. */
  offered: number;
  readonly #options: LaneOptions;
  /** In the order of the log. */
  readonly #pending = new LinkedOrder<LaneEvent>();
  readonly #chains = new RowChains();
  readonly #timers = new Map<LaneEvent, NodeJS.Timeout>();
  /** Settled beyond the cursor: not delivered again when the window is read again. */
  readonly #ahead: Set<number>;
  /** How many were added to them, and how many of these the store knows. */
  #aheadCount = 0;
  #storedAheadCount = 0;
  readonly #failing = new Map<number, Failing>();
  /** Offered and not behind the stored cursor, less what was let go of: what may come twice after a crash. */
  readonly #repeatable = new Set<number>();
  #storedCursor: number;
  readonly #waiting = new Fifo<LaneEvent>();
  readonly #ready = new Fifo<LaneEvent>();
  #barrier: LaneEvent | undefined;
  /** In chains, ready or taken. */
  #admitted = 0;
  #taken = 0;
  #bytes = 0;
  #dropping = false;
  #isClosed = false;
  readonly #idle: Array<() => void> = [];

  constructor(options: LaneOptions) {
    this.#options = options;
    this.partition = options.partition;
    this.offered = options.cursor;
    this.#storedCursor = options.cursor;
    this.#ahead = new Set(options.ahead);
  }

  get cursor(): number {
    return this.#pending.first?.event.offset ?? this.offered;
  }

  /** What the store holds: whoever owns the partition after a crash begins there. */
  get storedCursor(): number {
    return this.#storedCursor;
  }

  /** What the store is to know; {@link stored} takes it back. */
  get place(): LanePlace {
    return { cursor: this.cursor, ahead: [...this.#ahead], aheadCount: this.#aheadCount };
  }

  /** Something is settled of which the store does not know. */
  get isUnstored(): boolean {
    return this.cursor !== this.#storedCursor || this.#aheadCount !== this.#storedAheadCount;
  }

  /** The store is behind by so much that it soon leaves no room. */
  get isStoreDue(): boolean {
    const settled = this.#repeatable.size - this.#pending.size - this.#ahead.size;
    return settled * 2 >= this.#options.maxEvents;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get unsettled(): number {
    return this.#pending.size;
  }

  get hasRoom(): boolean {
    const { maxEvents, maxBytes } = this.#options;
    return !this.#dropping && this.#repeatable.size < maxEvents && this.#bytes < maxBytes;
  }

  /** Commit time of the oldest unsettled event, milliseconds since 1970; `undefined` without one. */
  get oldestCommitMs(): number | undefined {
    return this.#pending.first?.event.commitTimeMs;
  }

  /** Takes over the event at {@link offered} or behind it; what was offered before stays as it is. Ask {@link hasRoom} first. */
  offer(event: LogEvent): void {
    if (this.#isClosed || event.offset < this.offered) return;
    this.offered = event.offset + 1;
    this.#repeatable.add(event.offset);
    if (this.#ahead.has(event.offset)) {
      // Remembered until the cursor has passed it: the window may be dropped once more before that.
      if (this.#pending.size === 0) this.#ahead.delete(event.offset);
      return;
    }
    const failing = this.#failing.get(event.offset);
    const { rows, isBarrier } = event.dependence(this.#options.ordering);
    const entry: LaneEvent = {
      event,
      rows,
      isBarrier,
      bytes: event.bytes,
      failures: failing?.failures ?? 0,
      firstFailedAtMs: failing?.firstFailedAtMs,
      order: undefined,
      earlier: undefined,
      later: undefined,
    };
    event.hold();
    this.#bytes += entry.bytes;
    this.#pending.append(entry);
    this.#waiting.push(entry);
    this.#admit();
  }

  /** Nothing before `offset` is wanted beyond what was offered. */
  pass(offset: number): void {
    if (offset > this.offered && !this.#isClosed) this.offered = offset;
  }

  /** The next event to send; it comes back through {@link settled} or {@link failed}. */
  take(): LaneEvent | undefined {
    if (this.#dropping) return undefined;
    const next = this.#ready.take();
    if (next !== undefined) this.#taken++;
    return next;
  }

  get hasReady(): boolean {
    return !this.#dropping && this.#ready.length > 0;
  }

  /** Something is taken, or can be. */
  get isSending(): boolean {
    return this.#taken > 0 || this.#ready.length > 0;
  }

  /** Delivered, or durable elsewhere. Also for events that went to `onParked`. */
  settled(entry: LaneEvent): void {
    this.#end();
    const { offset } = entry.event;
    this.#failing.delete(offset);
    if (!this.#pending.delete(entry)) return;
    this.#bytes -= entry.bytes;
    entry.event.letGo();
    if (offset > this.cursor) {
      this.#ahead.add(offset);
      this.#aheadCount++;
    } else this.#forgetBehind();
    this.#advance(entry);
    this.#options.onChange();
  }

  /** The store holds this place now. */
  stored({ cursor, aheadCount }: Pick<LanePlace, 'cursor' | 'aheadCount'>): void {
    const hadRoom = this.hasRoom;
    this.#storedCursor = cursor;
    this.#storedAheadCount = aheadCount;
    for (const offset of this.#repeatable) if (offset < cursor) this.#repeatable.delete(offset);
    this.#forgetBehind();
    if (!hadRoom && this.hasRoom) this.#options.onChange();
  }

  /** What was settled out of order counts no more: others of its rows are wanted now, and come before it again. */
  forgetAhead(): void {
    this.#ahead.clear();
    this.#aheadCount++;
  }

  /** An attempt failed, or it could not be parked: ready again after `waitMs`. */
  failed(entry: LaneEvent, waitMs: number): void {
    const { failures, firstFailedAtMs } = entry;
    this.#failing.set(entry.event.offset, { failures, firstFailedAtMs });
    // Of a window that was let go of, it is offered again.
    if (!this.#dropping && entry.order !== undefined) {
      const timer = setTimeout(() => {
        this.#timers.delete(entry);
        this.#makeReady(entry);
      }, waitMs);
      this.#timers.set(entry, timer);
    }
    this.#end();
  }

  /**
   * Lets go of the window: what is not settled is to be offered again, from {@link offered} on. Waits for what is taken.
   * @returns false where that was under way already.
   */
  async drop(): Promise<boolean> {
    if (this.#dropping) return false;
    this.#dropping = true;
    this.#stopTimers();
    // oxlint-disable-next-line no-await-in-loop -- until none is
    while (this.#taken > 0) await this.untilIdle();
    if (this.#isClosed) return true;
    this.#forget();
    this.#dropping = false;
    this.#options.onChange();
    return true;
  }

  /**
   * Holds nothing from now on, and its cursor stands still: whoever owns the partition next begins there. What is taken may
   * come back, and counts no more.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#dropping = true;
    this.#stopTimers();
    this.#forget();
    this.#isClosed = true;
  }

  #stopTimers(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #forget(): void {
    this.offered = this.cursor;
    for (const { event } of this.#pending.all()) {
      event.letGo();
      this.#repeatable.delete(event.offset);
    }
    this.#pending.clear();
    this.#chains.clear();
    this.#waiting.clear();
    this.#ready.clear();
    this.#barrier = undefined;
    this.#admitted = 0;
    this.#bytes = 0;
    this.#forgetBehind();
  }

  /** Resolves when nothing is taken. */
  async untilIdle(): Promise<void> {
    if (this.#taken > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #end(): void {
    this.#taken--;
    if (this.#taken === 0) for (const wake of this.#idle.splice(0)) wake();
  }

  #forgetBehind(): void {
    const { cursor } = this;
    for (const offset of this.#ahead) if (offset < cursor) this.#ahead.delete(offset);
  }

  #admit(): void {
    while (this.#barrier === undefined) {
      const next = this.#waiting.first;
      if (next === undefined || (next.isBarrier && this.#admitted > 0)) return;
      this.#waiting.take();
      this.#admitted++;
      if (next.isBarrier) this.#barrier = next;
      if (this.#chains.add(next)) this.#makeReady(next);
    }
  }

  #makeReady(entry: LaneEvent): void {
    // It goes with the window: nothing is begun with what is offered again.
    if (this.#dropping) return;
    if (this.#options.isParked(entry.event)) {
      this.#taken++;
      this.#options.onParked(entry);
      return;
    }
    this.#ready.push(entry);
    this.#options.onChange();
  }

  #advance(entry: LaneEvent): void {
    this.#admitted--;
    if (this.#barrier === entry) this.#barrier = undefined;
    for (const head of this.#chains.remove(entry)) this.#makeReady(head);
    this.#admit();
  }
}
