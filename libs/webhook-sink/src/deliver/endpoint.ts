import { failpoint } from '@pgstream/failure';
import { Turns } from '@pgstream/flow';
import type { Sender, SendResult } from '../send/sender.ts';
import type { Matcher } from '../match/matcher.ts';
import { compile } from '../match/matcher.ts';
import type { WebhookObserver } from '../observer.ts';
import type { Subscription } from '../subscription.ts';
import { requestHeaders } from '../wire/headers.ts';
import type { Attempted } from '../store/attempt-store.ts';
import { Circuit, type CircuitOptions } from './circuit.ts';
import type { LogEvent } from './log-event.ts';
import type { Slots } from './slots.ts';
import { TokenBucket } from './token-bucket.ts';

/** One event that can be sent now, and what becomes of it afterwards. */
export interface Outgoing {
  readonly event: LogEvent;
  /** 1 for the first. */
  readonly attempt: number;
  /** Called once. May take its time: the place in flight is free already. */
  answered(result: SendResult): void;
}

/** Where events come from: lanes, and what is parked. */
export interface OutgoingSource {
  readonly partition: number;
  readonly hasOutgoing: boolean;
  takeOutgoing(): Promise<Outgoing | undefined> | Outgoing | undefined;
}

export interface EndpointOptions {
  readonly sender: Sender;
  readonly slots: Slots;
  readonly circuit: CircuitOptions;
  readonly version: string;
  readonly observer: WebhookObserver;
  /** What became of a request. */
  readonly onAttempted: (attempt: Attempted) => void;
  /** It takes nothing: let go of what is held for it. Again after every probe that failed. */
  readonly onOpened: () => void;
  /** It takes events again. */
  readonly onClosed: () => void;
  /** 410 */
  readonly onGone: () => void;
}

const SOON = Promise.resolve();
const hasOutgoing = (source: OutgoingSource) => source.hasOutgoing;

/** Sends for one subscription, over all its lanes of this process: in-flight limit, rate, circuit. */
export class Endpoint {
  readonly #options: EndpointOptions;
  readonly #circuit: Circuit;
  readonly #sources = new Turns<OutgoingSource>();
  #subscription: Subscription;
  #matcher: Matcher;
  #bucket: TokenBucket | undefined;
  #inFlight = 0;
  #timer: NodeJS.Timeout | undefined;
  #isPumping = false;
  #isStopped = false;
  readonly #waiters = new Set<() => void>();

