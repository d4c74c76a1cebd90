import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { waitFor } from '../wait-for.ts';
import { TcpFaultProxy } from './tcp-fault-proxy.ts';

/** Answers each byte with the same byte. */
let echo: Server;
let proxy: TcpFaultProxy;
/** What the server has received. */
let received = '';

beforeEach(async () => {
  received = '';
  echo = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      received += String(bytes);
      socket.write(bytes);
    });
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  const { port } = echo.address() as AddressInfo;
  proxy = await TcpFaultProxy.start({ target: `127.0.0.1:${port}` });
});

afterEach(async () => {
  await proxy.close();
  echo.close();
});

class Client {
  answered = '';
  /** `null` while it is open. */
  ended: 'reset' | 'end' | null = null;
  readonly socket: Socket;

  constructor() {
    this.socket = connect(proxy.port, '127.0.0.1');
    this.socket.on('data', (bytes) => (this.answered += String(bytes)));
    this.socket.on('error', () => (this.ended = 'reset'));
    this.socket.on('close', () => (this.ended ??= 'end'));
  }

  async says(text: string, answer = text): Promise<void> {
    const goal = this.answered + answer;
    this.socket.write(text);
    await waitFor(`the answer ${answer}`, () => this.answered === goal, 5_000);
  }

  async isReset(): Promise<void> {
    await waitFor('the reset', () => this.ended === 'reset', 5_000);
  }
}

/** Long enough for a byte to come through, if it did. */
const aMoment = async () => new Promise((resolve) => setTimeout(resolve, 100));

test('passes everything on, and a pause only makes it wait', async () => {
  const client = new Client();
  await client.says('one');
  proxy.pause('down');
  client.socket.write('two');
  await waitFor('the server to have it', () => received === 'onetwo');
  await aMoment();
  expect(client.answered).toBe('one');
  proxy.heal();
  await waitFor('what waited', () => client.answered === 'onetwo');
  expect(proxy.ended).toBe(0);
});

test('a one-way black hole swallows answers, keeps the connection, and ends it when healed', async () => {
  const client = new Client();
  await client.says('one');
  proxy.blackHole('down');
  client.socket.write('two');
  await waitFor('the server to have it', () => received === 'onetwo');
  await aMoment();
  expect([client.answered, client.ended]).toEqual(['one', null]);
  proxy.heal();
  await client.isReset();
  await new Client().says('three');
});

test('a black hole in the other direction: nothing arrives', async () => {
  const client = new Client();
  await client.says('one');
  proxy.blackHole('up');
  client.socket.write('two');
  await aMoment();
  expect(received).toBe('one');
});

test('cut resets what there is; refuse also what comes, until it is healed', async () => {
  const client = new Client();
  await client.says('one');
  proxy.cut();
  await client.isReset();
  const next = new Client();
  await next.says('two');
  proxy.refuse();
  await next.isReset();
  await new Client().isReset();
  proxy.heal();
  await new Client().says('three');
  expect(received).toBe('onetwothree');
});

test('a reset in the middle of a frame: so many bytes come, and no more', async () => {
  const client = new Client();
  await client.says('one');
  proxy.resetAfter(4, 'up');
  client.socket.write('twothree');
  await client.isReset();
  expect(received).toBe('onetwot');
  expect(proxy.ended).toBe(1);
});

test('a trickle brings so many bytes at a time, a delay brings all of them later', async () => {
  const client = new Client();
  await client.says('one');
  proxy.shape(2, 40, 'up');
  const startedMs = performance.now();
  await client.says('12345678');
  expect(performance.now() - startedMs).toBeGreaterThan(110);
  proxy.heal();
  proxy.delay(80, 'up', 'down');
  const delayedMs = performance.now();
  await client.says('9');
  expect(performance.now() - delayedMs).toBeGreaterThan(150);
});

test('another target: as a name that is given a new address', async () => {
  const other = createServer((socket) => socket.end('other'));
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const client = new Client();
  await client.says('one');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  proxy.retarget(`127.0.0.1:${(other.address() as AddressInfo).port}`);
  await client.isReset();
  await new Client().says('two', 'other');
  expect(received).toBe('one');
  other.close();
});
