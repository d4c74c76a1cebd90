import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { assetsDir, waitFor } from '@pgstream/test-kit';
import { SecretBox, SubscriptionStore } from '../src/index.ts';
import { OwnApi } from './own-api.ts';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver } from './receiver.ts';
import { change, column } from './records.ts';
import { Worker } from './worker.ts';

const pem = (name: string) => readFileSync(join(assetsDir(), 'tls', name), 'utf8');
const TLS = { ca: pem('ca.crt'), cert: pem('client.crt'), key: pem('client.key') };
/** Lines of key and certificates that could be recognised anywhere. */
const SECRET_LINES = Object.values(TLS)
  .join('\n')
  .split('\n')
  .filter((line) => line.length > 20 && !line.startsWith('-'));

const small = (n: number) => change(n, { action: 'U', columns: [column('id', 1)] });

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

/** Takes requests only from whoever shows a certificate of our authority. */
async function mutualReceiver() {
  const ids: string[] = [];
  const server = createServer(
    {
      key: pem('server.key'),
      cert: pem('server.crt'),
      ca: TLS.ca,
      requestCert: true,
      rejectUnauthorized: true,
    },
    (request, response) => {
      ids.push(String(request.headers['webhook-id']));
      request.resume().on('end', () => response.end());
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { ids, url: `https://localhost:${port}/hook`, [Symbol.asyncDispose]: close };
}

function expectNothingSecret(text: string): void {
  for (const line of SECRET_LINES) expect(text).not.toContain(line);
}

test('a worker delivers to a receiver that asks for a certificate, and not once that is taken away', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await mutualReceiver();
  await using worker = await Worker.start(store, log);
  const id = await worker.subscribe(spec(receiver.url, { tls: TLS }));
  await log.send(0, [change(1), change(2)]);
  await waitFor('both deliveries', () => receiver.ids.length === 2);
  const before = (await worker.subscriptions.find(id))!;
  await worker.subscriptions.update(id, { ...before, tls: { ca: TLS.ca } });
  await worker.sink.refresh();
  await log.send(0, [change(3)]);
  await waitFor('the circuit to open', () => worker.notices.includes('subscription_failing'));
  expect(receiver.ids).toHaveLength(2);
  await worker.subscriptions.update(id, before);
  await worker.sink.refresh();
  await waitFor('the third', () => receiver.ids.length === 3);
});

test('TLS material is in no answer of the API and in no table in the clear; it can be changed and taken away', async () => {
  await using receiver = await mutualReceiver();
  await using api = await OwnApi.start(store);
  const made = await api.ask('POST', '/v1/subscriptions', { url: receiver.url, tls: TLS });
  expect(made).toMatchObject({ status: 201 });
  const { id, tls }: { id: string; tls: unknown } = JSON.parse(made.text);
  expect(tls).toEqual({ ownCa: true, clientCertificateUntil: '2126-10-28T10:51:45.000Z' });
  const path = `/v1/subscriptions/${id}`;
  const answers = [made, await api.ask('GET', path), await api.ask('GET', '/v1/subscriptions')];
  for (const { text } of answers) expectNothingSecret(text);
  expect(JSON.parse((await api.ask('POST', `${path}/test`)).text)).toMatchObject({ delivered: true });
  const { rows } = await store.pool.query('SELECT tls FROM pgstream.webhook_subscription WHERE id = $1', [
    id,
  ]);
  const sealed = rows[0]?.['tls'];
  expect(sealed instanceof Uint8Array && sealed.length > 500).toBe(true);
  expectNothingSecret(sealed instanceof Uint8Array ? Buffer.from(sealed).toString('latin1') : '');
  const otherKey = new SecretBox([Buffer.alloc(32).toString('base64')], 'PGSTREAM_WEBHOOK_SECRET_KEY');
  await expect(new SubscriptionStore(store.pool, otherKey).find(id)).rejects.toMatchObject({
    code: 'WEBHOOK_SECRET_UNREADABLE',
  });
  expect(JSON.parse((await api.ask('PATCH', path, { tls: { ca: TLS.ca } })).text)).toMatchObject({
    tls: { ownCa: true, clientCertificateUntil: null },
  });
  expect(JSON.parse((await api.ask('POST', `${path}/test`)).text)).toMatchObject({ delivered: false });
  expect(JSON.parse((await api.ask('PATCH', path, { tls: null })).text)).toMatchObject({ tls: null });
  const stillThere = await store.pool.query('SELECT tls FROM pgstream.webhook_subscription WHERE id = $1', [
    id,
  ]);
  expect(stillThere.rows).toEqual([{ tls: null }]);
});

test.each([
  ['a key that belongs to another certificate', { ...TLS, key: pem('server.key') }],
  ['an authority that is none', { ca: 'none' }],
  ['a member that nobody knows', { ...TLS, passphrase: 'x' }],
])('%s is a problem of the caller, told without what was sent', async (_what, tls) => {
  await using api = await OwnApi.start(store);
  const answer = await api.ask('POST', '/v1/subscriptions', { url: 'https://example.com/', tls });
  expect(answer).toMatchObject({ status: 400, type: 'application/problem+json' });
  expectNothingSecret(answer.text);
});

test('TLS material for a URL without TLS is refused, also when only the URL is changed', async () => {
  await using api = await OwnApi.start(store);
  const plain = await api.ask('POST', '/v1/subscriptions', { url: 'http://example.com/', tls: TLS });
  expect(plain).toMatchObject({ status: 400, text: expect.stringContaining('only an https URL uses it') });
  const made = await api.ask('POST', '/v1/subscriptions', { url: 'https://example.com/', tls: TLS });
  const { id }: { id: string } = JSON.parse(made.text);
  expect(await api.ask('PATCH', `/v1/subscriptions/${id}`, { url: 'http://example.com/' })).toMatchObject({
    status: 400,
  });
});

test('an event above the limit of its subscription is a dead letter with its reason, and the others go on', async () => {
  await using log = await OwnLog.create(1);
  await using limited = await Receiver.start();
  await using other = await Receiver.start();
  await using worker = await Worker.start(store, log);
  const id = await worker.subscribe(spec(limited.url, { maxPayloadBytes: 2_000 }));
  await worker.subscribe(spec(other.url));
  const large = change(2, { action: 'U', columns: [column('id', 1), column('note', 'x'.repeat(5_000))] });
  await log.send(0, [small(1), large, small(3)]);
  await Promise.all([limited.accepts(2), other.accepts(3)]);
  await waitFor('the commit to pass it', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 3);
  const [letter] = await worker.retries.deadLetters({ subscriptionId: id, limit: 10 });
  expect(letter).toMatchObject({
    offset: 1,
    attempts: 0,
    reason: expect.stringMatching(
      /^the body has \d+ bytes, maxPayloadBytes of the subscription is 2000: raise it and retry$/,
    ),
  });
  expect(worker.notices).toContain('event_dead_lettered');
  // Sent back as it is, it is refused again, and once the limit is raised it goes out.
  const again = async () => {
    const [one] = await worker.retries.deadLetters({ subscriptionId: id, limit: 10 });
    expect(await worker.retries.retryDeadLetter(one?.id ?? '')).toBe(true);
    await worker.sink.refresh();
  };
  await again();
  await waitFor('it to be a letter again', async () => {
    const letters = await worker.retries.deadLetters({ subscriptionId: id, limit: 10 });
    return letters.length === 1 && letters[0]?.id !== letter?.id;
  });
  expect(limited.received).toHaveLength(2);
  const before = (await worker.subscriptions.find(id))!;
  await worker.subscriptions.update(id, { ...before, maxPayloadBytes: null });
  await again();
  const got = await limited.accepts(3);
  expect(got.at(-1)?.id).toBe(letter?.eventId);
  expect(worker.failure).toBeUndefined();
});

test('by /v1 the limit is 256 KiB unless it says otherwise; the legacy route has none, as the original', async () => {
  await using api = await OwnApi.start(store);
  const made = async (body: object) =>
    JSON.parse((await api.ask('POST', '/v1/subscriptions', { url: 'https://example.com/', ...body })).text);
  expect(await made({})).toMatchObject({ maxPayloadBytes: 262_144 });
  expect(await made({ maxPayloadBytes: null })).toMatchObject({ maxPayloadBytes: null });
  expect(await made({ maxPayloadBytes: 5_000 })).toMatchObject({ maxPayloadBytes: 5_000 });
  expect(await made({ maxPayloadBytes: 3 })).toMatchObject({ status: 400 });
  await api.ask('POST', '/webhooks/subscribe', { url: 'https://example.com/legacy' }, { token: null });
  const { items }: { items: { url: string; maxPayloadBytes: number | null }[] } = JSON.parse(
    (await api.ask('GET', '/v1/subscriptions?limit=500')).text,
  );
  expect(items.find(({ url }) => url.endsWith('/legacy'))).toMatchObject({ maxPayloadBytes: null });
});
