import { endpoints, waitFor } from '@pgstream/test-kit';
import { faultProxy } from './fault-proxy.ts';
import { FakeTable, number as n, rig, writeTo } from './support.ts';

const ORDERS = { id: 'bigint', note: 'text' };

test('429, 503, resets and lost answers are tried again, in order, until everything is there once', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  proxy.script.push({ status: 429 }, { status: 503 }, 'reset', 'lost-answer', { status: 502 });
  r.log.commit();
  const first = r.begin([
    r.log.insert(orders, { id: n(1), note: 'a' }),
    r.log.insert(orders, { id: n(2), note: 'b' }),
  ]);
  await first.accepted;
  r.log.commit();
  const second = r.begin([r.log.update(orders, { id: n(1), note: 'c' }), r.log.delete(orders, { id: n(2) })]);
  await Promise.all([first.settled, second.settled]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: 'c' } });
  expect(r.letters).toEqual([]);
  expect(r.counts.get('retried')).toBeGreaterThan(4);
});

test('items that were turned away for load are sent again alone, and the bulk settles after them', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(9), note: 'warm' })]);
  const rejected = { status: 429, error: { type: 'rejected_execution_exception', reason: 'busy' } };
  proxy.script.push({
    status: 200,
    body: JSON.stringify({ took: 1, errors: true, items: [{ index: { status: 201 } }, { index: rejected }] }),
  });
  r.log.commit();
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'a' }),
    r.log.insert(orders, { id: n(2), note: 'b' }),
  ]);
  expect(proxy.bulks.at(-1)).not.toContain('"_id":"1"');
  expect(Object.keys(await r.documents(`${r.schema}.orders`))).toEqual(expect.arrayContaining(['2']));
});

test('a bulk that is too large is halved until it fits; a document that is too large alone is parked', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  // four documents: 413, its halves: 413 and passed, the first half's documents: 413 alone and passed
  proxy.script.push({ status: 413 }, { status: 413 }, { status: 413 });
  await r.write([1, 2, 3, 4].map((id) => r.log.insert(orders, { id: n(id), note: 'x' })));
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['2', '3', '4']);
  expect(r.letters.map(({ code, identity }) => [code, identity])).toEqual([['SEARCH_BULK_TOO_LARGE', '1']]);
});

test('a document that the store refuses is parked with its reason and record; the others flow on', async () => {
  await using r = rig({
    functions: { mapping: () => ({ id: { type: 'long' }, note: { type: 'integer' } }) },
  });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: '1' }),
    r.log.insert(orders, { id: n(2), note: 'not a number' }),
    r.log.insert(orders, { id: n(3), note: '3' }),
  ]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['1', '3']);
  const [letter] = r.letters;
  expect(letter).toMatchObject({
    sink: 'search',
    code: 'SEARCH_DOCUMENT_REFUSED',
    table: 'orders',
    identity: '2',
  });
  expect(letter?.reason).toContain('pars');
  expect(letter?.record?.toString()).toContain('not a number');
});

test('a revoked lane leaves nothing behind: its bulk is cut off, the rest of it is sent again', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(9), note: 'warm' })], 2);
  proxy.script.push('hold');
  r.log.commit();
  const blocker = r.begin([r.log.insert(orders, { id: n(1), note: 'mine' })], 1);
  await proxy.held();
  const lost = r.begin([r.log.insert(orders, { id: n(2), note: 'lost' })], 1);
  const kept = r.begin([r.log.insert(orders, { id: n(3), note: 'kept' })], 2);
  await Promise.all([blocker.accepted, lost.accepted, kept.accepted]);
  await r.sink.revoke(1);
  await kept.settled;
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['3', '9']);
  proxy.release();
});

test('while the store is away, accepted bytes stay within the budget; when it is back, everything arrives', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 2, maxUnsettledBytes: 20_000 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(0), note: 'warm' })]);
  for (let i = 0; i < 2000; i += 1) proxy.script.push({ status: 503 });
  const note = 'x'.repeat(1000);
  let accepted = 0;
  const outcomes: Array<Promise<void>> = [];
  const feeding = (async () => {
    for (let id = 1; id <= 100; id += 1) {
      r.log.commit();
      const write = r.begin([r.log.insert(orders, { id: n(id), note })]);
      outcomes.push(write.settled);
      await write.accepted;
      accepted += 1;
    }
  })();
  await waitFor('retries', () => (r.counts.get('retried') ?? 0) > 10);
  expect(accepted).toBeLessThan(30);
  proxy.script.length = 0;
  await feeding;
  await Promise.all(outcomes);
  expect(Object.keys(await r.documents(`${r.schema}.orders`))).toHaveLength(101);
});

