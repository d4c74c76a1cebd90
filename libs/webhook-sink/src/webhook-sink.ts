import { Buffer } from 'node:buffer';
import { failpoint } from '@pgstream/failure';
import { ACTION, valueAt, type BatchOutcome, type RecordBatch, type Sink } from '@pgstream/wal-event';
import { CursorKeeper } from './deliver/cursor-keeper.ts';
import type { DeliveryContext } from './deliver/delivery-context.ts';
import { statusOf, type LaneStatus } from './deliver/lane-status.ts';
import { LogEvent } from './deliver/log-event.ts';
import { OwnedPartition } from './deliver/owned-partition.ts';
import type { SubscriptionLane } from './deliver/subscription-lane.ts';
import { within } from './deliver/patiently.ts';
import { Subscribers } from './deliver/subscribers.ts';
import { contextOf, type WebhookSinkOptions } from './options.ts';

/** How long a write waits for one lane that has no room, as long as it gets on, and how often it looks. */
const [MAX_ROOM_WAIT_MS, ROOM_CHECK_MS] = [2_000, 100];
/** What a rebalance waits for requests under way. */
const REVOKE_TIMEOUT_MS = 5_000;
/** And for the store to take the cursors. */
const STORE_TIMEOUT_MS = 2_000;

export interface StoredLane {
  /** Everything before it is settled, and the store knows. */
  readonly cursor: number;
  /** Its endpoint takes events. */
  readonly isWorking: boolean;
}

/**
 * Delivers the records of a partitioned log to HTTP endpoints. A batch is settled when every subscription that keeps up
 * has it behind its stored cursor; one that does not keep up reads the log for itself and holds nothing back.
 */
export class WebhookSink implements Sink {
  readonly name = 'webhook';
  readonly storesProgress = true;
  readonly #options: WebhookSinkOptions;
  readonly #context: DeliveryContext;
  readonly #partitions = new Map<number, OwnedPartition>();
  readonly #keeper: CursorKeeper;
  readonly #subscribers: Subscribers;
  readonly #closing = new AbortController();
  #isRefreshing = false;
  #poll: NodeJS.Timeout | undefined;

