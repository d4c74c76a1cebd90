import { DEFAULT_CIRCUIT, type CircuitOptions } from './deliver/circuit.ts';
import { DEFAULT_LIMITS, type DeliveryContext, type DeliveryLimits } from './deliver/delivery-context.ts';
import { AttemptLog } from './deliver/attempt-log.ts';
import { EventBudget } from './deliver/log-event.ts';
import { DEFAULT_SCHEDULE, type ScheduleOptions } from './deliver/schedule.ts';
import { Slots } from './deliver/slots.ts';
import type { LogSource } from './log-source.ts';
import type { WebhookObserver } from './observer.ts';
import type { Sender } from './send/sender.ts';
import type { AttemptStore } from './store/attempt-store.ts';
import type { CursorStore } from './store/cursor-store.ts';
import type { RetryStore } from './store/retry-store.ts';
import type { SubscriptionStore } from './store/subscription-store.ts';

export interface WebhookSinkOptions {
  readonly topic: string;
  readonly subscriptions: SubscriptionStore;
  readonly cursors: CursorStore;
  readonly retries: RetryStore;
  readonly attempts: AttemptStore;
  readonly log: LogSource;
  readonly sender: Sender;
  /** Requests in flight over all subscriptions. */
  readonly slots: Slots;
  /** In `User-Agent`. */
  readonly version: string;
  readonly observer?: WebhookObserver;
  /** Bytes of events that are held, over all subscriptions. Default 64 MiB. */
  readonly maxHeldBytes?: number;
  /** Subscriptions that read the log for themselves at a time. Default 4. */
  readonly maxReaders?: number;
  readonly circuit?: Partial<CircuitOptions>;
  readonly schedule?: Partial<ScheduleOptions>;
  readonly limits?: Partial<DeliveryLimits>;
  /** How long cursors may wait for company before they are stored. Default 200. */
  readonly flushIntervalMs?: number;
  /** How long attempts wait for company before they are stored. Default 1000. */
  readonly attemptIntervalMs?: number;
  /** How often it is looked whether subscriptions changed. Default 1000. */
  readonly pollIntervalMs?: number;
  /** A subscription without a success for so long is disabled. Default 5 days. */
  readonly disableAfterMs?: number;
  /** The offset before which the group has nothing left to confirm. */
  readonly confirmedTo?: (partition: number) => number | undefined;
  /** Whether the partition is ours, as far as the group knows; it may reject where the group cannot be asked. */
  readonly owns?: (partition: number) => Promise<boolean>;
  /** Whether that is known without asking: where it is not, it is asked before anything is sent. Default: always. */
  readonly ownsNow?: (partition: number) => boolean;
  /** See {@link DeliveryContext.isRepeated}. */
  readonly isRepeated?: DeliveryContext['isRepeated'];
  /** The sink cannot go on. */
  readonly onFailed: (cause: unknown) => void;
}

export const DISABLE_AFTER_MS = 5 * 24 * 60 * 60 * 1000;

export function contextOf(
  options: WebhookSinkOptions,
  onProgress: DeliveryContext['onProgress'],
): DeliveryContext {
  return {
    topic: options.topic,
    log: options.log,
    cursors: options.cursors,
    retries: options.retries,
    attempts: new AttemptLog({
      add: (attempts) => options.attempts.add(attempts),
      ...(options.attemptIntervalMs === undefined ? {} : { intervalMs: options.attemptIntervalMs }),
    }),
    budget: new EventBudget(options.maxHeldBytes ?? 64 * 1024 * 1024),
    readers: new Slots(options.maxReaders ?? 4),
    schedule: { ...DEFAULT_SCHEDULE, ...options.schedule },
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    observer: options.observer ?? {},
    ...(options.isRepeated === undefined ? {} : { isRepeated: options.isRepeated }),
    onProgress,
  };
}

export function circuitOf({ circuit }: WebhookSinkOptions): CircuitOptions {
  return { ...DEFAULT_CIRCUIT, ...circuit };
}
