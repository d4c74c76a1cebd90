import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import {
  assert,
  asyncProperty,
  constant,
  constantFrom,
  dictionary,
  oneof,
  record,
  string,
  type Arbitrary,
} from 'fast-check';
import type { ApiRoute } from '../src/index.ts';
import { newSecret, RetryStore, SubscriptionStore } from '../src/index.ts';
import { OwnApi, TOKEN } from './own-api.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver } from './receiver.ts';
import { attacking, fitting } from './schema-arbitrary.ts';

let store: OwnStore;
let api: OwnApi;
let receiver: Receiver;
beforeAll(async () => {
  store = await OwnStore.open();
  api = await OwnApi.start(store);
  receiver = await Receiver.start();
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

/** Another one after every change. */
const version = async () => (await store.pool.query('SELECT version FROM pgstream.webhook_state')).rows;

const start = { topic: 'log', next: new Map([[0, 5]]) };

/** A subscription and a dead letter that paths can name. */
async function known(): Promise<{ readonly subscription: string; readonly letter: string }> {
  const subscription = await new SubscriptionStore(store.pool, store.box).create(spec(receiver.url), start);
  const retries = new RetryStore(store.pool, 'log');
  const ref = { subscriptionId: subscription, partition: 0, offset: 1 };
  await retries.deadLetter(ref, { eventId: 'msg_1', attempts: 1, reason: 'r', record: Buffer.from('{}') });
  const [letter] = await retries.deadLetters({ subscriptionId: subscription, limit: 1 });
  return { subscription, letter: letter?.id ?? '' };
}

/** Each once, without a slash at its end. */
function attackable(): ApiRoute[] {
  const trimmed = api.routes.map((route) => ({ ...route, path: route.path.replace(/\/$/, '') }));
  const byName = new Map(trimmed.map((route) => [`${route.method} ${route.path}`, route]));
  return [...byName.values()].filter(({ method }) => !['HEAD', 'OPTIONS'].includes(method));
}

/** Nobody outside this test is ever called, whatever becomes of an attack. */
const urls = () =>
  oneof(
    { weight: 4, arbitrary: constant(receiver.url) },
    constantFrom(`${receiver.url}?${'q'.repeat(500)}`, 'http://127.0.0.1:1/'),
    constantFrom(
      '',
      'http://',
      'http://[::1]:80/',
      'http://10.0.0.1/',
      'file:///x',
      'http://127.0.0.2/',
      '\u0000',
    ),
    string({ unit: 'binary', maxLength: 30 }),
  );

/** The legacy routes read their bodies by hand. */
const LEGACY_BODY = {
  type: 'object',
  properties: {
    url: { type: 'string' },
    schema: { type: 'string' },
    table: { type: ['string', 'null'] },
    event_types: { type: 'array', items: { enum: ['I', 'U', 'insert', 'ddl', '', 'x'] } },
    secret: { type: 'string' },
    headers: { type: 'object' },
  },
};

/** Members that no schema describes well enough: mostly what is taken, or nothing would be. */
const special = () => ({
  url: urls(),
  secret: oneof({ weight: 4, arbitrary: constant(newSecret()) }, string({ unit: 'binary', maxLength: 60 })),
  headers: oneof(
    { weight: 4, arbitrary: constant({}) },
    constant({ 'x-a': 'b' }),
    dictionary(string({ maxLength: 9 }), string({ unit: 'binary' })),
  ),
  tls: oneof(
    { weight: 4, arbitrary: constant(null) },
    record({ ca: string(), cert: string(), key: string() }, { requiredKeys: [] }),
  ),
});

function querystring(schema: unknown): Arbitrary<string> {
  const fit = fitting(schema ?? { type: 'object' }).map((query) => {
    const pairs = typeof query === 'object' && query !== null ? Object.entries(query) : [];
    return pairs
      .map(
        ([name, value]) => `${name}=${encodeURIComponent(String(value).replaceAll(/\p{Surrogate}/gu, ''))}`,
      )
      .join('&');
  });
  return oneof(
    constant(''),
    fit,
    constantFrom(
      'limit=-1',
      'limit=1e3',
      'limit=1&limit=2',
      'after=%00',
      'after=%ff%zz',
      'subscription=',
      '__proto__=1',
      'a[b]=c',
    ),
  );
}

/** Some of what fits these must come through. */
const WITHIN = [
  'GET /v1/subscriptions',
  'POST /v1/subscriptions',
  'PATCH /v1/subscriptions/:id',
  'POST /webhooks/subscribe',
];

test('every route, attacked by what its schema lets through and what it does not, answers without a 5xx', async () => {
  const routes = attackable();
  expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
    expect.arrayContaining([
      'POST /v1/subscriptions',
      'PATCH /v1/subscriptions/:id',
      'POST /webhooks/subscribe',
      'GET /v1/dead-letters',
    ]),
  );
  for (const { method, path, schema } of routes) {
    const answered = new Set<number>();
    const route = `${method} ${path}`;
    const there = await known();
    const attack = record({
      id: oneof(
        {
          weight: 5,
          arbitrary: constant(path.includes('dead-letters') ? there.letter : there.subscription),
        },
        constantFrom(
          randomUUID(),
          '1',
          '999999999999999999',
          '9'.repeat(30),
          '..%2f',
          '%00',
          '%ff',
          'x'.repeat(5_000),
        ),
      ),
      query: querystring(schema['querystring']),
      body: attacking(schema['body'] ?? (path.startsWith('/webhooks/') ? LEGACY_BODY : {}), special()),
      type: oneof(
        { weight: 5, arbitrary: constant('application/json') },
        constantFrom('text/plain', 'application/json; charset=utf-16', ';;;', 'application/xml'),
      ),
    });
    const property = asyncProperty(attack, async ({ id, query, body, type }) => {
      const answer = await fetch(`${api.url}${path.replaceAll(/:\w+/g, id)}?${query}`, {
        method,
        headers: {
          authorization: `Bearer ${TOKEN}`,
          ...(method === 'GET' ? {} : { 'content-type': type }),
        },
        ...(method === 'GET' ? {} : { body: new TextEncoder().encode(body) }),
      });
      answered.add(answer.status);
      await answer.arrayBuffer();
      expect([answer.status, body.slice(0, 200)]).toEqual([expect.any(Number), body.slice(0, 200)]);
      expect(answer.status).toBeLessThan(500);
    });
    const isThrough = () => !WITHIN.includes(route) || [...answered].some((status) => status < 300);
    for (let round = 0; round < 10 && (round === 0 || !isThrough()); round++) {
      await assert(property, { numRuns: 60 });
    }
    // Else the attack would only have met the doorkeeper.
    expect([route, isThrough()]).toEqual([route, true]);
  }
  expect(api.unexpected).toEqual([]);
  expect((await api.ask('GET', '/v1/subscriptions')).status).toBe(200);
}, 180_000);

test.each([
  ['none', null],
  ['a wrong one', 'wrong'],
  ['the beginning of it', TOKEN.slice(0, -1)],
  ['more than it', `${TOKEN}x`],
  ['another case', TOKEN.toUpperCase()],
  ['ten kilobytes', 't'.repeat(10_000)],
])(
  'with %s as token every route of /v1 answers 401, and nothing is changed or sent',
  async (_what, token) => {
    const { subscription, letter } = await known();
    const [before, sent] = [await version(), receiver.received.length];
    for (const { method, path } of attackable()) {
      if (!path.startsWith('/v1/') || path.endsWith('openapi.json')) continue;
      const id = path.includes('dead-letters') ? letter : subscription;
      const url = path.replaceAll(/:\w+/g, id);
      const body = method === 'GET' ? undefined : { url: receiver.url };
      expect([url, (await api.ask(method, url, body, { token })).status]).toEqual([url, 401]);
    }
    expect([await version(), receiver.received.length]).toEqual([before, sent]);
  },
);

/** Sends bytes as they are; resolves with the first line of the answer, `''` where there is none. */
async function exchange(parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => {
      for (const part of parts) socket.write(part);
    });
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.includes('\r\n')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
  });
}

