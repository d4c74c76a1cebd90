import { Webhook } from 'standardwebhooks';
import {
  AddressGuard,
  CursorStore,
  RetryStore,
  Sender,
  SubscriptionStore,
  WebhookApi,
  type WebhookApiOptions,
} from '../src/index.ts';
import { OwnStore } from './own-store.ts';
import { Receiver } from './receiver.ts';

const TOKEN = 'a-token-of-this-test';
let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

async function started(changes: Partial<WebhookApiOptions> = {}) {
  const guard = new AddressGuard({
    allow: ['127.0.0.1'],
    httpsOnly: false,
    setting: 'PGSTREAM_WEBHOOK_ALLOW',
  });
  const sender = new Sender({ guard });
  const unexpected: unknown[] = [];
  const api = new WebhookApi({
    address: '127.0.0.1:0',
    token: TOKEN,
    legacyOpen: false,
    readTimeoutMs: 5_000,
    idleTimeoutMs: 5_000,
    defaultTimeoutMs: 5_000,
    version: 'test',
    topic: 'log',
    subscriptions: new SubscriptionStore(store.pool, store.box),
    cursors: new CursorStore(store.pool, 'log'),
    retries: new RetryStore(store.pool, 'log'),
    guard,
    sender,
    logEnds: () => Promise.resolve(new Map([[0, 5]])),
    refresh: () => Promise.resolve(),
    lanes: () => [],
    onUnexpected: (cause) => void unexpected.push(cause),
    ...changes,
  });
  const url = await api.listen();
  const ask = async (method: string, path: string, body?: unknown, token: string | null = TOKEN) => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, type: answer.headers.get('content-type'), text };
  };
  const close = async () => {
    await api.close();
    await sender.close();
  };
  return { ask, unexpected, [Symbol.asyncDispose]: close };
}

test('legacy: the answers of the original, byte for byte where it is right', async () => {
  await using api = await started();
  const json = 'application/json';
  const subscribe = (body: unknown) => api.ask('POST', '/webhooks/subscribe', body, null);
  expect(await subscribe({ url: 'https://example.com/h', colour: 'red' })).toEqual({
    status: 201,
    type: json,
    text: 'null\n',
  });
  expect(await api.ask('POST', '/webhooks/unsubscribe', { url: 'https://example.com/h' }, null)).toEqual({
    status: 200,
    type: json,
    text: 'null\n',
  });
  expect(await api.ask('POST', '/webhooks/unsubscribe', { url: 'none' }, null)).toMatchObject({
    status: 200,
  });
  expect(await subscribe('{not json')).toMatchObject({
    status: 400,
    text: expect.stringContaining('"message"'),
  });
  expect(await subscribe({ url: 'https://example.com', event_types: 'I' })).toMatchObject({ status: 400 });
  expect(await subscribe([])).toMatchObject({ status: 400 });
  expect(await api.ask('GET', '/webhooks/subscribe', undefined, null)).toMatchObject({
    status: 405,
    text: '{"message":"Method Not Allowed"}\n',
  });
  expect(await api.ask('POST', '/webhooks/nothing', {}, null)).toMatchObject({
    status: 404,
    text: '{"message":"Not Found"}\n',
  });
  expect(api.unexpected).toEqual([]);
});

test.each([
  'http://127.1.2.3/',
  'http://2130706434/',
  'http://0x7f.2/',
  'http://[::ffff:127.0.0.2]/',
  'http://[::1]/',
  'http://0/',
  'http://169.254.169.254/latest/meta-data',
  'http://10.0.0.1/',
  'http://user:pass@example.com/',
  'ftp://example.com/',
  'not a url',
  '',
])('an address that is never called is refused: %s', async (url) => {
  await using api = await started();
  expect(await api.ask('POST', '/webhooks/subscribe', { url }, null)).toMatchObject({ status: 400 });
  const refused = await api.ask('POST', '/v1/subscriptions', { url });
  expect(refused).toMatchObject({ status: 400, type: 'application/problem+json' });
});

