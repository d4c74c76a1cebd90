import type { ChangeRecord } from '@pgstream/wal-event';
import type { LogSource } from '../log-source.ts';
import type { WebhookObserver } from '../observer.ts';
import type { CursorStore } from '../store/cursor-store.ts';
import type { RetryStore } from '../store/retry-store.ts';
import type { AttemptLog } from './attempt-log.ts';
import type { EventBudget } from './log-event.ts';
import type { ScheduleOptions } from './schedule.ts';
import type { Slots } from './slots.ts';

export interface DeliveryLimits {
  /** Of one subscription in one partition, read and not behind its stored cursor: what may come twice. */
  readonly maxWindowEvents: number;
  readonly maxWindowBytes: number;
  /** Events of one subscription that wait outside the log. */
  readonly maxParked: number;
  /** A lane whose window is full and settles nothing for so long reads for itself. */
  readonly stalledAfterMs: number;
}

export const DEFAULT_LIMITS: DeliveryLimits = {
  maxWindowEvents: 1000,
  maxWindowBytes: 8 * 1024 * 1024,
  maxParked: 1000,
  stalledAfterMs: 500,
};

/** What all lanes of a process share. */
export interface DeliveryContext {
  readonly topic: string;
  readonly log: LogSource;
  readonly cursors: CursorStore;
  readonly retries: RetryStore;
  readonly attempts: AttemptLog;
  readonly budget: EventBudget;
  /** Reads of the log at a time. */
  readonly readers: Slots;
  readonly schedule: ScheduleOptions;
  readonly limits: DeliveryLimits;
  readonly observer: WebhookObserver;
  /** Of a log whose records come again under other offsets after a restart: whether the subscription has had this one. */
  readonly isRepeated?: (subscriptionId: string, offset: number, record: ChangeRecord) => boolean;
  /** A cursor moved, or a lane changed its state. `isDue`: it waits, or soon will, for that to be stored. */
  readonly onProgress: (isDue: boolean) => void;
}