const LONG = 'a'.repeat(10_000_000);
const AUTH = `host: x\r\nauthorization: Bearer ${TOKEN}\r\n`;
const json = (body: string) =>
  `POST /v1/subscriptions HTTP/1.1\r\n${AUTH}content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

test.each([
  ['a path of ten megabytes', `GET /v1/${LONG} HTTP/1.1\r\n${AUTH}\r\n`, 431],
  ['a query of ten megabytes', `GET /v1/subscriptions?after=${LONG} HTTP/1.1\r\n${AUTH}\r\n`, 431],
  ['a header of ten megabytes', `GET /v1/subscriptions HTTP/1.1\r\n${AUTH}x: ${LONG}\r\n\r\n`, 431],
  ['a URL of ten megabytes in the body', json(JSON.stringify({ url: `http://a/${LONG}` })), 413],
  [
    'a URL of a hundred kilobytes in the body',
    json(JSON.stringify({ url: `http://a/${LONG.slice(0, 100_000)}` })),
    400,
  ],
  ['a body of another length', json('{}').replace(/length: \d+/, 'length: -1'), 400],
  [
    'a body whose length is no number',
    json('{}').replace(/length: \d+/, 'length: 9999999999999999999999'),
    400,
  ],
  [
    'both ways to say where a body ends',
    json('{}').replace('\r\n\r\n', '\r\ntransfer-encoding: chunked\r\n\r\n'),
    400,
  ],
  [
    'chunks that are none',
    json('').replace(/content-length: \d+/, 'transfer-encoding: chunked') + 'zz\r\n',
    400,
  ],
  ['bytes that are no text', json('{"url":"\xff\xfe"}'), 400],
  ['another protocol', 'HELO example.com\r\n\r\n', 400],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
])('%s is answered with a 4xx, and the next request is served', async (_what, bytes, status) => {
  const line = await exchange([bytes]);
  expect(line).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect((await api.ask('GET', '/v1/subscriptions')).status).toBe(200);
  expect(api.unexpected).toEqual([]);
});