  constructor(subscription: Subscription, options: EndpointOptions) {
    this.#subscription = subscription;
    this.#options = options;
    this.#circuit = new Circuit(options.circuit);
    this.#matcher = compile(subscription);
    this.#bucket = bucketOf(subscription);
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  get matcher(): Matcher {
    return this.#matcher;
  }

  get circuitState(): 'closed' | 'open' | 'half-open' {
    return this.#circuit.isClosed ? 'closed' : this.#circuit.stateAt(performance.now());
  }

  update(subscription: Subscription): void {
    const { ratePerSecond } = this.#subscription;
    this.#subscription = subscription;
    this.#matcher = compile(subscription);
    if (subscription.ratePerSecond !== ratePerSecond) this.#bucket = bucketOf(subscription);
    this.wake();
  }

  add(source: OutgoingSource): void {
    this.#sources.add(source);
  }

  remove(source: OutgoingSource): void {
    this.#sources.remove(source);
  }

  /** Starts nothing from now on; what is under way ends by itself. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }

  /** Resolves when its circuit lets something through, or when it or the one who waits is stopped. */
  async untilReadable(signal: AbortSignal): Promise<void> {
    while (!this.#isStopped && !signal.aborted && this.circuitState === 'open') {
      this.#wakeAt(this.#circuit.opensUntilMs);
      // oxlint-disable-next-line no-await-in-loop -- until it is
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  /** Something may be sent: call when a source has got something, cheap. */
  wake(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    // Not queueMicrotask, which makes a resource for async_hooks of each.
    void SOON.then(this.#wakeUp);
  }

  readonly #wakeUp = (): void => {
    this.#isPumping = false;
    if (this.#waiters.size > 0) {
      for (const wake of this.#waiters) wake();
      this.#waiters.clear();
    }
    this.#pump();
  };

  readonly #wakeLater = (): void => this.wake();

  #pump(): void {
    while (!this.#isStopped && this.#maySend()) {
      const source = this.#sources.find(hasOutgoing);
      if (source === undefined) return;
      // Before its rate is asked: what that gives is used.
      if (!this.#options.slots.take(this.#wakeLater)) return;
      const waitMs = this.#bucket?.take(performance.now()) ?? 0;
      if (waitMs > 0) {
        this.#options.slots.giveBack();
        return this.#wakeAt(performance.now() + waitMs);
      }
      this.#sources.served(source);
      this.#inFlight++;
      this.#sendFrom(source);
    }
  }

  #maySend(): boolean {
    const state = this.circuitState;
    if (state === 'open') {
      this.#wakeAt(this.#circuit.opensUntilMs);
      return false;
    }
    return this.#inFlight < (state === 'half-open' ? 1 : this.#subscription.maxInFlight);
  }

  #sendFrom(source: OutgoingSource): void {
    const { partition } = source;
    const taken = source.takeOutgoing();
    if (taken instanceof Promise) void taken.then((outgoing) => this.#send(outgoing, partition));
    else this.#send(taken, partition);
  }

  /** Callbacks and no promises from here to the answer: this is once for each delivery. */
  #send(outgoing: Outgoing | undefined, partition: number): void {
    if (outgoing === undefined) return this.#free();
    const { event, attempt } = outgoing;
    const subscription = this.#subscription;
    const { url, timeoutMs, format, tls } = subscription;
    const body = event.body(format);
    const headers = requestHeaders(
      { event, body, attempt, nowMs: Date.now(), version: this.#options.version },
      subscription,
    );
    failpoint?.('webhook.sending');
    this.#options.sender.start({ url, headers, body, tls, timeoutMs }, (result) => {
      failpoint?.('webhook.answered');
      this.#tell(outgoing, { subscriptionId: subscription.id, partition, result });
      this.#judge(result);
      this.#free(outgoing, result);
    });
  }

  /** The place in flight is free before what becomes of the event is decided. */
  #free(outgoing?: Outgoing, result?: SendResult): void {
    this.#inFlight--;
    this.#options.slots.giveBack();
    if (result !== undefined) outgoing?.answered(result);
    this.wake();
  }

  #tell(
    { event, attempt }: Outgoing,
    { subscriptionId, partition, result }: { subscriptionId: string; partition: number; result: SendResult },
  ): void {
    const { observer, onAttempted } = this.#options;
    const { status, reason, durationMs, fault } = result;
    const outcome = fault === 'none' ? 'delivered' : fault;
    const { offset, id: eventId, commitTimeMs } = event;
    const atMs = Date.now();
    observer.attempted?.(subscriptionId, outcome, durationMs);
    onAttempted({
      subscriptionId,
      partition,
      offset,
      eventId,
      attempt,
      outcome,
      status,
      reason,
      durationMs,
      atMs,
    });
    if (result.isDelivered && commitTimeMs > 0) observer.delivered?.(subscriptionId, atMs - commitTimeMs);
    if (attempt > 1) observer.retried?.(subscriptionId);
  }

  #judge(result: SendResult): void {
    // What is cut off when the process ends is not its fault.
    if (this.#isStopped && !result.isGone) return;
    const nowMs = performance.now();
    if (result.isDelivered) {
      if (this.#circuit.succeeded(nowMs)) this.#options.onClosed();
      return;
    }
    if (result.isGone) this.#options.onGone();
    if (this.#circuit.failed(nowMs)) this.#options.onOpened();
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), Math.max(1, atMs - performance.now()));
  }
}

function bucketOf({ ratePerSecond }: Subscription): TokenBucket | undefined {
  return ratePerSecond === null ? undefined : new TokenBucket(ratePerSecond, performance.now());
}
