import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { assetsDir } from '@pgstream/test-kit';
import { AddressGuard } from './address-guard.ts';
import { clientCertificateUntil, tlsFault, type ReceiverTls } from './receiver-tls.ts';
import { Sender } from './sender.ts';

const pem = (name: string) => readFileSync(join(assetsDir(), 'tls', name), 'utf8');
const [CA, CERT, KEY] = [pem('ca.crt'), pem('client.crt'), pem('client.key')];
const MUTUAL: ReceiverTls = { ca: CA, cert: CERT, key: KEY };
const HTTPS = 'https://h.example/';

/** A receiver behind TLS; notes under which name each request came. */
class TlsReceiver {
  readonly callers: string[] = [];
  readonly #server: Server;

  private constructor(options: TlsOptions) {
    this.#server = createServer(
      { key: pem('server.key'), cert: pem('server.crt'), ...options },
      (request, response) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an HTTPS server
        const { CN = 'nobody' } = (request.socket as TLSSocket).getPeerCertificate()?.subject ?? {};
        this.callers.push(String(CN));
        request.resume().on('end', () => response.end());
      },
    );
  }

  static async start(options: TlsOptions = {}, host = '127.0.0.1'): Promise<TlsReceiver> {
    const receiver = new TlsReceiver(options);
    await new Promise<void>((resolve) => receiver.#server.listen(0, host, resolve));
    return receiver;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return `https://localhost:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function newSender() {
  const guard = new AddressGuard({ allow: ['127.0.0.0/8'], httpsOnly: true, setting: 'ALLOW' });
  const sender = new Sender({ guard });
  const to = async (url: string, tls: ReceiverTls | null) =>
    await sender.send({ url, tls, headers: [], body: Buffer.from('{}'), timeoutMs: 5_000 });
  return { to, [Symbol.asyncDispose]: () => sender.close() };
}

test('a receiver whose authority is unknown gets nothing; with its own authority it is delivered to', async () => {
  await using receiver = await TlsReceiver.start();
  await using sender = newSender();
  expect(await sender.to(receiver.url, null)).toMatchObject({
    isDelivered: false,
    status: null,
    reason: expect.stringMatching(/^the connection failed: \w+/),
  });
  expect(receiver.callers).toEqual([]);
  expect(await sender.to(receiver.url, { ca: CA })).toMatchObject({ isDelivered: true, status: 200 });
});

test('a receiver that asks for a certificate is delivered to with one, and not without', async () => {
  await using receiver = await TlsReceiver.start({ requestCert: true, rejectUnauthorized: true, ca: CA });
  await using sender = newSender();
  expect(await sender.to(receiver.url, { ca: CA })).toMatchObject({ isDelivered: false, status: null });
  expect(receiver.callers).toEqual([]);
  expect(await sender.to(receiver.url, MUTUAL)).toMatchObject({ isDelivered: true });
  expect(receiver.callers).toEqual(['client']);
});

test('a connection that was opened with a certificate is used for no other subscription', async () => {
  await using receiver = await TlsReceiver.start({ requestCert: true, rejectUnauthorized: false });
  await using sender = newSender();
  await sender.to(receiver.url, MUTUAL);
  await sender.to(receiver.url, { ca: CA });
  await sender.to(receiver.url, MUTUAL);
  expect(receiver.callers).toEqual(['client', 'nobody', 'client']);
});

test('a certificate for another name is refused, whoever signed it', async () => {
  await using receiver = await TlsReceiver.start({}, '127.0.0.2');
  await using sender = newSender();
  const { port } = new URL(receiver.url);
  expect(await sender.to(`https://127.0.0.2:${port}/`, { ca: CA })).toMatchObject({
    isDelivered: false,
    reason: 'the connection failed: ERR_TLS_CERT_ALTNAME_INVALID',
  });
  expect(receiver.callers).toEqual([]);
});

test.each<[string, ReceiverTls, string]>([
  ['a URL without TLS', { ca: CA }, 'tls: only an https URL uses it'],
  ['an authority that is none', { ca: 'trust me' }, 'tls.ca: expected one certificate in PEM'],
  ['a key in place of an authority', { ca: KEY }, 'tls.ca: expected one certificate in PEM'],
  ['a block that is no certificate', { ca: CA.replace(/MII./, 'AAAA') }, 'tls.ca: expected'],
  ['a certificate without its key', { cert: CERT }, 'tls: cert and key come together'],
  ['a key without its certificate', { key: KEY }, 'tls: cert and key come together'],
  ['the key of another certificate', { cert: CERT, key: pem('server.key') }, 'tls.key: it is not the key'],
  ['a certificate in place of a key', { cert: CERT, key: CERT }, 'tls.key: expected a private key'],
  ['a key in place of a certificate', { cert: KEY, key: KEY }, 'tls.cert: expected a certificate'],
])('%s is refused in words that show none of it', (what, tls, fault) => {
  const said = tlsFault(tls, what === 'a URL without TLS' ? 'http://h.example/' : HTTPS) ?? '';
  expect(said).toContain(fault);
  for (const line of Object.values(tls)
    .join('\n')
    .split('\n')
    .filter((one) => one.length > 20)) {
    expect(said).not.toContain(line);
  }
});

test('material that fits is accepted, and it is known when the certificate runs out', () => {
  expect(tlsFault(MUTUAL, HTTPS)).toBeUndefined();
  expect(tlsFault({ ca: `${CA}\n${CERT}` }, HTTPS)).toBeUndefined();
  expect(tlsFault(null, 'http://h.example/')).toBeUndefined();
  expect(clientCertificateUntil(MUTUAL)?.getUTCFullYear()).toBe(2126);
  expect(clientCertificateUntil({ ca: CA })).toBeNull();
});
