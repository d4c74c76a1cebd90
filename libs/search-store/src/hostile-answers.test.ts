import { PipelineError } from '@pgstream/failure';
import { assert, asyncProperty, constantFrom, json, oneof, record, string, tuple } from 'fast-check';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createIndex, putMapping, readIndices, refreshIndices } from './admin.ts';
import { readBulkResponse } from './bulk-response.ts';
import { scanDocuments } from './scan.ts';
import { SearchStore } from './store.ts';

/** What an answer may be that is none: seen of proxies, login pages, health pages, caches and cut connections. */
const CORPUS = [
  '',
  '{}',
  '[]',
  'null',
  'true',
  '"ok"',
  '<!DOCTYPE html><html><body>Please sign in</body></html>',
  'default backend - 404',
  '{"status":"UP"}',
  '{"took":3}',
  '{"took":3,"errors":true}',
  '{"took":3,"errors":true,"items":[]}',
  '{"took":3,"errors":true,"items":[{"index":{"status":200}},{"index":{"status":200}}]}',
  '{"took":3,"errors":true,"items":[{"index":{"status":429,"error":{"type":"x"}}}]}',
  '{"took":3,"errors":true,"items":[null,7]}',
  '{"took":3,"errors":true,"items":[{},{"index":{"status":429}}]}',
  '{"took":3,"errors":"false","items":[{"index":{"status":201}},{"index":{"status":201}}]}',
  '{"took":3,"errors":false_',
  '{"docs":[]}',
  '{"docs":[}',
  '{"docs":[{"_id":"1","found":false}]}',
  '{"docs":{"_id":"1"},"x":[[[[',
  '{"_scroll_id":7,"hits":{"hits":[}}',
  '{"_scroll_id":"\\u12","hits":{"hits":[{"_id":"\\u12"}]}}',
  '{"hits":{"hits":[]}}',
  '{"version":"2.19"}',
  '{"count":"many"}',
  `{"a":${'['.repeat(100_000)}}`,
  '\uFEFF{"took":1,"errors":false}x',
];

const hostile = oneof(
  constantFrom(...CORPUS),
  json(),
  string({ unit: 'binary', maxLength: 200 }),
  // A good answer, cut anywhere.
  tuple(constantFrom(...CORPUS), json()).map(([a, b]) => a.slice(0, b.length) + b),
);

/** A server that says what the test tells it to. */
async function scripted() {
  const script = { status: 200, text: '' };
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      response.writeHead(script.status, { 'content-type': 'application/json' }).end(script.text);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const store = new SearchStore({ urls: [`http://127.0.0.1:${port}`] });
  return {
    script,
    store,
    [Symbol.asyncDispose]: async () => {
      await store.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const BODY = Buffer.from('{"index":{"_id":"1"}}\n{}\n{"index":{"_id":"2"}}\n{}\n');
const ADDRESSES = [
  { index: 'a', id: '1' },
  { index: 'a', id: '2' },
];

/** Every call that the sinks make. */
const CALLS: Readonly<Record<string, (store: SearchStore) => Promise<unknown>>> = {
  bulk: async (store) => store.bulk(BODY, 2),
  mget: async (store) => store.mget(ADDRESSES),
  info: async (store) => store.info(),
  isOpenSearch: async (store) => store.isOpenSearch(),
  json: async (store) =>
    store.json<{ count: number }>('POST', '/a/_count', {
      isAnswer: ({ count }) => typeof count === 'number',
    }),
  readIndices: async (store) => readIndices(store, 'a'),
  createIndex: async (store) => createIndex(store, 'a', { settings: {}, mappings: {}, aliases: [] }),
  putMapping: async (store) => putMapping(store, 'a', {}),
  refreshIndices: async (store) => refreshIndices(store, ['a']),
  scan: async (store) => {
    const scan = { index: 'a', query: {}, sources: true };
    for await (const page of scanDocuments(store, scan)) if (page.length > 0) return page;
    return [];
  },
};

/** `value`, or the code of the error. */
async function outcomeOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return 'value';
  } catch (error) {
    return error instanceof PipelineError ? error.code : String(error);
  }
}

test('whatever answers in place of the store is an answer or an error of ours, in time', async () => {
  await using server = await scripted();
  const statuses = constantFrom(200, 201, 400, 404, 405, 409, 413, 429, 500, 503);
  const calls = constantFrom(...Object.keys(CALLS));
  await assert(
    asyncProperty(
      record({ status: statuses, text: hostile, call: calls }),
      async ({ status, text, call }) => {
        Object.assign(server.script, { status, text });
        const outcome = await outcomeOf(async () => CALLS[call]?.(server.store));
        expect(outcome).toMatch(/^(value|SEARCH_[A-Z_]+)$/);
      },
    ),
    { numRuns: 400 },
  );
}, 60_000);

test.each(CORPUS.map((text) => [text.slice(0, 80), text]))(
  'a bulk is not taken for written by %j',
  async (_, text) => {
    await using server = await scripted();
    Object.assign(server.script, { status: 200, text });
    await expect(server.store.bulk(BODY, 2)).rejects.toMatchObject({
      code: 'SEARCH_ANSWER_INVALID',
      disposition: 'retry',
    });
  },
);

test('documents that an answer leaves out are not taken for absent', async () => {
  await using server = await scripted();
  server.script.text = '{"docs":[{"_id":"1","found":false}]}';
  await expect(server.store.mget(ADDRESSES)).rejects.toMatchObject({ code: 'SEARCH_ANSWER_INVALID' });
});

test.each(['{}', '{"hits":{"hits":[]}}', '{"status":"UP"}'])(
  'a page that is none does not end a scan: %s',
  async (text) => {
    await using server = await scripted();
    server.script.text = text;
    await expect(CALLS['scan']?.(server.store)).rejects.toMatchObject({ code: 'SEARCH_ANSWER_INVALID' });
  },
);

test('every true form of an answer to a bulk is read', () => {
  const taken = '{"index":{"status":201}}';
  const refused =
    '{"index":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"r"}}}';
  expect(readBulkResponse('{"took":5,"errors":false,"items":[]}', 2)).toEqual({ tookMs: 5, failures: [] });
  expect(readBulkResponse('{ "errors" : false, "took" : 5 }', 2)).toEqual({ tookMs: 5, failures: [] });
  expect(readBulkResponse(`{"took":5,"errors":true,"items":[${taken},${refused}]}`, 2)).toEqual({
    tookMs: 5,
    failures: [{ item: 1, status: 409, type: 'version_conflict_engine_exception', reason: 'r' }],
  });
});