  constructor(options: WebhookSinkOptions) {
    this.#options = options;
    const onFailed = (cause: unknown) => this.#fail(cause);
    this.#keeper = new CursorKeeper({
      context: () => this.#context,
      partitions: this.#partitions,
      intervalMs: options.flushIntervalMs ?? 200,
      signal: this.#closing.signal,
      onOvertaken: (partition) => this.#overtaken(partition),
      onRewound: () => this.#refreshSoon(),
      onFailed,
    });
    this.#context = contextOf(options, (isDue) => this.#keeper.schedule(isDue));
    this.#subscribers = new Subscribers({
      context: this.#context,
      partitions: this.#partitions,
      keeper: this.#keeper,
      options,
      signal: this.#closing.signal,
      onFailed,
    });
  }

  /** Reads the subscriptions, and again whenever they change. */
  async start(): Promise<void> {
    await this.#subscribers.refresh();
    this.#schedulePoll();
  }

  /** What was changed by this process need not wait for the next look. */
  async refresh(): Promise<void> {
    await this.#subscribers.refresh();
  }

  /** These partitions are ours from now on, their live reading beginning at these offsets. */
  assign(partitions: readonly { readonly partition: number; readonly offset: number }[]): void {
    for (const { partition, offset } of partitions) {
      const before = this.#partitions.get(partition);
      before?.abandon();
      const owned = new OwnedPartition(partition, offset, (one) => this.#subscribers.open(one, before));
      this.#partitions.set(partition, owned);
      owned.ready.catch((cause: unknown) => this.#fail(cause));
    }
  }

  async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    const owned = this.#partitions.get(batch.lane);
    if (owned === undefined || owned.isRevoked) return;
    await owned.ready;
    const endOffset = offsetAt(batch, batch.count - 1) + 1;
    owned.liveNext = Math.max(owned.liveNext, endOffset);
    for (let i = 0; i < batch.count; i++) {
      const takers = this.#takersOf(owned, batch, i);
      if (takers === undefined) continue;
      const { event, lanes } = takers;
      // Where all have room, which is mostly, nothing is waited for; now and then, so that they begin to send.
      const isAtOnce = i % 64 !== 0 && lanes.every((lane) => lane.isAttached && lane.hasRoom);
      if (isAtOnce) for (const lane of lanes) lane.offer(event);
      // oxlint-disable-next-line no-await-in-loop -- one record after the other is the order
      else await this.#offer(event, lanes, signal);
      event.ready(lanes.map(({ endpoint }) => endpoint.subscription.format));
    }
    for (const lane of owned.attached) lane.lane.pass(endOffset);
    owned.opened(endOffset, outcome);
    this.#keeper.schedule();
  }

  async flush(signal: AbortSignal): Promise<void> {
    clearTimeout(this.#poll);
    await this.#subscribers.stop(signal);
    await within(signal, this.#keeper.flush(signal));
    await this.#context.attempts.flush();
  }

  async revoke(partition: number): Promise<void> {
    const owned = this.#partitions.get(partition);
    if (owned === undefined) return;
    // At once, so that no lane is opened behind our back that nobody would stop.
    owned.isRevoked = true;
    const deadline = AbortSignal.timeout(REVOKE_TIMEOUT_MS);
    const stopped = [...owned.lanes.values()].map((lane) => lane.stop(deadline));
    // A claim that is under way is over before the next owner makes its own.
    await within(deadline, Promise.all([...stopped, owned.ready.catch(() => {})]));
    failpoint?.('webhook.released');
    // Where that fails, the next owner delivers again what was settled since the last write.
    const late = AbortSignal.timeout(STORE_TIMEOUT_MS);
    await within(late, this.#keeper.flush(late)).catch(() => {});
    owned.abandon();
    if (this.#partitions.get(partition) === owned) this.#partitions.delete(partition);
  }

  async close(): Promise<void> {
    clearTimeout(this.#poll);
    this.#closing.abort();
    this.#keeper.stop();
    await this.#subscribers.stop(this.#closing.signal);
    for (const owned of this.#partitions.values()) owned.abandon();
    this.#partitions.clear();
    await this.#context.attempts.close();
    await this.#options.sender.close();
  }

  /** Of the lanes that are in this process. */
  status(): readonly LaneStatus[] {
    return [...this.#partitions.values()].flatMap((owned) =>
      [...owned.lanes.values()].map((lane) => statusOf(lane, owned)),
    );
  }

  /** Of the lanes of one partition, by subscription. */
  storedCursors(partition: number): ReadonlyMap<string, StoredLane> {
    const lanes = this.#partitions.get(partition)?.lanes ?? new Map<string, SubscriptionLane>();
    return new Map(
      [...lanes].map(([id, { lane, endpoint }]) => [
        id,
        { cursor: lane.storedCursor, isWorking: endpoint.circuitState === 'closed' },
      ]),
    );
  }

  /** Lanes that hold back what is before `endOffset`, and settle nothing, read for themselves from here on. */
  leaveStalled(partition: number, endOffset: number): void {
    for (const lane of this.#partitions.get(partition)?.attached ?? []) {
      if (lane.lane.cursor < endOffset && lane.isStalled) lane.leaveLive();
    }
  }

  /** Bytes of events that are held, over all lanes. */
  get heldBytes(): number {
    return this.#context.budget.heldBytes;
  }

  get inFlight(): number {
    return this.#options.slots.taken;
  }

  #takersOf(
    owned: OwnedPartition,
    batch: RecordBatch,
    index: number,
  ): { readonly event: LogEvent; readonly lanes: readonly SubscriptionLane[] } | undefined {
    const offset = offsetAt(batch, index);
    const table = batch.tables[index];
    const isMessage = batch.actions[index] === ACTION.message;
    const mayMatch = ({ isAttached, endpoint }: SubscriptionLane) =>
      isAttached && (isMessage || table === undefined || endpoint.matcher.mayMatch(table));
    // Loops, and an event for those only that may want it: this is once for each record.
    let event: LogEvent | undefined;
    const lanes: SubscriptionLane[] = [];
    for (const one of owned.lanes.values()) {
      if (offset < one.lane.offered || !mayMatch(one)) continue;
      event ??= this.#eventOf(batch, index, offset);
      if (this.#isWanted(one, event)) lanes.push(one);
    }
    return event === undefined || lanes.length === 0 ? undefined : { event, lanes };
  }

  #isWanted({ id, endpoint }: SubscriptionLane, event: LogEvent): boolean {
    if (!endpoint.matcher.matches(event)) return false;
    return this.#context.isRepeated?.(id, event.offset, event.record) !== true;
  }

  #eventOf(batch: RecordBatch, index: number, offset: number): LogEvent {
    const at = { offset, commitTimeMs: batch.commitTimesMs[index] ?? 0, origin: this.#context.topic };
    return new LogEvent(at, Buffer.from(valueAt(batch, index)), this.#context.budget);
  }

  async #offer(event: LogEvent, lanes: readonly SubscriptionLane[], signal: AbortSignal): Promise<void> {
    for (const lane of lanes) {
      const giveUpAt = performance.now() + MAX_ROOM_WAIT_MS;
      while (lane.isAttached && !lane.hasRoom) {
        signal.throwIfAborted();
        const isLate = lane.lane.unsettled > 0 && performance.now() > giveUpAt;
        if (lane.isStalled || isLate) lane.leaveLive();
        // oxlint-disable-next-line no-await-in-loop -- waiting is the backpressure
        else await lane.progress(ROOM_CHECK_MS);
      }
      // It may have left on the way: what it has not been offered it reads for itself.
      if (lane.isAttached) lane.offer(event);
    }
  }

  #schedulePoll(): void {
    if (this.#closing.signal.aborted) return;
    this.#poll = setTimeout(() => {
      this.#subscribers
        .refreshIfChanged()
        .then(() => this.#passHeartbeats())
        .catch((cause: unknown) => this.#fail(cause))
        .finally(() => this.#schedulePoll());
    }, this.#options.pollIntervalMs ?? 1_000);
  }

  /** Where nothing waits, cursors go with the group past what is no event: else they would seem overtaken by retention. */
  #passHeartbeats(): void {
    for (const owned of this.#partitions.values()) {
      const confirmedTo = owned.hasOpen ? undefined : this.#options.confirmedTo?.(owned.partition);
      if (confirmedTo === undefined) continue;
      for (const { lane } of owned.attached) if (lane.unsettled === 0) lane.pass(confirmedTo);
      this.#keeper.schedule();
    }
  }

  /** A replay by another process, noticed before the next look at the version. */
  #refreshSoon(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    this.#subscribers
      .refresh()
      .catch((cause: unknown) => this.#fail(cause))
      .finally(() => (this.#isRefreshing = false));
  }

  #overtaken(partition: number): void {
    const owned = this.#partitions.get(partition);
    if (owned !== undefined) this.#subscribers.overtaken(owned).catch((cause: unknown) => this.#fail(cause));
  }

  #fail(cause: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#options.onFailed(cause);
    for (const owned of this.#partitions.values()) owned.fail(cause);
  }
}

function offsetAt(batch: RecordBatch, index: number): number {
  const offset = batch.offsets?.[index];
  if (offset === undefined) throw new TypeError('webhooks need a source whose records have offsets');
  return offset;
}
