import { once } from 'node:events';
import { failpoint } from '@pgstream/failure';
import type { SendResult } from '../send/sender.ts';
import type { LaneState, StoredCursor } from '../store/cursor-store.ts';
import type { ParkedRow } from '../store/retry-store.ts';
import type { DeliveryContext } from './delivery-context.ts';
import type { Endpoint, Outgoing, OutgoingSource } from './endpoint.ts';
import { feed } from './feed.ts';
import { giveUpParked, giveUpUnparked, settleParked, sizeFault, tellParked } from './exceptions.ts';
import { Lane, type LaneEvent } from './lane.ts';
import { LogEvent } from './log-event.ts';
import { ParkedEvents, type ParkedEntry } from './parked-events.ts';
import { patiently } from './patiently.ts';
import { parkedWaitMs, retryWaitMs } from './schedule.ts';

export interface SubscriptionLaneOptions {
  readonly context: DeliveryContext;
  readonly endpoint: Endpoint;
  readonly partition: number;
  /** Once it has another generation in the store, this lane moves it no more. */
  readonly cursor: StoredCursor;
  readonly parked: readonly ParkedRow[];
  /** The offset up to which the live reading of the partition has come, or is just coming. */
  readonly liveNext: () => number;
  /** Of the subscription, over its lanes in this process. */
  readonly parkedCount: () => number;
  readonly onFailed: (cause: unknown) => void;
}

/** How long an event waits that cannot be parked because too many are. */
const PARK_AGAIN_MS = 1_000;
const MAX_TIMER_MS = 3_600_000;

/**
 * One subscription in one partition.
 *
 * - `attached`: the live reading offers it events.
 * - `catching_up`: it reads the log by itself, until it has come to the live reading.
 * - `detached`: its endpoint takes nothing; it holds nothing and waits for the circuit, then it catches up.
 */
export class SubscriptionLane implements OutgoingSource {
  readonly endpoint: Endpoint;
  readonly partition: number;
  readonly generation: number;
  readonly parked = new ParkedEvents();
  readonly lane: Lane;
  readonly #options: SubscriptionLaneOptions;
  readonly #context: DeliveryContext;
  readonly #stopping = new AbortController();
  #state: LaneState = 'catching_up';
  /** It is younger than the subscription: what the log has lost of it was never owed. */
  #isNewPartition: boolean;
  #feeding: Promise<void> = Promise.resolve();
  readonly #progress: Array<() => void> = [];
  #timer: NodeJS.Timeout | undefined;
  /** Ticks of when something was settled last, or there was nothing to settle. */
  #settledAtMs = performance.now();

  constructor(options: SubscriptionLaneOptions) {
    const { context, endpoint, partition, parked } = options;
    // Every partition that there was got a cursor with the subscription: one without is younger, and wanted whole.
    const cursor = options.cursor.nextOffset ?? 0;
    this.#options = options;
    this.#context = context;
    this.endpoint = endpoint;
    this.partition = partition;
    this.generation = options.cursor.generation;
    this.#isNewPartition = options.cursor.nextOffset === null;
    this.parked.load(parked);
    this.lane = new Lane({
      partition,
      cursor,
      ordering: endpoint.subscription.ordering,
      maxEvents: context.limits.maxWindowEvents,
      maxBytes: context.limits.maxWindowBytes,
      isParked: (keys) => this.parked.holds(keys),
      onParked: (entry) => void this.#park(entry, null),
      onChange: () => this.#changed(),
    });
    endpoint.add(this);
    if (cursor >= options.liveNext() && endpoint.circuitState !== 'open') this.#state = 'attached';
    else this.#startFeeding();
    this.#scheduleParked();
  }

  get id(): string {
    return this.endpoint.subscription.id;
  }

