import type { Linked } from '@pgstream/flow';
import type { Ordering } from '../subscription.ts';
import type { LogEvent } from './log-event.ts';

export interface LaneOptions {
  readonly partition: number;
  /** Everything before it is settled. */
  readonly cursor: number;
  /** Settled beyond it by whoever had the partition before. */
  readonly ahead?: Iterable<number>;
  readonly ordering: Ordering;
  /** Not behind the stored cursor: see `Lane.stored`. */
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** Whether an event must go where an earlier one of its rows went: to the parked ones. */
  readonly isParked: (event: LogEvent) => boolean;
  /** It must: the owner calls `Lane.settled` once that is durable. */
  readonly onParked: (event: LaneEvent) => void;
  /** Something can be taken, the cursor moved, or there is room. */
  readonly onChange: () => void;
}

/** How far a lane has come, at one moment. */
export interface LanePlace {
  /** Everything before it is settled. */
  readonly cursor: number;
  /** Settled beyond it. */
  readonly ahead: readonly number[];
  /** How many offsets were ever settled ahead: tells this moment from others. */
  readonly aheadCount: number;
}

/** One event on its way to one subscription. */
export interface LaneEvent extends Linked<LaneEvent> {
  readonly event: LogEvent;
  /** As in `Dependence`. */
  readonly rows: readonly number[];
  readonly isBarrier: boolean;
  /** What it counts for in the window. */
  readonly bytes: number;
  /** Attempts that failed. */
  failures: number;
  /** Milliseconds of the owner's clock; `undefined` before the first failure. */
  firstFailedAtMs: number | undefined;
}

/** What is remembered of an event that failed and was dropped with the window, for when it is read again. */
export type Failing = Pick<LaneEvent, 'failures' | 'firstFailedAtMs'>;