test('the token is asked for: always by /v1, by the legacy routes off loopback unless they are open', async () => {
  await using api = await started();
  expect(await api.ask('GET', '/v1/subscriptions', undefined, null)).toMatchObject({ status: 401 });
  expect(await api.ask('GET', '/v1/subscriptions', undefined, `${TOKEN}x`)).toMatchObject({ status: 401 });
  const body = { url: 'https://example.com/token' };
  await using outside = await started({ address: '0.0.0.0:0' });
  expect(await outside.ask('POST', '/webhooks/subscribe', body, null)).toMatchObject({ status: 401 });
  expect(await outside.ask('POST', '/webhooks/subscribe', body)).toMatchObject({ status: 201 });
  await using open = await started({ address: '0.0.0.0:0', legacyOpen: true });
  expect(await open.ask('POST', '/webhooks/unsubscribe', body, null)).toMatchObject({ status: 200 });
});

test('a subscription: made, read without its secret, changed, paused, tested, rotated, removed', async () => {
  await using receiver = await Receiver.start();
  await using api = await started();
  const made = await api.ask('POST', '/v1/subscriptions', {
    url: receiver.url,
    headers: { 'x-key': 'hidden' },
  });
  expect(made.status).toBe(201);
  const { id, secret }: { id: string; secret: string } = JSON.parse(made.text);
  const path = `/v1/subscriptions/${id}`;
  const read = await api.ask('GET', path);
  expect(JSON.parse(read.text)).toMatchObject({
    url: receiver.url,
    headerNames: ['x-key'],
    signatures: 1,
    ordering: 'key',
  });
  expect(read.text).not.toMatch(/whsec|hidden/);
  expect(JSON.parse((await api.ask('PATCH', path, { maxInFlight: 9 })).text)).toMatchObject({
    maxInFlight: 9,
  });
  expect(JSON.parse((await api.ask('POST', `${path}/pause`)).text)).toMatchObject({ state: 'paused' });
  expect(JSON.parse((await api.ask('POST', `${path}/resume`)).text)).toMatchObject({ state: 'active' });
  expect(JSON.parse((await api.ask('POST', `${path}/test`)).text)).toMatchObject({
    delivered: true,
    status: 200,
  });
  const [test] = receiver.received;
  const headers = Object.fromEntries(
    Object.entries(test?.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  expect(new Webhook(secret).verify(test?.body ?? '', headers)).toMatchObject({ type: 'pgstream.test' });
  expect(headers['x-key']).toBe('hidden');
  const rotated = await api.ask('POST', `${path}/rotate-secret`, {});
  expect(JSON.parse(rotated.text)).toMatchObject({ secret: expect.stringMatching(/^whsec_/) });
  expect(JSON.parse((await api.ask('GET', path)).text)).toMatchObject({ signatures: 2 });
  expect(JSON.parse((await api.ask('GET', `${path}/status`)).text)).toMatchObject({
    state: 'active',
    lagRecords: 0,
    parked: 0,
    gaps: [],
    partitions: [{ partition: 0, nextOffset: 5 }],
  });
  expect(await api.ask('DELETE', path)).toMatchObject({ status: 204 });
  expect(await api.ask('GET', path)).toMatchObject({ status: 404, type: 'application/problem+json' });
});

test.each([
  ['an unknown member', { url: 'https://example.com', colour: 'red' }],
  ['a wrong type', { url: 'https://example.com', maxInFlight: 'many' }],
  ['an unknown operation', { url: 'https://example.com', filters: [{ operations: ['merge'] }] }],
  ['a header that is ours', { url: 'https://example.com', headers: { 'Webhook-Id': 'x' } }],
  ['a header that breaks the request', { url: 'https://example.com', headers: { 'x-a': 'b\r\nc: d' } }],
  ['a null character', { url: 'https://example.com', description: 'a\0b' }],
  ['a short secret', { url: 'https://example.com', secret: 'whsec_c2hvcnQ=' }],
  ['no JSON', '{'],
])('%s is a problem of the caller', async (_what, body) => {
  await using api = await started();
  expect(await api.ask('POST', '/v1/subscriptions', body)).toMatchObject({
    status: 400,
    type: 'application/problem+json',
  });
  expect(api.unexpected).toEqual([]);
});
