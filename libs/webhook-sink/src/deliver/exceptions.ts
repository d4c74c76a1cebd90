import { failpoint } from '@pgstream/failure';
import type { SendResult } from '../send/sender.ts';
import type { EventRef } from '../store/retry-store.ts';
import type { Subscription } from '../subscription.ts';
import type { DeliveryContext } from './delivery-context.ts';
import type { LogEvent } from './log-event.ts';
import type { ParkedEntry } from './parked-events.ts';
import { parkedWaitMs } from './schedule.ts';

/** Why an event is never sent, and what would change that; `undefined` when it can be. Bodies that pass are kept. */
export function sizeFault(
  event: LogEvent,
  { maxPayloadBytes, format }: Pick<Subscription, 'maxPayloadBytes' | 'format'>,
): string | undefined {
  if (maxPayloadBytes === null) return undefined;
  const bytes = event.body(format).length;
  return bytes <= maxPayloadBytes
    ? undefined
    : `the body has ${bytes} bytes, maxPayloadBytes of the subscription is ${maxPayloadBytes}: raise it and retry`;
}

/** Resolves when an event that is not parked is a dead letter, durably: its cursor may pass it. Idempotent. */
export async function giveUpUnparked(
  { retries, observer }: DeliveryContext,
  ref: EventRef,
  {
    event,
    attempts,
    reason,
  }: { readonly event: LogEvent; readonly attempts: number; readonly reason: string },
): Promise<void> {
  await retries.deadLetter(ref, { eventId: event.id, attempts, reason, record: event.value });
  failpoint?.('webhook.given-up');
  tell(observer, ref);
}

/**
 * Writes down what became of a delivery of a parked event.
 * @returns whether it is parked no more: delivered, or a dead letter.
 */
export async function settleParked(
  { retries, schedule, observer }: DeliveryContext,
  ref: EventRef,
  { entry, result }: { readonly entry: ParkedEntry; readonly result: SendResult },
): Promise<boolean> {
  if (result.isDelivered) {
    failpoint?.('webhook.parked-answered');
    await retries.delivered(ref);
    return true;
  }
  // An endpoint that is away costs no attempts: the circuit waits for it.
  const failures = result.fault === 'event' ? entry.failures + 1 : entry.failures;
  const waitMs = parkedWaitMs(schedule, failures, result);
  if (waitMs === undefined) {
    await giveUpParked({ retries, observer }, ref, result.reason);
    return true;
  }
  const nextAtMs = Date.now() + waitMs;
  const [lastStatus, lastError] = [result.status, result.reason];
  await retries.postpone(ref, { attempts: failures, nextAtMs, lastStatus, lastError });
  entry.failures = failures;
  entry.nextAtMs = nextAtMs;
  return false;
}

export async function giveUpParked(
  { retries, observer }: Pick<DeliveryContext, 'retries' | 'observer'>,
  ref: EventRef,
  reason: string,
): Promise<void> {
  await retries.giveUp(ref, reason);
  failpoint?.('webhook.given-up');
  tell(observer, ref);
}

function tell(
  observer: DeliveryContext['observer'],
  { subscriptionId: subscription, partition, offset }: EventRef,
): void {
  observer.deadLettered?.(subscription);
  observer.notice?.('event_dead_lettered', { subscription, partition, offset });
}

export function tellParked(
  observer: DeliveryContext['observer'],
  { subscriptionId: subscription, partition, offset }: EventRef,
): void {
  observer.parked?.(subscription);
  observer.notice?.('event_parked', { subscription, partition, offset });
}
