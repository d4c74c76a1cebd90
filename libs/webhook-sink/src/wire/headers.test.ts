import { encodeRecord } from '@pgstream/wal-event';
import { change } from '../../test/records.ts';
import { EventBudget, LogEvent } from '../deliver/log-event.ts';
import type { Subscription } from '../subscription.ts';
import { requestHeaders } from './headers.ts';
import { newSecret, sign } from './signature.ts';

const event = new LogEvent(
  { offset: 0, commitTimeMs: 0, origin: 't' },
  encodeRecord(change(3)),
  new EventBudget(1_000),
);
const body = event.body('standard');
const subscription: Pick<Subscription, 'headers' | 'secrets' | 'format'> = {
  headers: { 'X-Own': 'kept', 'Webhook-Id': 'mine' },
  secrets: [newSecret()],
  format: 'standard',
};

function headersOf(one: typeof subscription, attempt = 1): Map<string, string> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what headers are made from
  const of = one as Subscription;
  const flat = requestHeaders({ event, body, attempt, nowMs: 1_700_000_000_999, version: '1.2' }, of);
  const pairs = flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ''] as const] : []));
  // Each once.
  expect(new Set(pairs.map(([name]) => name.toLowerCase())).size).toBe(pairs.length);
  return new Map(pairs);
}

test('those of the subscription, and ours in place of theirs of the same name', () => {
  const headers = headersOf(subscription, 2);
  expect(Object.fromEntries(headers)).toEqual({
    'X-Own': 'kept',
    'content-type': 'application/json',
    'user-agent': 'pgstream/1.2',
    'webhook-id': event.id,
    'webhook-timestamp': '1700000000',
    'webhook-attempt': '2',
    'idempotency-key': event.id,
    'x-pgstream-lsn': '0/18',
    'webhook-signature': sign({ id: event.id, timestampS: 1_700_000_000, body }, subscription.secrets),
  });
});

test('a subscription that was changed has its new ones, and one without secrets is not signed', () => {
  headersOf(subscription);
  const headers = headersOf({ ...subscription, headers: {}, secrets: [], format: 'cloudevents' });
  expect(headers.get('content-type')).toBe('application/cloudevents+json');
  expect([headers.has('X-Own'), headers.has('webhook-signature')]).toEqual([false, false]);
});
