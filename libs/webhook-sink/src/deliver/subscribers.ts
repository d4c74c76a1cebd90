import { failpoint, systemClock } from '@pgstream/failure';
import { circuitOf, DISABLE_AFTER_MS, type WebhookSinkOptions } from '../options.ts';
import type { WebhookNotice } from '../observer.ts';
import type { StoredCursor } from '../store/cursor-store.ts';
import type { ParkedRow } from '../store/retry-store.ts';
import { isServedAlike, type Subscription } from '../subscription.ts';
import type { CursorKeeper } from './cursor-keeper.ts';
import type { DeliveryContext } from './delivery-context.ts';
import { Endpoint } from './endpoint.ts';
import { storeJoined } from './joined-cursors.ts';
import type { OwnedPartition } from './owned-partition.ts';
import { patiently } from './patiently.ts';
import { permitOf } from './permit.ts';
import { SubscriptionLane } from './subscription-lane.ts';

export interface SubscribersOptions {
  readonly context: DeliveryContext;
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  readonly keeper: CursorKeeper;
  readonly options: WebhookSinkOptions;
  readonly signal: AbortSignal;
  readonly onFailed: (cause: unknown) => void;
}

/** How long a subscription that is paused, changed or removed is given for its requests under way. */
const STOP_TIMEOUT_MS = 5_000;
/** Between two questions whose a partition is that another process has claimed. */
const ASK_AGAIN_MS = 500;