test.each([
  ['the old document is gone', /delete/, []],
  ['another row has its key', /"_id":"1"/, [{ id: n(1), note: 'b', big: 'of another row' }]],
])(
  'a row whose key changed keeps the value that the log does not repeat through a kill in the middle of a bulk: %s',
  async (_what, only, rows) => {
    await using proxy = await faultProxy(endpoints().searchUrl);
    await using r = rig({ lanes: 1 }, proxy.url);
    const orders = new FakeTable(r.schema, 'orders', { ...ORDERS, big: 'text' });
    await r.write([r.log.insert(orders, { id: n(1), note: 'a', big: 'of the row' })]);
    r.log.commit();
    const old = { old: { id: n(1) }, unchanged: ['big'] };
    const moves = [
      r.log.update(orders, { id: n(7), note: 'a' }, old),
      ...rows.map((row) => r.log.insert(orders, row)),
    ];
    proxy.script.push({ only }, ...Array.from({ length: 10_000 }, () => 'reset' as const));
    const cut = r.begin(moves);
    cut.accepted.catch(() => {});
    cut.settled.catch(() => {});
    await waitFor('the bulk to be cut', () => (r.counts.get('retried') ?? 0) > 0);
    await r.sink.close();
    proxy.script.length = 0;
    await writeTo(r.newSink(), moves);
    expect(await r.documents(`${r.schema}.orders`)).toEqual({
      '7': { id: 7, note: 'a', big: 'of the row' },
      ...(rows.length > 0 && { '1': { id: 1, note: 'b', big: 'of another row' } }),
    });
    expect(r.counts.get('incomplete')).toBeUndefined();
  },
);

test('flush resolves when every accepted batch has settled', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  let settled = 0;
  const writes = [1, 2, 3].map((id) => r.begin([r.log.insert(orders, { id: n(id), note: 'x' })]));
  for (const write of writes) void write.settled.then(() => (settled += 1));
  await Promise.all(writes.map(async ({ accepted }) => accepted));
  await r.sink.flush(AbortSignal.timeout(10_000));
  expect(settled).toBe(3);
});

test('a bulk waits while the source may have lost its lane, and is never sent once the lane is revoked', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  let owned = true;
  let asked = 0;
  const mayWrite = async () => {
    asked += 1;
    return owned;
  };
  await using r = rig({ lanes: 1, mayWrite }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'ours' })]);
  const before = proxy.bulks.length;
  owned = false;
  r.log.commit();
  await r.begin([r.log.insert(orders, { id: n(2), note: 'of a lane that is gone' })]).accepted;
  const from = asked;
  await waitFor('the sink to ask again', () => asked > from + 2);
  expect(proxy.bulks).toHaveLength(before);
  await r.sink.revoke(0);
  owned = true;
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(3), note: 'ours again' })]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['1', '3']);
});

test('a bulk of a lane that was lost and is ours again is not sent: it is an older ownership', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  let owned = true;
  let asked = 0;
  const mayWrite = async () => {
    asked += 1;
    return owned;
  };
  await using r = rig({ lanes: 1, mayWrite }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'ours' })]);
  const before = proxy.bulks.length;
  owned = false;
  r.log.commit();
  let tenure = 1;
  const late = r.begin([r.log.insert(orders, { id: n(2), note: 'of the old one' })], 0, () => tenure === 1);
  await late.accepted;
  const from = asked;
  await waitFor('the sink to ask', () => asked > from);
  tenure = 2;
  owned = true;
  await late.settled;
  expect(proxy.bulks).toHaveLength(before);
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(3), note: 'of the new one' })]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['1', '3']);
});

test('TRUNCATE does not end while the store keeps what it says to have deleted', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })]);
  const body = JSON.stringify({ took: 1, errors: false, items: [{ delete: { status: 200 } }] });
  for (let i = 0; i < 60; i += 1) proxy.script.push({ status: 200, body });
  r.log.commit();
  await r.write([r.log.truncate(orders)]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({});
  expect(r.notices).toContainEqual(
    expect.objectContaining({ facts: expect.objectContaining({ code: 'SEARCH_DELETE_INCOMPLETE' }) }),
  );
});

test('a stop ends the copy into a new generation that the store does not answer', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })]);
  proxy.script.push('hold');
  orders.types['note'] = 'bigint';
  r.log.commit();
  const change = r.begin([r.log.altered(orders, {})]);
  await proxy.held();
  await r.sink.close();
  await expect(change.accepted).rejects.toThrow('search sink closed');
  await expect(change.settled).rejects.toThrow('search sink closed');
});
