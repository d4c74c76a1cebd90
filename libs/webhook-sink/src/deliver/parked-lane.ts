import { failpoint } from '@pgstream/failure';
import type { SendResult } from '../send/sender.ts';
import type { EventRef, ParkedRow } from '../store/retry-store.ts';
import type { Ordering } from '../subscription.ts';
import type { DeliveryContext } from './delivery-context.ts';
import type { Endpoint, Outgoing } from './endpoint.ts';
import { giveUpParked, giveUpUnparked, settleParked, sizeFault, tellParked } from './exceptions.ts';
import type { LaneEvent } from './lane-options.ts';
import { keyHash } from './dependence.ts';
import { LogEvent } from './log-event.ts';
import { ParkedEvents, type ParkedEntry } from './parked-events.ts';
import { patiently } from './patiently.ts';
import { parkedWaitMs } from './schedule.ts';

export interface ParkedLaneOptions {
  readonly context: DeliveryContext;
  readonly endpoint: Endpoint;
  readonly partition: number;
  readonly parked: readonly ParkedRow[];
  /** Of the subscription, over its lanes in this process. */
  readonly parkedCount: () => number;
  readonly signal: AbortSignal;
  /** Whether the partition is ours at this moment. */
  readonly maySend: () => boolean;
  /** Something is parked no more, or is to be tried later. */
  readonly onChange: () => void;
  readonly onFailed: (cause: unknown) => void;
}

const MAX_TIMER_MS = 3_600_000;

/** The events of one subscription in one partition that left the log's order: parked and tried again by a schedule. */
export class ParkedLane {
  readonly #options: ParkedLaneOptions;
  readonly #context: DeliveryContext;
  readonly #ordering: Ordering;
  readonly #events = new ParkedEvents();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ParkedLaneOptions) {
    this.#options = options;
    this.#context = options.context;
    // That of its lane, which is another one once the subscription wants another order.
    this.#ordering = options.endpoint.subscription.ordering;
    this.#events.load(options.parked);
  }

  get size(): number {
    return this.#events.size;
  }

  get hasDue(): boolean {
    return (this.#events.nextAtMs ?? Infinity) <= Date.now();
  }

  /** Whether an event of the same row is parked. */
  holds(event: LogEvent): boolean {
    return this.#events.size > 0 && this.#events.holds(this.#hashesOf(event));
  }

  #hashesOf(event: LogEvent): readonly string[] {
    return event.keys(this.#ordering).map(keyHash);
  }

  /** Also when a dead letter was sent back. */
  load(rows: readonly ParkedRow[]): void {
    this.#events.load(rows);
    this.schedule();
  }

  /** All of them, now. */
  makeDue(): void {
    this.#events.makeDue(Date.now());
    this.schedule();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** Wakes its endpoint when the next one is due. */
  schedule(): void {
    const { signal, endpoint } = this.#options;
    clearTimeout(this.#timer);
    const at = this.#events.nextAtMs;
    if (at === undefined || signal.aborted) return;
    // Rounded up: a timer that is early by a fraction would find nothing due, and would be the last.
    const waitMs = Math.min(Math.max(0, Math.ceil(at - Date.now()) + 1), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      endpoint.wake();
      if (waitMs === MAX_TIMER_MS) this.schedule();
    }, waitMs);
  }

  /**
   * Keeps an event outside the log, so that the cursor can pass it. `result` is that of its last attempt, if it had any.
   * @returns false when it could not be: it stays where it is.
   */
  async park({ event }: LaneEvent, result: SendResult | null): Promise<boolean> {
    const { retries, observer, limits, schedule } = this.#context;
    const { parkedCount, signal } = this.#options;
    if (parkedCount() >= limits.maxParked || signal.aborted) return false;
    const wait = result === null ? 0 : (parkedWaitMs(schedule, 0, result) ?? 0);
    const hashes = this.#hashesOf(event);
    const nextAtMs = Date.now() + wait;
    const parked: ParkedEntry = { offset: event.offset, keys: hashes, failures: 0, nextAtMs };
    failpoint?.('webhook.parking');
    const isKept = await this.#kept(() =>
      retries.park({
        ...this.#ref(event.offset),
        eventId: event.id,
        keyHashes: hashes,
        attempts: 0,
        nextAtMs: parked.nextAtMs,
        lastStatus: result?.status ?? null,
        lastError: result?.reason ?? 'behind another event of the same row',
        record: event.value,
      }),
    );
    if (!isKept) return false;
    failpoint?.('webhook.parked');
    this.#events.add(parked);
    tellParked(observer, this.#ref(event.offset));
    this.schedule();
    return true;
  }

  /** It is never sent: a dead letter. @returns false when that could not be written. */
  async giveUp({ event, failures: attempts }: LaneEvent, reason: string): Promise<boolean> {
    return await this.#kept(() =>
      giveUpUnparked(this.#context, this.#ref(event.offset), { event, attempts, reason }),
    );
  }

  /** The next one that is due. */
  async take(): Promise<Outgoing | undefined> {
    const entry = this.#events.take(Date.now());
    if (entry === undefined) return undefined;
    try {
      const outgoing = await this.#outgoing(entry);
      if (outgoing === undefined || this.#maySend) return outgoing;
      // It went while the store was asked: the next owner sends it.
      this.#events.putBack(entry);
      return undefined;
    } catch (cause) {
      this.#events.putBack(entry);
      this.#failed(cause);
      return undefined;
    }
  }

  get #maySend(): boolean {
    const { signal, maySend } = this.#options;
    return !signal.aborted && maySend();
  }

  async #outgoing(entry: ParkedEntry): Promise<Outgoing | undefined> {
    const { retries, topic, budget } = this.#context;
    const ref = this.#ref(entry.offset);
    const record = await this.#stored(() => retries.recordOf(ref));
    if (record === undefined) return this.#forgotten(entry);
    const event = new LogEvent({ offset: entry.offset, commitTimeMs: 0, origin: topic }, record, budget);
    const fault = sizeFault(event, this.#options.endpoint.subscription);
    if (fault !== undefined) {
      await this.#stored(() => giveUpParked(this.#context, ref, fault));
      return this.#forgotten(entry);
    }
    return {
      event,
      attempt: entry.failures + 2,
      answered: (result) => void this.#answered(entry, result),
    };
  }

  #forgotten({ offset }: ParkedEntry): undefined {
    this.#events.remove(offset);
    this.schedule();
  }

  async #answered(entry: ParkedEntry, result: SendResult): Promise<void> {
    try {
      const isSettled = await this.#stored(() =>
        settleParked(this.#context, this.#ref(entry.offset), { entry, result }),
      );
      if (isSettled) this.#events.remove(entry.offset);
      else this.#events.putBack(entry);
    } catch (cause) {
      this.#events.putBack(entry);
      this.#failed(cause);
    }
    this.#options.onChange();
    this.schedule();
  }

  async #kept(work: () => Promise<void>): Promise<boolean> {
    try {
      await this.#stored(work);
      return true;
    } catch (cause) {
      this.#failed(cause);
      return false;
    }
  }

  #failed(cause: unknown): void {
    const { signal, onFailed } = this.#options;
    if (!signal.aborted) onFailed(cause);
  }

  async #stored<T>(work: () => Promise<T>): Promise<T> {
    const { observer } = this.#context;
    return await patiently({ observer, notice: 'store_retrying', signal: this.#options.signal }, work);
  }

  #ref(offset: number): EventRef {
    const { endpoint, partition } = this.#options;
    return { subscriptionId: endpoint.subscription.id, partition, offset };
  }
}