  get state(): LaneState {
    return this.#state;
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Whether the live reading waits for it before it may be committed. */
  get isAttached(): boolean {
    return this.#state === 'attached';
  }

  get isStalled(): boolean {
    return performance.now() - this.#settledAtMs > this.#context.limits.stalledAfterMs;
  }

  get hasRoom(): boolean {
    // Once it is stopped what it is offered is nobody's to wait for.
    if (this.signal.aborted) return true;
    return this.lane.hasRoom && (!this.#context.budget.isFull || this.lane.unsettled === 0);
  }

  offer(event: LogEvent): void {
    if (this.lane.unsettled === 0) this.#settledAtMs = performance.now();
    this.lane.offer(event);
  }

  /** Resolves at the next change, or after `timeoutMs`. */
  async progress(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#progress.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Reads for itself from here on; what it holds it keeps. */
  leaveLive(): void {
    if (this.#state !== 'attached') return;
    this.#notice('lane_detached', 'slow');
    this.#setState('catching_up');
    this.#startFeeding();
  }

  /** The endpoint takes nothing: what is not settled is read again once it does. */
  circuitOpened(): void {
    if (this.#state !== 'detached') this.#notice('lane_detached', 'circuit open');
    failpoint?.('webhook.detaching');
    const wasAttached = this.#state === 'attached';
    this.#setState('detached');
    if (wasAttached) this.#startFeeding();
    else this.#changed();
  }

  circuitClosed(): void {
    this.parked.makeDue(Date.now());
    this.#scheduleParked();
    this.endpoint.wake();
  }

  /** Also when a dead letter was sent back. */
  loadParked(rows: readonly ParkedRow[]): void {
    this.parked.load(rows);
    this.#scheduleParked();
  }

  /** Takes nothing more; resolves when what was under way has ended, at the latest with the abort of `deadline`. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    this.endpoint.remove(this);
    clearTimeout(this.#timer);
    this.#changed();
    const late = deadline.aborted ? undefined : once(deadline, 'abort');
    await Promise.race([Promise.all([this.lane.untilIdle(), this.#feeding]), late]);
    // What it holds counts for the budget of all.
    this.lane.close();
  }

  get hasOutgoing(): boolean {
    return this.lane.hasReady || (this.parked.nextAtMs ?? Infinity) <= Date.now();
  }

  async takeOutgoing(): Promise<Outgoing | undefined> {
    const entry = this.lane.take();
    if (entry !== undefined) {
      const fault = sizeFault(entry.event, this.endpoint.subscription);
      if (fault !== undefined) return void this.#giveUp(entry, fault);
      const attempt = entry.failures + 1;
      return { event: entry.event, attempt, answered: (result) => this.#answered(entry, result) };
    }
    const parked = this.parked.take(Date.now());
    return parked === undefined ? undefined : await this.#takeParked(parked);
  }

  #answered(entry: LaneEvent, result: SendResult): void {
    if (result.isDelivered) return this.#settled(entry);
    const { schedule } = this.#context;
    const now = performance.now();
    entry.failures++;
    entry.firstFailedAtMs ??= now;
    const isStubborn = result.fault === 'event' && now - entry.firstFailedAtMs >= schedule.parkAfterMs;
    if (isStubborn && this.endpoint.subscription.ordering !== 'partition') void this.#park(entry, result);
    else this.lane.failed(entry, retryWaitMs(schedule, entry.failures, result));
  }

  #settled(entry: LaneEvent): void {
    this.#settledAtMs = performance.now();
    this.lane.settled(entry);
  }

  /** It is never sent: a dead letter, and the cursor passes it. */
  async #giveUp(entry: LaneEvent, reason: string): Promise<void> {
    const { event, failures: attempts } = entry;
    try {
      await this.#stored(() =>
        giveUpUnparked(this.#context, this.#ref(event.offset), { event, attempts, reason }),
      );
      this.#settled(entry);
    } catch (cause) {
      if (!this.signal.aborted) this.#options.onFailed(cause);
      this.lane.failed(entry, PARK_AGAIN_MS);
    }
  }

  /** Kept outside the log, so that the cursor can pass it. `result` is that of its last attempt, if it had any. */
  async #park(entry: LaneEvent, result: SendResult | null): Promise<void> {
    const { retries, observer, limits, schedule } = this.#context;
    if (this.#options.parkedCount() >= limits.maxParked || this.signal.aborted) {
      return this.lane.failed(entry, PARK_AGAIN_MS);
    }
    const { event, keys } = entry;
    const wait = result === null ? 0 : (parkedWaitMs(schedule, 0, result) ?? 0);
    const parked: ParkedEntry = { offset: event.offset, keys, failures: 0, nextAtMs: Date.now() + wait };
    failpoint?.('webhook.parking');
    try {
      await this.#stored(() =>
        retries.park({
          ...this.#ref(event.offset),
          eventId: event.id,
          keyHashes: keys,
          attempts: 0,
          nextAtMs: parked.nextAtMs,
          lastStatus: result?.status ?? null,
          lastError: result?.reason ?? 'behind another event of the same row',
          record: event.value,
        }),
      );
    } catch (cause) {
      if (!this.signal.aborted) this.#options.onFailed(cause);
      return this.lane.failed(entry, PARK_AGAIN_MS);
    }
    failpoint?.('webhook.parked');
    // Before it counts as settled: what comes behind it for the same rows asks whether they are parked.
    this.parked.add(parked);
    this.#settled(entry);
    tellParked(observer, this.#ref(event.offset));
    this.#scheduleParked();
  }

  async #takeParked(entry: ParkedEntry): Promise<Outgoing | undefined> {
    const { retries, topic, budget } = this.#context;
    const ref = this.#ref(entry.offset);
    try {
      const record = await this.#stored(() => retries.recordOf(ref));
      if (record === undefined) {
        this.parked.remove(entry.offset);
        return undefined;
      }
      const event = new LogEvent({ offset: entry.offset, commitTimeMs: 0, origin: topic }, record, budget);
      const fault = sizeFault(event, this.endpoint.subscription);
      if (fault !== undefined) {
        await this.#stored(() => giveUpParked(this.#context, ref, fault));
        this.parked.remove(entry.offset);
        return undefined;
      }
      return {
        event,
        attempt: entry.failures + 2,
        answered: (result) => void this.#parkedAnswered(entry, result),
      };
    } catch (cause) {
      this.parked.putBack(entry);
      if (!this.signal.aborted) this.#options.onFailed(cause);
      return undefined;
    }
  }

  async #parkedAnswered(entry: ParkedEntry, result: SendResult): Promise<void> {
    try {
      const isSettled = await this.#stored(() =>
        settleParked(this.#context, this.#ref(entry.offset), { entry, result }),
      );
      if (isSettled) this.parked.remove(entry.offset);
      else this.parked.putBack(entry);
    } catch (cause) {
      this.parked.putBack(entry);
      if (!this.signal.aborted) this.#options.onFailed(cause);
    }
    this.#changed();
    this.#scheduleParked();
  }

  #startFeeding(): void {
    const { context, liveNext, onFailed } = this.#options;
    this.#feeding = feed({
      context,
      target: this,
      attach: () => {
        // Asked and answered at once: no batch of the live reading can come in between.
        if (this.lane.offered < liveNext() || this.endpoint.circuitState === 'open') return false;
        failpoint?.('webhook.attaching');
        this.#setState('attached');
        this.#notice('lane_attached', 'caught up');
        return true;
      },
      mayHaveGap: () => !this.#isNewPartition,
    }).catch((cause: unknown) => {
      if (!this.signal.aborted) onFailed(cause);
    });
  }

  /** For the reading: it may go on after the circuit was open. */
  resumed(): void {
    this.#isNewPartition = false;
    if (this.#state === 'detached') this.#setState('catching_up');
  }

  #setState(state: LaneState): void {
    this.#state = state;
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#progress.splice(0)) wake();
    this.endpoint.wake();
    this.#context.onProgress(this.partition);
  }

  #scheduleParked(): void {
    clearTimeout(this.#timer);
    const at = this.parked.nextAtMs;
    if (at === undefined || this.signal.aborted) return;
    // Rounded up: a timer that is early by a fraction would find nothing due, and would be the last.
    const waitMs = Math.min(Math.max(0, Math.ceil(at - Date.now()) + 1), MAX_TIMER_MS);
    this.#timer = setTimeout(() => {
      this.endpoint.wake();
      if (waitMs === MAX_TIMER_MS) this.#scheduleParked();
    }, waitMs);
  }

  async #stored<T>(work: () => Promise<T>): Promise<T> {
    const { observer } = this.#context;
    return await patiently({ observer, notice: 'store_retrying', signal: this.signal }, work);
  }

  #ref(offset: number) {
    return { subscriptionId: this.id, partition: this.partition, offset };
  }

  #notice(event: 'lane_detached' | 'lane_attached', why: string): void {
    const { id: subscription, partition } = this;
    this.#context.observer.notice?.(event, { subscription, partition, offset: this.lane.cursor, why });
  }
}
