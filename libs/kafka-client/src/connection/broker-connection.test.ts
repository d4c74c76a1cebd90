import { Buffer } from 'node:buffer';
import { createServer, type Server, type Socket } from 'node:net';
import { BrokerConnection } from './broker-connection.ts';

// A fake, because no real broker answers like this.
let server: Server | undefined;
const opened: BrokerConnection[] = [];

afterEach(async () => {
  for (const connection of opened.splice(0)) connection.close();
  await new Promise((resolve) => server?.close(resolve));
});

/** A connection to a broker that answers each request with whatever `answer` makes of its correlation id. */
async function connectTo(answer: (correlationId: number, socket: Socket) => void): Promise<BrokerConnection> {
  const listening = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (requests) => {
      // Small requests arrive whole, sometimes two at once.
      for (let at = 0; at < requests.length; at += 4 + requests.readInt32BE(at)) {
        answer(requests.readInt32BE(at + 8), socket);
      }
    });
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const address = listening.address();
  const port = address === null || typeof address === 'string' ? 0 : address.port;
  const options = { brokers: [], clientId: 'test', connectionTimeoutMs: 5000, requestTimeoutMs: 200 };
  const connection = await BrokerConnection.open({ host: '127.0.0.1', port }, options);
  opened.push(connection);
  return connection;
}

const ask = async (connection: BrokerConnection) =>
  await connection.request({ key: 18, version: 0, body: Buffer.alloc(0) });

function frame(correlationId: number, body: string): Buffer {
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeInt32BE(4 + body.length);
  bytes.writeInt32BE(correlationId, 4);
  bytes.write(body, 8);
  return bytes;
}

test('an answer in many pieces, and two in one', async () => {
  const connection = await connectTo((id, socket) => {
    for (const byte of frame(id, 'hello')) socket.write(Buffer.of(byte));
  });
  expect((await ask(connection)).raw(5).toString()).toBe('hello');
  const answers = await Promise.all([ask(connection), ask(connection)]);
  expect(answers.map((answer) => answer.remaining)).toEqual([5, 5]);
});

test.each<[string, string, (id: number, socket: Socket) => void]>([
  [
    'an answer to another request',
    'KAFKA_PROTOCOL_VIOLATED',
    (id, socket) => socket.write(frame(id + 1, '')),
  ],
  [
    'a length beyond all bounds',
    'KAFKA_PROTOCOL_VIOLATED',
    (_id, socket) => socket.write(Buffer.from('HTTP/1.1 400')),
  ],
  ['silence', 'KAFKA_UNREACHABLE', () => undefined],
  ['a cut connection', 'KAFKA_UNREACHABLE', (_id, socket) => socket.destroy()],
])('%s fails everything that waits, and closes', async (_name, code, answer) => {
  const connection = await connectTo(answer);
  const results = await Promise.allSettled([ask(connection), ask(connection)]);
  expect(results).toMatchObject([{ reason: { code } }, { reason: { code } }]);
  expect(connection.isOpen).toBe(false);
  await expect(ask(connection)).rejects.toMatchObject({ code });
});
