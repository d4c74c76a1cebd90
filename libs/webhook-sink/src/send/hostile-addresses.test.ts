import { Buffer } from 'node:buffer';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { assert, constantFrom, integer, oneof, property, string, tuple } from 'fast-check';
import { AddressGuard } from './address-guard.ts';
import { Sender } from './sender.ts';

const TIMEOUT_MS = 2_000;

/** Every address of the machine, and whoever calls it is noted. */
async function trap() {
  const hits: string[] = [];
  const server = createServer((request, response) => {
    hits.push(String(request.url));
    request.resume().on('end', () => response.end());
  });
  server.on('connection', ({ localAddress }) => hits.push(`connection to ${localAddress}`));
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { hits, port, [Symbol.asyncDispose]: close };
}

/** @param answers what a name resolves to, one answer after the other, the last one again and again. */
function senderOf(answers: readonly (readonly string[])[] = [], allow: readonly string[] = []) {
  let asked = 0;
  const resolve: NonNullable<ConstructorParameters<typeof AddressGuard>[0]['resolve']> = (
    _host,
    _options,
    done,
  ) => {
    const found = answers[Math.min(asked++, answers.length - 1)] ?? [];
    const all: LookupAddress[] = found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    queueMicrotask(() => done(null, all));
  };
  const guard = new AddressGuard({
    allow,
    httpsOnly: false,
    setting: 'ALLOW',
    ...(answers.length > 0 ? { resolve } : {}),
  });
  const sender = new Sender({ guard });
  const to = async (url: string) =>
    await sender.send({ url, headers: [], body: Buffer.from('{}'), timeoutMs: TIMEOUT_MS });
  return { guard, to, asked: () => asked, [Symbol.asyncDispose]: () => sender.close() };
}

type Octets = readonly [number, number, number, number];
const octet = integer({ min: 0, max: 255 });
/** Of every range that belongs to nobody in the world. */
const privateAddress = oneof(
  tuple(constantFrom(127), octet, octet, octet),
  tuple(constantFrom(10), octet, octet, octet),
  tuple(constantFrom(0), octet, octet, octet),
  tuple(constantFrom(172), integer({ min: 16, max: 31 }), octet, octet),
  tuple(constantFrom(192), constantFrom(168), octet, octet),
  tuple(constantFrom(169), constantFrom(254), octet, octet),
  tuple(constantFrom(100), integer({ min: 64, max: 127 }), octet, octet),
  tuple(constantFrom(198), integer({ min: 18, max: 19 }), octet, octet),
  tuple(integer({ min: 224, max: 255 }), octet, octet, octet),
  constantFrom<[number, number, number, number]>([168, 63, 129, 16]),
);

const asNumber = ([a, b, c, d]: Octets) => ((a * 256 + b) * 256 + c) * 256 + d;
const hex = (n: number) => n.toString(16);
const groups = ([a, b, c, d]: Octets) => `${hex(a * 256 + b)}:${hex(c * 256 + d)}`;

/** How one address can be written so that a URL parser still finds it. */
const SPELLINGS: readonly ((octets: Octets) => string)[] = [
  (octets) => octets.join('.'),
  (octets) => `${octets.join('.')}.`,
  (octets) => String(asNumber(octets)),
  (octets) => `0x${hex(asNumber(octets))}`,
  (octets) => `0X${hex(asNumber(octets)).toUpperCase()}`,
  (octets) => `0${asNumber(octets).toString(8)}`,
  (octets) => octets.map((one) => `0x${hex(one)}`).join('.'),
  (octets) => octets.map((one) => `0${one.toString(8)}`).join('.'),
  (octets) => octets.map((one) => `0000000${one.toString(8)}`).join('.'),
  ([a, ...rest]) => `${a}.${asNumber([0, ...rest])}`,
  ([a, b, c, d]) => `${a}.0x${hex(b)}.${c * 256 + d}`,
  (octets) => Array.from(octets.join('.'), (letter) => `%${letter.charCodeAt(0).toString(16)}`).join(''),
  (octets) => octets.join('。'),
  (octets) =>
    Array.from(octets.join('.'), (letter) =>
      letter === '.' ? '.' : String.fromCodePoint(0xff10 + Number(letter)),
    ).join(''),
  (octets) => `[::ffff:${octets.join('.')}]`,
  (octets) => `[::FFFF:${groups(octets)}]`,
  (octets) => `[0:0:0:0:0:ffff:${groups(octets)}]`,
  (octets) => `[::${octets.join('.')}]`,
  (octets) => `[::ffff:0:${groups(octets)}]`,
  (octets) => `[64:ff9b::${octets.join('.')}]`,
  (octets) => `[64:ff9b:1::${groups(octets)}]`,
  (octets) => `[2002:${groups(octets)}::1]`,
];

test('no spelling of an address that belongs to nobody in the world is called', () => {
  const { guard } = senderOf();
  assert(
    property(privateAddress, constantFrom(...SPELLINGS), (octets, spell) => {
      const host = spell(octets);
      expect([host, guard.urlFault(`http://${host}:8080/a`)]).toEqual([
        host,
        expect.stringMatching(/^url: /),
      ]);
    }),
    { numRuns: 3_000 },
  );
});

