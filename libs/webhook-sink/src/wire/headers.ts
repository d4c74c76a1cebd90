import type { Buffer } from 'node:buffer';
import { formatLsn } from '@pgstream/wal-event';
import type { LogEvent } from '../deliver/log-event.ts';
import type { Subscription } from '../subscription.ts';
import { CONTENT_TYPES } from './bodies.ts';
import { sign } from './signature.ts';

export interface Attempt {
  readonly event: LogEvent;
  readonly body: Buffer;
  /** 1 for the first. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
  readonly version: string;
}

/** Names that a subscription cannot set: they are ours, or the connection's. */
export const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'webhook-attempt',
  'webhook-id',
  'webhook-signature',
  'webhook-timestamp',
  'x-pgstream-lsn',
]);

export function requestHeaders(
  { event, body, attempt, nowMs, version }: Attempt,
  { headers, secrets, format }: Subscription,
): Record<string, string> {
  const { id } = event;
  const timestampS = Math.floor(nowMs / 1000);
  return {
    ...headers,
    'content-type': CONTENT_TYPES[format],
    'user-agent': `pgstream/${version}`,
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    ...(secrets.length === 0 ? {} : { 'webhook-signature': sign({ id, timestampS, body }, secrets) }),
    'webhook-attempt': String(attempt),
    'idempotency-key': id,
    'x-pgstream-lsn': formatLsn(event.record.lsn),
  };
}