test.each([
  ['nested without end', `{"filters":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
  ['half a character', '{"url":"https://example.com/","filters":[{"table":"\\ud800"}]}'],
  ['half a character as a name', '{"url":"https://example.com/","headers":{"\\udfff":"x"}}'],
  ['a null character in a filter', '{"url":"https://example.com/","filters":[{"table":"a\\u0000"}]}'],
])('a body with %s is a problem of the caller, at both doors', async (_what, body) => {
  expect(await api.ask('POST', '/v1/subscriptions', body)).toMatchObject({ status: 400 });
  expect(await api.ask('POST', '/webhooks/subscribe', body)).toMatchObject({ status: 400 });
  expect(api.unexpected).toEqual([]);
});

test('a request that does not arrive is answered with 408 and its connection is closed', async () => {
  await using hasty = await OwnApi.start(store, { readTimeoutMs: 300 });
  const { port } = new URL(hasty.url);
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = connect(Number(port), '127.0.0.1', () =>
      socket.write(
        `POST /v1/subscriptions HTTP/1.1\r\n${AUTH}content-type: application/json\r\ncontent-length: 100\r\n\r\n{`,
      ),
    );
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    socket.on('close', () => resolve(text));
  });
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
}, 60_000);

test.each(['/v1/subscriptions', '/webhooks/subscribe'])(
  '%s makes no subscription and no request for an address that is never called',
  async (path) => {
    const spellings = [
      '2130706434',
      '0x7f000002',
      '017700000002',
      '0x7f.2',
      '127.0.0.2.',
      '[::ffff:127.0.0.2]',
      '[::7f00:2]',
      '[64:ff9b::7f00:2]',
      '[2002:7f00:2::]',
      '[::1]',
      '0',
      '169.254.169.254',
      '168.63.129.16',
      '100.100.100.200',
      '[fd00:ec2::254]',
      'user@127.0.0.1',
    ];
    const [before, sent] = [await version(), receiver.received.length];
    for (const host of spellings) {
      const url = `http://${host}:${receiver.port}/`;
      expect([url, await api.ask('POST', path, { url })]).toEqual([
        url,
        expect.objectContaining({ status: 400, text: expect.stringContaining('url: ') }),
      ]);
    }
    expect([await version(), receiver.received.length]).toEqual([before, sent]);
  },
);
