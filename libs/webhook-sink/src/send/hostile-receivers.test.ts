import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { assert, asyncProperty, constantFrom, oneof, string, uint8Array } from 'fast-check';
import { AddressGuard } from './address-guard.ts';
import { Sender, type SendResult } from './sender.ts';

const TIMEOUT_MS = 400;
const KIB = 1024;

/** Says what the test tells it to, byte for byte, to every connection that sends something. */
class RawReceiver {
  /** Bytes that were handed to sockets. */
  written = 0;
  connections = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(say: (socket: Socket, receiver: RawReceiver) => void) {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.once('data', () => say(socket, this));
      socket.resume();
    });
  }

  static async start(say: (socket: Socket, receiver: RawReceiver) => void): Promise<RawReceiver> {
    const receiver = new RawReceiver(say);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  write(socket: Socket, bytes: string | Buffer): boolean {
    this.written += bytes.length;
    return socket.write(bytes);
  }

  /** Resolves when whoever called has closed every connection. */
  async untilLeft(): Promise<void> {
    await Promise.all(
      [...this.#sockets].map((socket) => new Promise<unknown>((resolve) => socket.once('close', resolve))),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let sender: Sender;
beforeEach(() => {
  const guard = new AddressGuard({ allow: ['127.0.0.1'], httpsOnly: false, setting: 'ALLOW' });
  sender = new Sender({ guard, connectTimeoutMs: TIMEOUT_MS });
});
afterEach(() => sender.close());

async function sent(url: string): Promise<SendResult> {
  return await sender.send({ url, headers: [], body: Buffer.from('{}'), timeoutMs: TIMEOUT_MS });
}

/** Goes on for as long as the other side takes it. */
function endless(socket: Socket, receiver: RawReceiver, bytes: Buffer): void {
  const more = (): void => {
    if (socket.destroyed) return;
    if (receiver.write(socket, bytes)) setImmediate(more);
    else socket.once('drain', more);
  };
  more();
}

/** Some bytes at a time, for ever. */
function drip(socket: Socket, receiver: RawReceiver, next: () => string): void {
  const timer = setInterval(() => receiver.write(socket, next()), 10);
  socket.on('close', () => clearInterval(timer));
}

const HEAD = 'HTTP/1.1 200 OK\r\n';
const FAILS: readonly [string, (socket: Socket, receiver: RawReceiver) => void][] = [
  ['says nothing', () => undefined],
  ['closes without an answer', (socket) => socket.end()],
  ['resets without an answer', (socket) => socket.resetAndDestroy()],
  ['drips its headers', (socket, to) => (to.write(socket, HEAD), drip(socket, to, () => 'a: b\r\n'))],
  ['drips one header', (socket, to) => (to.write(socket, `${HEAD}x: `), drip(socket, to, () => 'y'))],
  ['drips its status line', (socket, to) => drip(socket, to, () => 'H')],
  [
    'never ends its headers',
    (socket, to) => (to.write(socket, HEAD), endless(socket, to, Buffer.from('a: b\r\n'.repeat(100)))),
  ],
  [
    'sends huge headers',
    (socket, to) => void to.write(socket, `${HEAD}x: ${'y'.repeat(KIB * KIB)}\r\ncontent-length: 0\r\n\r\n`),
  ],
  [
    'drips its body',
    (socket, to) => (
      to.write(socket, `${HEAD}transfer-encoding: chunked\r\n\r\n`),
      drip(socket, to, () => '1\r\nx\r\n')
    ),
  ],
  ['announces more than it sends', (socket) => socket.end(`${HEAD}content-length: 100\r\n\r\nshort`)],
  [
    'announces more than it sends and stays',
    (socket, to) => void to.write(socket, `${HEAD}content-length: 100\r\n\r\nshort`),
  ],
  [
    'resets in its body',
    (socket, to) =>
      void (
        to.write(socket, `${HEAD}content-length: 100\r\n\r\nshort`),
        setTimeout(() => socket.resetAndDestroy(), 20)
      ),
  ],
  ['has two lengths', (socket) => socket.end(`${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`)],
  ['has a length that is none', (socket) => socket.end(`${HEAD}content-length: many\r\n\r\nab`)],
  ['has a negative length', (socket) => socket.end(`${HEAD}content-length: -1\r\n\r\nab`)],
  ['breaks its chunks', (socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nab`)],
  [
    'promises only that it will go on',
    (socket, to) => drip(socket, to, () => 'HTTP/1.1 102 Processing\r\n\r\n'),
  ],
  [
    'floods with 1xx',
    (socket, to) =>
      endless(socket, to, Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(100))),
  ],
  [
    'wants to switch protocols',
    (socket) =>
      void socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
  ],
  ['speaks TLS', (socket) => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 40]))],
  ['speaks another HTTP', (socket) => socket.end('HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n')],
  ['speaks SMTP', (socket) => socket.end('220 mail.example ESMTP\r\n')],
  ['has no status', (socket) => socket.end('HTTP/1.1 OK\r\ncontent-length: 0\r\n\r\n')],
  [
    'redirects to itself',
    (socket) => socket.end('HTTP/1.1 307 Again\r\nlocation: /hook\r\ncontent-length: 0\r\n\r\n'),
  ],
  [
    'redirects to the metadata service',
    (socket) =>
      socket.end('HTTP/1.1 302 There\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n'),
  ],
];

test('whoever asked for something is told of its end before the sender has closed', async () => {
  await using receiver = await RawReceiver.start(() => undefined);
  const told: SendResult[] = [];
  const delivery = { url: receiver.url, headers: [], body: Buffer.from('{}'), timeoutMs: TIMEOUT_MS };
  sender.start(delivery, (result) => told.push(result));
  await sender.close();
  expect(told).toMatchObject([{ isDelivered: false, status: null }]);
});

test.each(FAILS)(
  'a receiver that %s is a failure within the time limit, and keeps no connection',
  async (_what, say) => {
    await using receiver = await RawReceiver.start(say);
    const result = await sent(receiver.url);
    expect(result).toMatchObject({ isDelivered: false, isGone: false });
    expect(result.fault).not.toBe('none');
    expect(result.durationMs).toBeLessThan(TIMEOUT_MS + 500);
    expect(receiver.connections).toBe(1);
    await receiver.untilLeft();
    expect(receiver.written).toBeLessThan(64 * KIB * KIB);
  },
);

test.each([
  ['answers without an end', `${HEAD}transfer-encoding: chunked\r\n\r\n`, '8000\r\n', '\r\n'],
  ['announces 100 MB', `${HEAD}content-length: 100000000\r\n\r\n`, '', ''],
])(
  'a receiver that %s took the event: no more than a little is read, and the connection is closed',
  async (_what, head, before, after) => {
    await using receiver = await RawReceiver.start((socket, to) => {
      to.write(socket, head);
      endless(socket, to, Buffer.from(`${before}${'x'.repeat(0x8000)}${after}`));
    });
    expect(await sent(receiver.url)).toMatchObject({ isDelivered: true, status: 200 });
    await receiver.untilLeft();
    // What the sockets of both sides hold, not what it has to say.
    expect(receiver.written).toBeLessThan(32 * KIB * KIB);
  },
);

test('a gzip bomb is not unpacked', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * KIB * KIB));
  await using receiver = await RawReceiver.start((socket) => {
    socket.write(`${HEAD}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`);
    socket.end(bomb);
  });
  const before = process.memoryUsage().rss;
  expect(await sent(receiver.url)).toMatchObject({ isDelivered: true });
  expect(process.memoryUsage().rss - before).toBeLessThan(48 * KIB * KIB);
});

test('an answer in front of the question is not taken for one', async () => {
  await using receiver = await RawReceiver.start((socket) => {
    // Two answers to one request: the second must not settle the next event.
    socket.write(`${HEAD}content-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`);
  });
  expect(await sent(receiver.url)).toMatchObject({ isDelivered: true });
  await receiver.untilLeft();
  await sent(receiver.url);
  expect(receiver.connections).toBe(2);
});

test.each([
  ['1', 1_000],
  ['0', 0],
  ['999999999', 999_999_999_000],
  ['99999999999999999999', null],
  ['-5', 0],
  ['soon', null],
  ['Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['', null],
])('Retry-After %j is a wait that can be used, or none', async (value, waitMs) => {
  await using receiver = await RawReceiver.start((socket) =>
    socket.end(`HTTP/1.1 429 Slow\r\nretry-after: ${value}\r\ncontent-length: 0\r\n\r\n`),
  );
  expect(await sent(receiver.url)).toMatchObject({
    isDelivered: false,
    fault: 'endpoint',
    retryAfterMs: waitMs,
  });
});

test('whatever bytes come back, the attempt ends in time, and only a whole 2xx answer is a delivery', async () => {
  let answer = Buffer.alloc(0);
  await using receiver = await RawReceiver.start((socket) => socket.end(answer));
  const pieces = constantFrom(
    'HTTP/1.1 204 No Content\r\n\r\n',
    HEAD,
    'HTTP/1.0 200 OK\r\n',
    'HTTP/1.1 500 No\r\n',
    'content-length: 3\r\n',
    'transfer-encoding: chunked\r\n',
    '\r\n',
    '0\r\n\r\n',
    'abc',
  );
  const hostile = oneof(
    pieces.chain((first) => pieces.map((second) => Buffer.from(first + second))),
    pieces.chain((first) =>
      string({ unit: 'binary', maxLength: 60 }).map((rest) => Buffer.from(first + rest)),
    ),
    uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  );
  await assert(
    asyncProperty(hostile, async (bytes) => {
      answer = bytes;
      const { isDelivered, durationMs } = await sent(receiver.url);
      expect(durationMs).toBeLessThan(TIMEOUT_MS + 500);
      const isAnswer = /^[\r\n]*HTTP\/1\.[01] 2\d\d/.test(bytes.toString('latin1'));
      expect(isDelivered && !isAnswer).toBe(false);
    }),
    { numRuns: 300 },
  );
}, 60_000);

test('an attempt that waits for a socket ends in time too, and nothing of it is sent afterwards', async () => {
  await using receiver = await RawReceiver.start(() => undefined);
  const guard = new AddressGuard({ allow: ['127.0.0.1'], httpsOnly: false, setting: 'ALLOW' });
  const narrow = new Sender({ guard, maxSocketsPerOrigin: 1 });
  try {
    const results = await Promise.all(
      Array.from({ length: 4 }, () =>
        narrow.send({ url: receiver.url, headers: [], body: Buffer.from('{}'), timeoutMs: TIMEOUT_MS }),
      ),
    );
    for (const { reason, durationMs } of results) {
      expect(reason).toBe(`no answer within ${TIMEOUT_MS} ms`);
      expect(durationMs).toBeLessThan(TIMEOUT_MS + 500);
    }
    await receiver.untilLeft();
    expect(receiver.connections).toBe(1);
  } finally {
    await narrow.close();
  }
});

test('a thousand receivers that hang leave nothing behind', async () => {
  await using receiver = await RawReceiver.start(() => undefined);
  const before = process.memoryUsage().heapUsed;
  for (let round = 0; round < 5; round++) {
    const results = await Promise.all(
      Array.from({ length: 200 }, () =>
        sender.send({ url: receiver.url, headers: [], body: Buffer.alloc(KIB), timeoutMs: 100 }),
      ),
    );
    expect(results.every(({ isDelivered }) => !isDelivered)).toBe(true);
  }
  await receiver.untilLeft();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(32 * KIB * KIB);
});
