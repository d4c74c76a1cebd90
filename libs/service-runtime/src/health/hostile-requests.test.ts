import { assert, asyncProperty, constantFrom, oneof, record, string, webPath } from 'fast-check';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { HealthServer } from './health-server.ts';

const HEADS = [
  'GET /livez HTTP/1.1',
  'POST /metrics HTTP/1.1',
  'PUT /readyz HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'GET http://elsewhere/livez HTTP/1.1',
  'GET /%ff%fe%zz HTTP/1.1',
  'GET /..%2f..%2fetc/passwd HTTP/1.1',
  `GET /${'a'.repeat(100_000)} HTTP/1.1`,
  'GET /livez HTTP/9.9',
  'CONNECT livez:80 HTTP/1.1',
];

const HEADERS = [
  'host: a',
  'content-type: application/json',
  'content-type: ;;;',
  'content-length: -1',
  'content-length: 99999999999999999999',
  'transfer-encoding: chunked',
  `cookie: ${'c'.repeat(100_000)}`,
  'expect: 100-continue',
  '\u0000: \u0001',
];

const BODIES = ['', '{', '[[[[', '{"__proto__":{"a":1}}', 'zz\r\n', '\u0000'.repeat(100), '0\r\n\r\n'];

/** Sends bytes as they are, and the end after them; resolves with the first line of the answer, `''` where there is none. */
async function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.end(bytes));
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => void (answer += chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer.split('\r\n', 1)[0] ?? ''));
  });
}

test('whatever is asked of the health server, it answers a 4xx or closes, and goes on', async () => {
  const server = new HealthServer({
    address: '127.0.0.1:0',
    version: '9.9',
    metrics: new Registry(),
    stuckAfterMs: 60_000,
  });
  server.phase = 'replication';
  const { port } = new URL(await server.listen());
  const head = oneof(
    constantFrom(...HEADS),
    webPath().map((path) => `POST ${path} HTTP/1.1`),
  );
  const header = oneof(constantFrom(...HEADERS), string({ unit: 'binary', maxLength: 40 }));
  const body = oneof(constantFrom(...BODIES), string({ unit: 'binary', maxLength: 200 }));
  try {
    await assert(
      asyncProperty(record({ head, header, body }), async ({ head: line, header: field, body: content }) => {
        const first = await exchange(Number(port), `${line}\r\n${field}\r\nhost: x\r\n\r\n${content}`);
        expect(first).toMatch(/^(HTTP\/1\.1 [1234]\d\d .*)?$/);
      }),
      { numRuns: 150 },
    );
    expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  } finally {
    await server.close();
  }
}, 60_000);
