import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { endpoints, uniqueName } from '@pgstream/test-kit';
import {
  createIndex,
  deleteIndex,
  putMapping,
  readIndices,
  scanDocuments,
  SearchStore,
} from '../src/index.ts';

const fixture = (name: string) => readFileSync(join(__dirname, 'fixtures', name), 'utf8');

/** The real store behind TLS that wants a client certificate and a password. */
async function tlsProxy() {
  const tls = { key: fixture('server.key'), cert: fixture('server.crt'), ca: fixture('ca.crt') };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (from, to) => {
    const expected = `Basic ${Buffer.from('writer:p@ss:word').toString('base64')}`;
    if (from.headers.authorization !== expected) {
      to.writeHead(401, { 'content-type': 'text/plain' }).end('Unauthorized');
      return;
    }
    const { authorization: _secret, ...headers } = from.headers;
    const out = httpRequest(new URL(from.url ?? '/', endpoints().searchUrl), {
      method: from.method,
      headers,
    });
    out.on('response', (response) => {
      to.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(to);
    });
    from.pipe(out);
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return { authority: `127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

async function attempt(connection: ConstructorParameters<typeof SearchStore>[0]) {
  const store = new SearchStore(connection);
  try {
    return await store.info();
  } finally {
    await store.close();
  }
}

test('TLS with an own CA and a client certificate, and the password in the URL', async () => {
  await using proxy = await tlsProxy();
  const tls = { ca: fixture('ca.crt'), clientCert: fixture('client.crt'), clientKey: fixture('client.key') };
  const good = { urls: [`https://writer:p%40ss%3Aword@${proxy.authority}`], tls };
  await expect(attempt(good)).resolves.toMatchObject({ distribution: 'opensearch' });
  await expect(attempt({ ...good, tls: { ...tls, ca: '' } })).rejects.toMatchObject({
    code: 'SEARCH_TLS_INVALID',
  });
  const trusting = { clientCert: tls.clientCert, clientKey: tls.clientKey, insecureSkipVerify: true };
  await expect(attempt({ ...good, tls: trusting })).resolves.toMatchObject({ distribution: 'opensearch' });
  const wrong = { ...good, urls: [`https://writer:wrong@${proxy.authority}`] };
  await expect(attempt(wrong)).rejects.toMatchObject({ code: 'SEARCH_FORBIDDEN', exitCode: 78 });
});

test('a refused connection is worth a retry, and another node answers for the one that is down', async () => {
  const down = new SearchStore({ urls: ['http://127.0.0.1:9'] });
  await expect(down.info()).rejects.toMatchObject({ code: 'SEARCH_UNREACHABLE', disposition: 'retry' });
  await down.close();
  const both = new SearchStore({ urls: ['http://127.0.0.1:9', endpoints().searchUrl] });
  await both.info().catch(() => {});
  await expect(both.info()).resolves.toMatchObject({ distribution: 'opensearch' });
  await both.close();
});

test('documents come back byte for byte, by mget and by scan, and a bulk never makes an index', async () => {
  const store = new SearchStore({ urls: [endpoints().searchUrl] });
  const index = uniqueName('store');
  const alias = `${index}-alias`;
  const mappings = { dynamic: false, properties: { n: { type: 'keyword' } } };
  await expect(createIndex(store, index, { settings: {}, mappings, aliases: [alias] })).resolves.toBe(true);
  await expect(createIndex(store, index, { settings: {}, mappings, aliases: [alias] })).resolves.toBe(false);
  const source =
    '{"big":9223372036854775807,"digits":1.10000000000000000000000001,"é":"\\ud83d\\ude00 \\u0000"}';
  const address = { _index: alias, _id: 'ä/1', version: '9007199254740993', version_type: 'external_gte' };
  const line = JSON.stringify({ index: address });
  const { failures } = await store.bulk(Buffer.from(`${line}\n${source}\n`), 1, { refresh: true });
  expect(failures).toEqual([]);
  const expected = { version: '9007199254740993', source };
  await expect(
    store.mget([
      { index: alias, id: 'ä/1' },
      { index: alias, id: 'none' },
    ]),
  ).resolves.toEqual([expected, null]);
  const pages = [];
  for await (const page of scanDocuments(store, { index, query: { match_all: {} }, sources: true }))
    pages.push(...page);
  expect(pages).toEqual([{ id: 'ä/1', ...expected }]);
  const late = await store.bulk(Buffer.from('{"index":{"_index":"no-such-alias-here","_id":"1"}}\n{}\n'), 1);
  expect(late.failures).toMatchObject([{ item: 0, status: 404, type: 'index_not_found_exception' }]);
  await expect(putMapping(store, index, { properties: { n: { type: 'long' } } })).rejects.toMatchObject({
    code: 'SEARCH_MAPPING_CLASH',
    exitCode: 78,
  });
  await deleteIndex(store, index);
  expect(await readIndices(store, index)).toEqual([]);
  await store.close();
});

test('an aborted request rejects with the reason of the signal', async () => {
  const store = new SearchStore({ urls: [endpoints().searchUrl] });
  const reason = new Error('revoked');
  const pending = store.request('GET', '/_cluster/health', {
    query: { wait_for_nodes: 99, timeout: '30s' },
    signal: AbortSignal.any([AbortSignal.timeout(60_000), abortedSoon(reason)]),
  });
  await expect(pending).rejects.toBe(reason);
  await store.close();
});

function abortedSoon(reason: Error): AbortSignal {
  const controller = new AbortController();
  setImmediate(() => controller.abort(reason));
  return controller.signal;
}
