import type { Buffer } from 'node:buffer';
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

/** {@link sameHeaders}, by what a subscription was read as. */
const known = new WeakMap<Subscription, readonly string[]>();

/** Names and values, turn and turn about: undici takes them as they are. */
export function requestHeaders(
  { event, body, attempt, nowMs, version }: Attempt,
  subscription: Subscription,
): string[] {
  const { id } = event;
  const { secrets } = subscription;
  const timestampS = Math.floor(nowMs / 1000);
  let same = known.get(subscription);
  if (same === undefined) known.set(subscription, (same = sameHeaders(subscription, version)));
  const headers = [
    ...same,
    'webhook-id',
    id,
    'webhook-timestamp',
    String(timestampS),
    'webhook-attempt',
    String(attempt),
    'idempotency-key',
    id,
    'x-pgstream-lsn',
    event.lsn,
  ];
  if (secrets.length > 0) headers.push('webhook-signature', sign({ id, timestampS, body }, secrets));
  return headers;
}

/** What all requests of a subscription have. Of its own headers, those with a name of ours are left out: ours are the ones that count. */
export function sameHeaders({ headers, format }: Subscription, version: string): readonly string[] {
  const own = Object.entries(headers).filter(([name]) => !RESERVED_HEADERS.has(name.toLowerCase()));
  return [...own.flat(), 'content-type', CONTENT_TYPES[format], 'user-agent', `pgstream/${version}`];
}
