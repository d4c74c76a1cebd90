import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Subscription } from '../subscription.ts';
import { sameHeaders } from '../wire/headers.ts';
import { sign } from '../wire/signature.ts';
import type { WebhookApiOptions } from './api-options.ts';

/** One request of type `pgstream.test`, at once and once, signed as deliveries are. @returns what became of it. */
export async function sendTest(subscription: Subscription, { sender, version }: WebhookApiOptions) {
  const { url, secrets, format, timeoutMs, tls } = subscription;
  const id = `msg_test-${randomUUID()}`;
  const time = new Date();
  const timestampS = Math.floor(time.getTime() / 1000);
  const type = 'pgstream.test';
  const body = Buffer.from(
    JSON.stringify(
      format === 'cloudevents'
        ? { specversion: '1.0', id, source: '/pgstream', type, time: time.toISOString(), data: {} }
        : { type, timestamp: time.toISOString(), data: { id } },
    ),
  );
  const result = await sender.send({
    url,
    body,
    tls,
    timeoutMs,
    headers: [
      ...sameHeaders(subscription, version),
      'webhook-id',
      id,
      'webhook-timestamp',
      String(timestampS),
      ...(secrets.length === 0 ? [] : ['webhook-signature', sign({ id, timestampS, body }, secrets)]),
    ],
  });
  const { isDelivered: delivered, status, reason, durationMs } = result;
  return { delivered, status, reason, durationMs: Math.round(durationMs) };
}
