import type { SendResult } from '../send/sender.ts';

export interface ScheduleOptions {
  /** Waits between attempts while the event keeps its place: the first; they double up to {@link maxRetryMs}. */
  readonly initialRetryMs: number;
  readonly maxRetryMs: number;
  /** An event that failed for so long while its endpoint is up is parked. */
  readonly parkAfterMs: number;
  /** Waits between attempts of a parked event; after the last one it is a dead letter. */
  readonly parkedMs: readonly number[];
  /** After a timeout or 429 a parked event waits at least so long. */
  readonly minAfterBusyMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Parked events by the schedule that Standard Webhooks recommends: about 75 hours. */
export const DEFAULT_SCHEDULE: ScheduleOptions = {
  initialRetryMs: 1_000,
  maxRetryMs: 30_000,
  parkAfterMs: 30_000,
  parkedMs: [5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR],
  minAfterBusyMs: MINUTE,
};

/** How long an event that keeps its place waits after its n-th failure (1 for the first). Full jitter. */
export function retryWaitMs(
  { initialRetryMs, maxRetryMs }: ScheduleOptions,
  failures: number,
  result: Pick<SendResult, 'retryAfterMs'>,
  random: () => number = Math.random,
): number {
  const base = Math.min(initialRetryMs * 2 ** Math.min(failures - 1, 30), maxRetryMs);
  return clamped(result.retryAfterMs, base) ?? base * (0.5 + random() / 2);
}

/** How long a parked event waits after its n-th failure as one; `undefined`: it has had all its attempts. */
export function parkedWaitMs(
  { parkedMs, minAfterBusyMs }: ScheduleOptions,
  failures: number,
  result: Pick<SendResult, 'retryAfterMs' | 'status'>,
  random: () => number = Math.random,
): number | undefined {
  const base = parkedMs[failures];
  if (base === undefined) return undefined;
  const waitMs = clamped(result.retryAfterMs, base) ?? base * (0.8 + random() * 0.4);
  return result.status === 429 || result.status === null ? Math.max(waitMs, minAfterBusyMs) : waitMs;
}

/** An endpoint may ask for up to twice the wait, neither for less nor for a year. */
function clamped(retryAfterMs: number | null, base: number): number | undefined {
  return retryAfterMs === null ? undefined : Math.min(Math.max(retryAfterMs, base), 2 * base);
}