test.each(SPELLINGS.map((spell) => spell([127, 0, 0, 1])).map((host) => [host]))(
  'http://%s is refused without a connection',
  async (host) => {
    await using own = await trap();
    await using sender = senderOf();
    const result = await sender.to(`http://${host}:${own.port}/`);
    expect(result).toMatchObject({
      isDelivered: false,
      status: null,
      reason: expect.stringMatching(/^url: .*ALLOW can allow it/),
    });
    expect(own.hits).toEqual([]);
  },
);

test.each([
  'http://user@127.0.0.1/',
  'http://user:password@example.com/',
  'http://example.com:80@127.0.0.1/',
  'http://:@127.0.0.1/',
  'http:\\\\127.0.0.1\\',
  'http:127.0.0.1',
  ' http://127.0.0.1/ ',
  'http://127.0.0.1\t/',
  'h\nttp://127.0.0.1/',
  'http://[fe80::1%25eth0]/',
  'http://[::]/',
  'http://[fec0::1]/',
  'http://[fd00:ec2::254]/',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'unix:/var/run/docker.sock',
  'javascript:alert(1)',
  'data:text/plain,a',
  'http://',
  'http:///',
  '//127.0.0.1/',
  'http://256.256.256.256/',
  'http://127.0.0.1.2.3/',
  'http://0x7f.0x0.0x0.0x100/',
])('%j is refused', (url) => expect(senderOf().guard.urlFault(url)).toMatch(/^url: /));

test('a name that resolves to nothing public is refused without a connection', async () => {
  await using own = await trap();
  for (const address of [
    '127.0.0.1',
    '::1',
    '::ffff:127.0.0.1',
    '::7f00:1',
    '169.254.169.254',
    '10.0.0.1',
    'fd00::1',
    '64:ff9b::7f00:1',
  ]) {
    await using sender = senderOf([[address]]);
    expect(await sender.to(`http://evil.example:${own.port}/`)).toMatchObject({
      isDelivered: false,
      reason: 'evil.example resolves to no public address; ALLOW can allow what it resolves to',
    });
  }
  expect(own.hits).toEqual([]);
});

test('a name that changes its mind between check and connection gains nothing: it is asked once, and the socket uses that answer', async () => {
  await using own = await trap();
  // The trap listens on every address of the machine: which one was called is told by the socket.
  await using sender = senderOf([['127.0.0.9'], ['127.0.0.1']], ['127.0.0.9']);
  expect(await sender.to(`http://flips.example:${own.port}/`)).toMatchObject({ isDelivered: true });
  expect([own.hits, sender.asked()]).toEqual([['connection to 127.0.0.9', '/'], 1]);
  await using other = senderOf([['127.0.0.1'], ['127.0.0.9']], ['127.0.0.9']);
  expect(await other.to(`http://flips.example:${own.port}/`)).toMatchObject({ isDelivered: false });
  expect([own.hits.length, other.asked()]).toEqual([2, 1]);
});

test('of several addresses only those that may be called are tried', async () => {
  const { guard } = senderOf([['127.0.0.1', '93.184.216.34', '::1']]);
  const found = await new Promise<unknown>((resolve) =>
    guard.lookup('mixed.example', { all: true }, (_error, all) => resolve(all)),
  );
  expect(found).toEqual([{ address: '93.184.216.34', family: 4 }]);
});

test('each new connection is judged anew, and one that is kept was judged', async () => {
  await using own = await trap();
  await using sender = senderOf([['127.0.0.1'], ['10.0.0.1']], ['127.0.0.1']);
  const url = `http://turns.example:${own.port}/`;
  expect(await sender.to(url)).toMatchObject({ isDelivered: true });
  await setImmediate(); // the connection is free a moment after its answer
  const [one, other] = await Promise.all([sender.to(url), sender.to(url)]);
  expect(Number(one.isDelivered) + Number(other.isDelivered)).toBe(1);
});

test('a URL of ten megabytes is judged at once, and what is no URL never throws', async () => {
  const { guard } = senderOf();
  const startedAt = performance.now();
  for (const long of [
    'a'.repeat(10_000_000),
    `http://${'a'.repeat(10_000_000)}`,
    `http://${'1.'.repeat(5_000_000)}`,
    `http://127.0.0.1/${'%'.repeat(10_000_000)}`,
  ]) {
    expect(() => guard.urlFault(long)).not.toThrow();
  }
  expect(guard.urlFault(`http://127.0.0.1/${'a'.repeat(10_000_000)}`)).toContain('not a public address');
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  assert(
    property(string({ unit: 'binary', maxLength: 60 }), (text) => {
      expect(() => guard.urlFault(`http://${text}`)).not.toThrow();
      expect(() => guard.urlFault(text)).not.toThrow();
    }),
    { numRuns: 2_000 },
  );
});
