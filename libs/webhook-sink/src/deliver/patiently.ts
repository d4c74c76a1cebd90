import { once } from 'node:events';
import { classify, POSTGRES_RULES, systemClock, withRetry } from '@pgstream/failure';
import type { WebhookNotice, WebhookObserver } from '../observer.ts';

/** Tries until it works or `signal` aborts: an outage of the store or the log is waited out. */
export async function patiently<T>(
  { observer, notice, signal }: { observer: WebhookObserver; notice: WebhookNotice; signal: AbortSignal },
  attempt: () => Promise<T>,
): Promise<T> {
  return await withRetry(attempt, {
    initialMs: 200,
    maxMs: 5_000,
    classify: (cause) => classify(cause, POSTGRES_RULES),
    onRetry: ({ code }, waitMs) => observer.notice?.(notice, { code, waitMs: Math.round(waitMs) }),
    clock: systemClock,
    signal,
  });
}

/** Waits for `work` no longer than until the abort of `deadline`: what hangs goes on by itself, and is nobody's to wait for. */
export async function within(deadline: AbortSignal, work: Promise<unknown>): Promise<void> {
  await Promise.race([work, deadline.aborted ? undefined : once(deadline, 'abort')]);
}
