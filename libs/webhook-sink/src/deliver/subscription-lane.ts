import { once } from 'node:events';
import { failpoint } from '@pgstream/failure';
import type { SendResult } from '../send/sender.ts';
import type { LaneState, StoredCursor } from '../store/cursor-store.ts';
import type { ParkedRow } from '../store/retry-store.ts';
import type { DeliveryContext } from './delivery-context.ts';
import type { Endpoint, Outgoing, OutgoingSource } from './endpoint.ts';
import { feed } from './feed.ts';
import { sizeFault } from './exceptions.ts';
import { Lane } from './lane.ts';
import type { LaneEvent } from './lane-options.ts';
import type { LogEvent } from './log-event.ts';
import { ParkedLane } from './parked-lane.ts';
import { retryWaitMs } from './schedule.ts';

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
  /** Whether the partition is ours at this moment; where it does not know, its endpoint is woken later. */
  readonly maySend: () => boolean;
  readonly onFailed: (cause: unknown) => void;
}

/** How long an event waits that cannot be parked because too many are. */
const PARK_AGAIN_MS = 1_000;

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
  readonly parked: ParkedLane;
  readonly lane: Lane;
  readonly #options: SubscriptionLaneOptions;
  readonly #context: DeliveryContext;
  readonly #stopping = new AbortController();
  #state: LaneState = 'catching_up';
  /** It is younger than the subscription: what the log has lost of it was never owed. */
  #isNewPartition: boolean;
  #feeding: Promise<void> = Promise.resolve();
  readonly #progress: Array<() => void> = [];
  /** Ticks of when something was settled last, or there was nothing to settle. */
  #settledAtMs = performance.now();

  constructor(options: SubscriptionLaneOptions) {
    const { context, endpoint, partition } = options;
    // Every partition that there was got a cursor with the subscription: one without is younger, and wanted whole.
    const cursor = options.cursor.nextOffset ?? 0;
    this.#options = options;
    this.#context = context;
    this.endpoint = endpoint;
    this.partition = partition;
    this.generation = options.cursor.generation;
    this.#isNewPartition = options.cursor.nextOffset === null;
    this.parked = new ParkedLane({
      ...options,
      signal: this.signal,
      onChange: () => this.#changed(),
    });
    this.lane = new Lane({
      partition,
      cursor,
      ahead: options.cursor.ahead,
      ordering: endpoint.subscription.ordering,
      maxEvents: context.limits.maxWindowEvents,
      maxBytes: context.limits.maxWindowBytes,
      isParked: (event) => this.parked.holds(event),
      onParked: (entry) => void this.#park(entry, null),
      onChange: () => this.#changed(),
    });
    endpoint.add(this);
    if (cursor >= options.liveNext() && endpoint.circuitState !== 'open') this.#state = 'attached';
    else this.#startFeeding();
    this.parked.schedule();
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

  /** Its endpoint takes nothing: not so one that waits for its cursor to be stored, as all others then do. */
  get isStalled(): boolean {
    return (
      this.lane.unsettled > 0 && performance.now() - this.#settledAtMs > this.#context.limits.stalledAfterMs
    );
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

  /** Resolves when there is room, when its state is another one, or after `timeoutMs`. */
  async progress(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#progress.splice(this.#progress.indexOf(wake), 1);
        resolve();
      }, timeoutMs);
      this.#progress.push(wake);
    });
  }

  /** Reads for itself from here on; what it holds it keeps. */
  leaveLive(): void {
    if (this.#state !== 'attached') return;
    this.#isNewPartition = false;
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
    this.parked.makeDue();
    // More than a probe may be offered now.
    this.#changed();
  }

  /** Takes nothing more; resolves when what was under way has ended, at the latest with the abort of `deadline`. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#stopping.abort();
    this.endpoint.remove(this);
    this.parked.stop();
    this.#changed();
    const late = deadline.aborted ? undefined : once(deadline, 'abort');
    await Promise.race([Promise.all([this.lane.untilIdle(), this.#feeding]), late]);
    // What it holds counts for the budget of all.
    this.lane.close();
  }

  get hasOutgoing(): boolean {
    return (this.lane.hasReady || this.parked.hasDue) && this.#options.maySend();
  }

  takeOutgoing(): Promise<Outgoing | undefined> | Outgoing | undefined {
    const entry = this.lane.take();
    if (entry !== undefined) {
      const fault = sizeFault(entry.event, this.endpoint.subscription);
      if (fault !== undefined) return void this.#giveUp(entry, fault);
      const attempt = entry.failures + 1;
      return { event: entry.event, attempt, answered: (result) => this.#answered(entry, result) };
    }
    return this.parked.take();
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
    if (await this.parked.giveUp(entry, reason)) this.#settled(entry);
    else this.lane.failed(entry, PARK_AGAIN_MS);
  }

  async #park(entry: LaneEvent, result: SendResult | null): Promise<void> {
    // It counts as parked before it counts as settled: what comes behind it for the same rows asks.
    if (await this.parked.park(entry, result)) this.#settled(entry);
    else this.lane.failed(entry, PARK_AGAIN_MS);
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

  /** For the reading: what the log loses from here on was owed. */
  wasRead(): void {
    this.#isNewPartition = false;
  }

  /** For the reading: it may go on after the circuit was open. */
  resumed(): void {
    this.#isNewPartition = false;
    if (this.#state === 'detached') this.#setState('catching_up');
  }

  #setState(state: LaneState): void {
    this.#state = state;
    this.#wakeWaiting();
    this.#changed();
  }

  #changed(): void {
    // Who waits waits for room: to wake it for each event that is settled costs a promise and a timer each time.
    if (this.#progress.length > 0 && this.hasRoom) this.#wakeWaiting();
    this.endpoint.wake();
    this.#context.onProgress(this.lane.isStoreDue);
  }

  #wakeWaiting(): void {
    for (const wake of this.#progress.splice(0)) wake();
  }

  #notice(event: 'lane_detached' | 'lane_attached', why: string): void {
    const { id: subscription, partition } = this;
    this.#context.observer.notice?.(event, { subscription, partition, offset: this.lane.cursor, why });
  }
}