/** Keeps lanes as the stored subscriptions want them: one for each active subscription in each partition of ours. */
export class Subscribers {
  readonly #it: SubscribersOptions;
  /** Of active subscriptions. */
  readonly #endpoints = new Map<string, Endpoint>();
  #version = '';
  /** One change after the other. */
  #running: Promise<void> = Promise.resolve();
  #waiting: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: SubscribersOptions) {
    this.#it = options;
  }

  async refreshIfChanged(): Promise<void> {
    if (this.#isStopped) return;
    const { subscriptions } = this.#it.options;
    if ((await this.#patiently(() => subscriptions.version())) !== this.#version) await this.refresh();
  }

  /** Those who ask while one waits for its turn share it: it sees what was changed until it begins. */
  async refresh(): Promise<void> {
    this.#waiting ??= this.#exclusively(async () => {
      this.#waiting = undefined;
      await this.#refresh();
    });
    await this.#waiting;
  }

  async #refresh(): Promise<void> {
    const { subscriptions } = this.#it.options;
    const found = await this.#patiently(() => subscriptions.all());
    const active = new Map(
      found.subscriptions.filter(({ state }) => state === 'active').map((one) => [one.id, one]),
    );
    await this.#retire(active);
    for (const subscription of active.values()) this.#endpointOf(subscription);
    await this.#endRewound();
    // oxlint-disable-next-line no-await-in-loop -- a partition or two
    for (const owned of this.#it.partitions.values()) await this.#fill(owned);
    this.#version = found.version;
  }

  /** The first thing that is done with a partition that has become ours. */
  async open(owned: OwnedPartition, before: OwnedPartition | undefined): Promise<void> {
    const stopped = stopAll([...(before?.lanes.values() ?? [])]);
    owned.permit = permitOf(owned, this.#it.options);
    await this.#exclusively(async () => {
      await stopped;
      // Gone again: a claim would stop whoever has it now.
      if (owned.isRevoked) return;
      const { cursors } = this.#it.context;
      owned.epoch = await this.#patiently(() => cursors.claim(owned.partition));
      failpoint?.('webhook.claimed');
      await this.#fill(owned);
    });
  }

  /**
   * Another process has claimed the partition: rightly, when the group has given it away. Nothing is sent until that is
   * known. If it is ours all the same, lanes begin anew with what either of us has stored: ours know nothing of what the
   * other delivered.
   */
  async overtaken(owned: OwnedPartition): Promise<void> {
    const { context } = this.#it;
    const { partition } = owned;
    if (owned.isRevoked) return;
    owned.epoch = '';
    const lanes = [...owned.lanes.values()];
    const stopped = stopAll(lanes);
    context.observer.notice?.('ownership_lost', { partition });
    if (!(await this.#untilOurs(owned))) return;
    await this.#exclusively(async () => {
      await stopped;
      if (owned.isRevoked) return;
      const epoch = await this.#patiently(() => context.cursors.claim(partition));
      await this.#patiently(() => storeJoined(context.cursors, lanes, { partition, epoch }));
      owned.lanes.clear();
      owned.epoch = epoch;
      await this.#fill(owned);
      owned.settle();
    });
  }

  /** Nothing is sent any more; resolves when what was under way has ended, at the latest with `deadline`. */
  async stop(deadline: AbortSignal): Promise<void> {
    this.#isStopped = true;
    for (const endpoint of this.#endpoints.values()) endpoint.stop();
    const lanes = [...this.#it.partitions.values()].flatMap((owned) => [...owned.lanes.values()]);
    await Promise.all(lanes.map((lane) => lane.stop(deadline)));
  }

  /** Takes down what is not active any more, or is to be built anew because its order is another one, or what it wants. */
  async #retire(active: ReadonlyMap<string, Subscription>): Promise<void> {
    const ended = [...this.#endpoints].filter(
      ([id, { subscription }]) => !isServedAlike(active.get(id), subscription),
    );
    if (ended.length === 0) return;
    for (const [id, endpoint] of ended) {
      endpoint.stop();
      this.#endpoints.delete(id);
    }
    // All at once: whoever waits for this, waits for the slowest and not for their sum.
    await stopAll(ended.flatMap(([id]) => this.#lanesOf(id)));
    // What was passed over may be wanted now: what is settled behind it of the same row is to come again, not to stay before it.
    for (const [id] of ended)
      if (active.has(id)) for (const { lane } of this.#lanesOf(id)) lane.forgetAhead();
    await this.#it.keeper.flush(this.#it.signal);
    for (const owned of this.#it.partitions.values()) {
      for (const [id] of ended) owned.lanes.delete(id);
      owned.settle();
    }
  }

  #endpointOf(subscription: Subscription): Endpoint {
    const known = this.#endpoints.get(subscription.id);
    if (known !== undefined) {
      known.update(subscription);
      return known;
    }
    const { options, context } = this.#it;
    const { id } = subscription;
    const endpoint = new Endpoint(subscription, {
      sender: options.sender,
      slots: options.slots,
      circuit: circuitOf(options),
      version: options.version,
      observer: context.observer,
      onAttempted: (attempt) => context.attempts.note(attempt),
      onOpened: () => this.#opened(id),
      onClosed: () => this.#closed(id),
      onGone: () => this.#disable(id, 'the endpoint answered 410 Gone'),
    });
    this.#endpoints.set(id, endpoint);
    return endpoint;
  }

  async #fill(owned: OwnedPartition): Promise<void> {
    const { context } = this.#it;
    if (owned.isRevoked || owned.epoch === '' || this.#isStopped) return;
    const [cursors, parked] = await this.#patiently(() =>
      Promise.all([
        context.cursors.ofPartition(owned.partition),
        context.retries.ofPartition(owned.partition),
      ]),
    );
    // A lane that is opened now would be nobody's to stop.
    if (owned.isRevoked || this.#isStopped) return;
    for (const [id, endpoint] of this.#endpoints) {
      const cursor = cursors.get(id);
      if (cursor === undefined) continue; // of another topic that shares the store
      const rows = parked.filter(({ subscriptionId }) => subscriptionId === id);
      const known = owned.lanes.get(id);
      if (known === undefined) owned.lanes.set(id, this.#lane(owned, endpoint, { cursor, rows }));
      else known.parked.load(rows);
    }
  }

  /** A lane whose cursor was moved back ends: another one begins there. What it moves its cursor to meanwhile is refused. */
  async #endRewound(): Promise<void> {
    const { context, partitions } = this.#it;
    const rewound = await Promise.all(
      [...partitions.values()].map(async (owned) => {
        const cursors = await this.#patiently(() => context.cursors.ofPartition(owned.partition));
        return [...owned.lanes.values()].filter(
          ({ id, generation }) => (cursors.get(id)?.generation ?? generation) !== generation,
        );
      }),
    );
    await stopAll(rewound.flat());
    for (const lane of rewound.flat()) {
      const { id, partition } = lane;
      const owned = partitions.get(partition);
      if (owned?.lanes.get(id) === lane) owned.lanes.delete(id);
      owned?.settle();
      context.observer.notice?.('lane_rewound', { subscription: id, partition });
    }
  }

  #lane(
    owned: OwnedPartition,
    endpoint: Endpoint,
    { cursor, rows }: { readonly cursor: StoredCursor; readonly rows: readonly ParkedRow[] },
  ): SubscriptionLane {
    const { id } = endpoint.subscription;
    return new SubscriptionLane({
      context: this.#it.context,
      endpoint,
      partition: owned.partition,
      cursor,
      parked: rows,
      liveNext: () => owned.liveNext,
      maySend: () => owned.permit?.isGiven ?? true,
      parkedCount: () => this.#lanesOf(id).reduce((sum, { parked }) => sum + parked.size, 0),
      onFailed: this.#it.onFailed,
    });
  }

  #lanesOf(id: string): SubscriptionLane[] {
    return [...this.#it.partitions.values()].flatMap((owned) => owned.lanes.get(id) ?? []);
  }

  #opened(id: string): void {
    const { options, context } = this.#it;
    for (const lane of this.#lanesOf(id)) lane.circuitOpened();
    context.observer.notice?.('subscription_failing', { subscription: id });
    this.#told(async () => {
      const sinceMs = await options.subscriptions.noteFailing(id, Date.now());
      const disableAfterMs = options.disableAfterMs ?? DISABLE_AFTER_MS;
      if (sinceMs === null || Date.now() - sinceMs < disableAfterMs) return;
      this.#disable(id, `no delivery has succeeded since ${new Date(sinceMs).toISOString()}`);
    });
  }

  #closed(id: string): void {
    const { options, context } = this.#it;
    for (const lane of this.#lanesOf(id)) lane.circuitClosed();
    context.observer.notice?.('subscription_recovered', { subscription: id });
    this.#told(async () => void (await options.subscriptions.noteFailing(id, null)));
  }

  #disable(id: string, reason: string): void {
    const { options, context } = this.#it;
    this.#endpoints.get(id)?.stop();
    this.#told(async () => {
      if (!(await options.subscriptions.setState(id, 'disabled', reason))) return;
      context.observer.notice?.('subscription_disabled', { subscription: id, reason });
      await this.refresh();
    });
  }

  #told(work: () => Promise<void>): void {
    this.#patiently(work).catch((cause: unknown) => {
      if (!this.#it.signal.aborted) this.#it.onFailed(cause);
    });
  }

  async #patiently<T>(work: () => Promise<T>, notice: WebhookNotice = 'store_retrying'): Promise<T> {
    const { context, signal } = this.#it;
    return await patiently({ observer: context.observer, notice, signal }, work);
  }

  /** False where it goes first. An answer may be one to an earlier membership: a no is asked again. */
  async #untilOurs(owned: OwnedPartition): Promise<boolean> {
    const { owns } = this.#it.options;
    if (owns === undefined) return false;
    while (!owned.isRevoked) {
      // oxlint-disable-next-line no-await-in-loop -- one answer after the other
      if (await this.#patiently(() => owns(owned.partition), 'log_retrying')) return true;
      // oxlint-disable-next-line no-await-in-loop -- see above
      await systemClock.sleep(ASK_AGAIN_MS, this.#it.signal);
    }
    return false;
  }

  async #exclusively(work: () => Promise<void>): Promise<void> {
    const run = this.#running.then(work);
    this.#running = run.catch(() => {});
    await run;
  }
}

async function stopAll(lanes: readonly SubscriptionLane[]): Promise<void> {
  const deadline = AbortSignal.timeout(STOP_TIMEOUT_MS);
  await Promise.all(lanes.map((lane) => lane.stop(deadline)));
}
