import { Buffer } from 'node:buffer';
import { createPublicKey, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnApi, TOKEN } from './own-api.ts';
import { OwnStore } from './own-store.ts';
import { Receiver, type Received } from './receiver.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

test('legacy: the answers of the original, byte for byte where it is right', async () => {
  await using api = await OwnApi.start(store);
  const json = 'application/json';
  const subscribe = (body: unknown) => api.ask('POST', '/webhooks/subscribe', body, { token: null });
  expect(await subscribe({ url: 'https://example.com/h', colour: 'red' })).toEqual({
    status: 201,
    type: json,
    text: 'null\n',
  });
  expect(
    await api.ask('POST', '/webhooks/unsubscribe', { url: 'https://example.com/h' }, { token: null }),
  ).toEqual({
    status: 200,
    type: json,
    text: 'null\n',
  });
  expect(await api.ask('POST', '/webhooks/unsubscribe', { url: 'none' }, { token: null })).toMatchObject({
    status: 200,
  });
  expect(await subscribe('{not json')).toMatchObject({
    status: 400,
    text: expect.stringContaining('"message"'),
  });
  expect(await subscribe({ url: 'https://example.com', event_types: 'I' })).toMatchObject({ status: 400 });
  expect(await subscribe([])).toMatchObject({ status: 400 });
  expect(await api.ask('GET', '/webhooks/subscribe', undefined, { token: null })).toMatchObject({
    status: 405,
    text: '{"message":"Method Not Allowed"}\n',
  });
  expect(await api.ask('POST', '/webhooks/nothing', {}, { token: null })).toMatchObject({
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
  await using api = await OwnApi.start(store);
  expect(await api.ask('POST', '/webhooks/subscribe', { url }, { token: null })).toMatchObject({
    status: 400,
  });
  const refused = await api.ask('POST', '/v1/subscriptions', { url });
  expect(refused).toMatchObject({ status: 400, type: 'application/problem+json' });
});

test('the token is asked for: always by /v1, by the legacy routes off loopback unless they are open', async () => {
  await using api = await OwnApi.start(store);
  expect(await api.ask('GET', '/v1/subscriptions', undefined, { token: null })).toMatchObject({
    status: 401,
  });
  expect(await api.ask('GET', '/v1/subscriptions', undefined, { token: `${TOKEN}x` })).toMatchObject({
    status: 401,
  });
  const body = { url: 'https://example.com/token' };
  await using outside = await OwnApi.start(store, { address: '0.0.0.0:0' });
  expect(await outside.ask('POST', '/webhooks/subscribe', body, { token: null })).toMatchObject({
    status: 401,
  });
  expect(await outside.ask('POST', '/webhooks/subscribe', body)).toMatchObject({ status: 201 });
  await using open = await OwnApi.start(store, { address: '0.0.0.0:0', legacyOpen: true });
  expect(await open.ask('POST', '/webhooks/unsubscribe', body, { token: null })).toMatchObject({
    status: 200,
  });
});

/** As a receiver does: https://www.rfc-editor.org/rfc/rfc8410#section-4 */
function isSignedBy(publicKey: string, signature: string, message: string): boolean {
  const bytes = Buffer.from(publicKey.replace(/^whpk_/, ''), 'base64');
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, Buffer.from(message), key, Buffer.from(signature.replace(/^v1a,/, ''), 'base64'));
}

const asRecord = (headers: Received['headers']): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

test('with an ed25519 key the public half verifies, the private one is in no answer, and rotation keeps the scheme', async () => {
  await using receiver = await Receiver.start();
  await using api = await OwnApi.start(store);
  const made = await api.ask('POST', '/v1/subscriptions', { url: receiver.url, scheme: 'v1a' });
  const { id, secret, publicKeys }: { id: string; secret: unknown; publicKeys: string[] } = JSON.parse(
    made.text,
  );
  expect([secret, publicKeys]).toEqual([null, [expect.stringMatching(/^whpk_[A-Za-z0-9+/]{43}=$/)]]);
  const path = `/v1/subscriptions/${id}`;
  const rotated = await api.ask('POST', `${path}/rotate-secret`, {});
  const { publicKey }: { publicKey: string } = JSON.parse(rotated.text);
  const read = await api.ask('GET', path);
  expect(JSON.parse(read.text)).toMatchObject({ signatures: 2, publicKeys: [publicKey, publicKeys[0]] });
  for (const { text } of [made, rotated, read]) expect(text).not.toMatch(/whsk_|whsec_/);
  await api.ask('POST', `${path}/test`);
  const [got] = receiver.received;
  const headers = asRecord(got?.headers ?? {});
  const body = got?.body ?? '';
  const message = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body.toString()}`;
  const signatures = (headers['webhook-signature'] ?? '').split(' ');
  expect(signatures).toHaveLength(2);
  expect(isSignedBy(publicKey, signatures[0] ?? '', message)).toBe(true);
  expect(isSignedBy(publicKeys[0] ?? '', signatures[1] ?? '', message)).toBe(true);
  const toShared = await api.ask('POST', `${path}/rotate-secret`, { scheme: 'v1', overlapSeconds: 0 });
  expect(JSON.parse(toShared.text)).toMatchObject({
    secret: expect.stringMatching(/^whsec_/),
    publicKey: null,
  });
  expect(JSON.parse((await api.ask('GET', path)).text)).toMatchObject({ signatures: 1, publicKeys: [] });
});

test('a subscription: made, read without its secret, changed, paused, tested, rotated, removed', async () => {
  await using receiver = await Receiver.start();
  await using api = await OwnApi.start(store);
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
  const headers = asRecord(test?.headers ?? {});
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
  await using api = await OwnApi.start(store);
  expect(await api.ask('POST', '/v1/subscriptions', body)).toMatchObject({
    status: 400,
    type: 'application/problem+json',
  });
  expect(api.unexpected).toEqual([]);
});

test('filters come back as they were given, each value with its type', async () => {
  await using api = await OwnApi.start(store);
  const values = [5, '5', true, 'true', 0.25, '', [1, '1', false], ['a']];
  const filters = [
    { schema: 'a*', operations: ['insert', 'ddl'], changedColumns: ['x'] },
    { where: values.map((value) => ({ column: 'c', op: Array.isArray(value) ? 'in' : 'eq', value })) },
  ];
  const made = await api.made<Made>('POST', '/v1/subscriptions', { url: 'https://example.com/f', filters });
  expect(await api.made('GET', `/v1/subscriptions/${made.id}`)).toMatchObject({ filters });
  expect((await api.subscriptions.find(made.id))?.filters).toEqual(filters);
});

test('a subscription of the original is listed, page by page, with what it hears of', async () => {
  await using api = await OwnApi.start(store);
  const asked = { url: 'https://example.com/listed', schema: 'app', event_types: ['I', 'update'] };
  await api.ask('POST', '/webhooks/subscribe', asked, { token: null });
  const all: unknown[] = [];
  for (let after = ''; ;) {
    // oxlint-disable-next-line no-await-in-loop -- where the next page begins is in this one
    const page = await api.made<{ items: readonly unknown[]; next: string | null }>(
      'GET',
      `/v1/subscriptions?limit=2${after}`,
    );
    all.push(...page.items);
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  expect(all).toContainEqual(
    expect.objectContaining({
      url: asked.url,
      origin: 'legacy',
      legacy: { schema: 'app', table: '', eventTypes: ['I', 'U'] },
    }),
  );
});

interface Made {
  readonly id: string;
  readonly secret: string;
}

async function countOf(url: string): Promise<number> {
  const { rows } = await store.pool.query('SELECT FROM pgstream.webhook_subscription WHERE url = $1', [url]);
  return rows.length;
}

test('with an Idempotency-Key a POST is done once, and its answer, secret and all, is given again', async () => {
  await using api = await OwnApi.start(store);
  const url = 'https://example.com/once';
  const keyed = { headers: { 'idempotency-key': 'key one' } };
  const first = await api.ask('POST', '/v1/subscriptions', { url }, keyed);
  expect(await api.ask('POST', '/v1/subscriptions', { url }, keyed)).toEqual({ ...first, status: 201 });
  expect(await countOf(url)).toBe(1);
  const answer = await fetch(`${api.url}/v1/subscriptions`, {
    method: 'POST',
    headers: { ...keyed.headers, 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify({ url }),
  });
  const made: Made = JSON.parse(first.text);
  expect([answer.headers.get('idempotent-replayed'), answer.headers.get('location')]).toEqual([
    'true',
    `/v1/subscriptions/${made.id}`,
  ]);
  const other = await api.ask('POST', '/v1/subscriptions', { url: `${url}/other` }, keyed);
  expect(other).toMatchObject({ status: 422, type: 'application/problem+json' });
  const { rows } = await store.pool.query('SELECT answer FROM pgstream.webhook_request');
  expect(rows.map(({ answer: kept }) => String(kept)).join()).not.toMatch(/whsec|example/);
  const rotate = `/v1/subscriptions/${made.id}/rotate-secret`;
  const rotated = await api.ask('POST', rotate, {}, { headers: { 'idempotency-key': 'two' } });
  expect(await api.ask('POST', rotate, {}, { headers: { 'idempotency-key': 'two' } })).toEqual(rotated);
  expect((await api.subscriptions.find(made.id))?.secrets).toHaveLength(2);
  await api.ask('DELETE', `/v1/subscriptions/${made.id}`);
  expect(await api.ask('POST', '/v1/subscriptions', { url }, keyed)).toEqual(first);
  expect(await countOf(url)).toBe(0);
});

test('what was refused may be tried again with its Idempotency-Key; a key that is no text is a 400', async () => {
  await using api = await OwnApi.start(store);
  const keyed = { headers: { 'idempotency-key': 'again' } };
  const asked = (url: string) => api.ask('POST', '/v1/subscriptions', { url }, keyed);
  expect(await asked('http://10.0.0.1/')).toMatchObject({ status: 400 });
  expect(await asked('https://example.com/again')).toMatchObject({ status: 201 });
  const long = { headers: { 'idempotency-key': 'x'.repeat(256) } };
  expect(await api.ask('POST', '/v1/subscriptions', { url: 'https://example.com' }, long)).toMatchObject({
    status: 400,
  });
});

test('two requests with one Idempotency-Key at a time make one subscription', async () => {
  await using api = await OwnApi.start(store);
  const url = 'https://example.com/at-once';
  const keyed = { headers: { 'idempotency-key': 'at once' } };
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => api.ask('POST', '/v1/subscriptions', { url }, keyed)),
  );
  const texts = answers.flatMap(({ status, text }) => (status === 201 ? [text] : []));
  expect([texts.length > 0, new Set(texts).size]).toEqual([true, 1]);
  expect(answers.filter(({ status }) => status !== 201 && status !== 409)).toEqual([]);
  expect(await countOf(url)).toBe(1);
});

test('a process that ends before its answer leaves one subscription, which the next request gets', async () => {
  await using api = await OwnApi.start(store);
  const url = 'https://example.com/crash';
  const keyed = { headers: { 'idempotency-key': 'crash' } };
  const before = await api.ask('POST', '/v1/subscriptions', { url }, keyed);
  // As if it had been killed between making it and saying so.
  await store.pool.query(
    "UPDATE pgstream.webhook_request SET http_status = NULL, answer = NULL, busy_until = now() + interval '1 minute'",
  );
  expect(await api.ask('POST', '/v1/subscriptions', { url }, keyed)).toMatchObject({ status: 409 });
  await store.pool.query('UPDATE pgstream.webhook_request SET busy_until = now()');
  const after = await api.ask('POST', '/v1/subscriptions', { url }, keyed);
  expect([after.status, JSON.parse(after.text)]).toEqual([201, JSON.parse(before.text)]);
  expect(await countOf(url)).toBe(1);
});

test('the document that is served is the one in docs/openapi.json, and needs no token', async () => {
  await using api = await OwnApi.start(store, { token: null });
  const { status, text } = await api.ask('GET', '/v1/openapi.json', undefined, { token: null });
  expect(status).toBe(200);
  const committed = readFileSync(join(__dirname, '../../../docs/openapi.json'), 'utf8');
  expect(JSON.parse(text)).toEqual(JSON.parse(committed));
});

test.each([
  ['no place', {}],
  ['two places', { from: { beginning: true, time: '2026-11-21T09:00:00Z' } }],
  ['a time without a zone', { from: { time: '2026-11-21T09:00:00' } }],
  ['a time to come', { from: { time: '2999-01-01T00:00:00Z' } }],
  ['a time before time', { from: { time: '1969-01-01T00:00:00Z' } }],
  ['no LSN', { from: { lsn: '16-B374D848' } }],
  ['a negative offset', { from: { offsets: [{ partition: 0, offset: -1 }] } }],
  [
    'a partition twice',
    {
      from: {
        offsets: [
          { partition: 0, offset: 3 },
          { partition: 0, offset: 4 },
        ],
      },
    },
  ],
  ['an end, which there is not', { from: { beginning: true }, to: { time: '2026-11-21T09:00:00Z' } }],
])('a replay from %s is a problem of the caller', async (_what, body) => {
  await using api = await OwnApi.start(store);
  const { id } = await api.made<Made>('POST', '/v1/subscriptions', { url: 'https://example.com/bad' });
  expect(await api.ask('POST', `/v1/subscriptions/${id}/replay`, body)).toMatchObject({
    status: 400,
    type: 'application/problem+json',
  });
  expect(api.unexpected).toEqual([]);
});
