import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createKafka } from './kafka-connection.ts';
import { framedSocket } from './framed-socket.ts';

// Fakes, because no real broker answers like this.

/** @param answer is given each socket, in the order in which they connect */
async function serve(answer: (socket: Socket, nth: number) => void) {
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    answer(socket, connections++);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, connections: () => connections, [Symbol.asyncDispose]: close };
}

function open(port: number): Socket {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the client library calls it without TLS
  return framedSocket({ host: '127.0.0.1', port, ssl: undefined as never, onConnect: () => undefined });
}

test('whole answers are handed on, one at a time, however they arrive', async () => {
  const [one, two, none] = [answerOf(1, 'first'), answerOf(2, 'second'), Buffer.alloc(4)];
  await using broker = await serve((socket) => {
    const bytes = Buffer.concat([one, two, none]);
    for (const [from, to] of [
      [0, 3],
      [3, 5],
      [5, 20],
      [20, bytes.length],
    ])
      socket.write(bytes.subarray(from, to));
  });
  const frames: Buffer[] = [];
  const socket = open(broker.port);
  await new Promise<void>((resolve) => {
    socket.on('data', (frame: Buffer) => {
      frames.push(Buffer.from(frame));
      if (frames.length === 3) resolve();
    });
  });
  socket.destroy();
  expect(frames).toEqual([one, two, none]);
});

test.each([
  ['HTTP/1.1 400 Bad Request\r\n\r\n', 1_213_486_160],
  ['\u00FF\u00FF\u00FF\u00FFtoo short', -1],
])('what is no answer ends the connection: %j', async (text, size) => {
  await using broker = await serve((socket) => socket.write(Buffer.from(text, 'latin1')));
  const socket = open(broker.port);
  const frames: unknown[] = [];
  socket.on('data', (frame) => frames.push(frame));
  const [error] = await once(socket, 'error');
  expect(String(error)).toBe(
    `Error: 127.0.0.1:${broker.port} sent an answer of ${size} bytes: no Kafka broker`,
  );
  expect(frames).toEqual([]);
});

test('an answer that a reset cut off is not continued by the next connection', async () => {
  const errors: string[] = [];
  await using broker = await serve((socket, nth) => {
    socket.on('data', (request) => {
      const whole = apiVersions(request.readInt32BE(8));
      // All but the last bytes, and nothing that says that they are missing but the reset.
      if (nth === 0) socket.write(whole.subarray(0, -3), () => socket.resetAndDestroy());
      else socket.write(whole);
    });
  });
  const kafka = createKafka(
    {
      brokers: [`127.0.0.1:${broker.port}`],
      clientId: 'test',
      connectionTimeoutMs: 2_000,
      requestTimeoutMs: 2_000,
    },
    ({ level, message }) => {
      if (level === 'error') errors.push(message);
    },
  );
  const admin = kafka.admin();
  await admin.connect();
  await admin.disconnect();
  // Nothing but the reset: the first answer of the new connection was heard as one.
  expect(errors).toHaveLength(1);
  expect(broker.connections()).toBe(2);
});

function answerOf(correlationId: number, body: string | Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length);
  head.writeInt32BE(correlationId, 4);
  return Buffer.concat([head, Buffer.from(body)]);
}

/** Error code, one API, throttle time: https://kafka.apache.org/protocol#The_Messages_ApiVersions */
function apiVersions(correlationId: number): Buffer {
  const body = Buffer.alloc(2 + 4 + 6 + 4);
  body.writeInt32BE(1, 2);
  body.writeInt16BE(18, 6);
  body.writeInt16BE(2, 10);
  return answerOf(correlationId, body);
}
