import { getEventListeners } from 'node:events';
import { waitFor } from '@pgstream/test-kit';
import { faultProxy } from './fault-proxy.ts';
import { batchOf, FakeTable, number as n, rig, writeTo } from './support.ts';
import { endpoints } from '@pgstream/test-kit';

const ORDERS = { id: 'bigint', note: 'text', big: 'text' };

test('inserts, updates and deletes of one batch end as the rows they leave', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  r.log.commit();
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'a' }),
    r.log.insert(orders, { id: n(2), note: 'b' }),
    r.log.update(orders, { id: n(1), note: 'c' }),
    r.log.insert(orders, { id: n(3), note: 'd' }),
    r.log.delete(orders, { id: n(2) }),
  ]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({
    '1': { id: 1, note: 'c' },
    '3': { id: 3, note: 'd' },
  });
});

test('a replay of everything, and a zombie with an older part of it, change nothing', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const history = [
    r.log.insert(orders, { id: n(1), note: 'a' }),
    r.log.insert(orders, { id: n(2), note: 'x' }),
  ];
  r.log.commit();
  history.push(r.log.update(orders, { id: n(1), note: 'b' }), r.log.delete(orders, { id: n(2) }));
  r.log.commit();
  history.push(r.log.update(orders, { id: n(1), note: 'c' }));
  await r.write(history);
  const before = await r.documents(`${r.schema}.orders`);
  expect(before).toEqual({ '1': { id: 1, note: 'c' } });
  await r.write(history);
  const zombie = r.newSink();
  await writeTo(zombie, history.slice(0, 2));
  await writeTo(zombie, history.slice(0, 3));
  expect(await r.documents(`${r.schema}.orders`)).toEqual(before);
  expect(r.counts.get('conflicts')).toBeGreaterThan(0);
  expect([r.counts.get('parked') ?? 0, r.letters]).toEqual([0, []]);
});

test('an update that left its big value out keeps the one in the index, in a waiting bulk or in one in flight', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = rig({ lanes: 1 }, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const unchanged = ['big'];
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(1), note: 'a', big: 'B1' })]);
  // from the index
  await r.write([r.log.update(orders, { id: n(1), note: 'b' }, { unchanged })]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: 'b', big: 'B1' } });
  // in flight: the newest value is in a bulk that nobody has answered
  proxy.script.push('hold');
  r.log.commit();
  const first = r.begin([r.log.update(orders, { id: n(1), note: 'c', big: 'B2' })]);
  await proxy.held();
  r.log.commit();
  const second = r.begin([
    r.log.update(orders, { id: n(1), note: 'd' }, { unchanged }),
    r.log.update(orders, { id: n(1), note: 'e' }, { unchanged }),
  ]);
  await second.accepted;
  proxy.release();
  await Promise.all([first.settled, second.settled]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: 'e', big: 'B2' } });
  expect(r.counts.get('incomplete') ?? 0).toBe(0);
});

test('a big value that is nowhere is listed as incomplete until it comes', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.update(orders, { id: n(1), note: 'b' }, { unchanged: ['big'] })]);
  const answer = await r.store.json<{ _source: unknown }>('GET', `/${r.schema}.orders/_doc/1`);
  expect(answer._source).toMatchObject({ note: 'b', _pgstream: { incomplete: ['big'] } });
  expect(r.counts.get('incomplete')).toBe(1);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: 'b', big: 'B' })]);
  const after = await r.store.json<{ _source: object }>('GET', `/${r.schema}.orders/_doc/1`);
  expect(after._source).toMatchObject({ big: 'B' });
  expect(after._source).not.toHaveProperty('_pgstream.incomplete');
});

test('a changed key moves the document, its big value with it', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'a', big: 'B1' }),
    r.log.insert(orders, { id: n(2), note: 'x', big: 'B2' }),
  ]);
  r.log.commit();
  const move = r.log.update(orders, { id: n(7), note: 'a' }, { old: { id: n(1) }, unchanged: ['big'] });
  const moved = { '2': { id: 2, note: 'x', big: 'B2' }, '7': { id: 7, note: 'a', big: 'B1' } };
  await r.write([move]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(moved);
  // after a restart, without what came before it: the old document is gone by now
  await writeTo(r.newSink(), [move]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(moved);
  expect(r.counts.get('incomplete')).toBeUndefined();
});

test('keys swapped in one transaction through a third one keep both rows, and so does the replay', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const history = [
    r.log.insert(orders, { id: n(1), note: 'one', big: 'B1' }),
    r.log.insert(orders, { id: n(2), note: 'two', big: 'B2' }),
  ];
  await r.write(history);
  r.log.commit();
  const swap = [
    r.log.update(orders, { id: n(-1), note: 'one' }, { old: { id: n(1) }, unchanged: ['big'] }),
    r.log.update(orders, { id: n(1), note: 'two' }, { old: { id: n(2) }, unchanged: ['big'] }),
    r.log.update(orders, { id: n(2), note: 'one' }, { old: { id: n(-1) }, unchanged: ['big'] }),
  ];
  const swapped = { '1': { id: 1, note: 'two', big: 'B2' }, '2': { id: 2, note: 'one', big: 'B1' } };
  await r.write(swap);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(swapped);
  await r.write([...history, ...swap]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(swapped);
  // alone as well: then the old ids stand for other rows
  await writeTo(r.newSink(), swap);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(swapped);
});

test('rows of a table without a key are counted and reported once, and hold nothing up', async () => {
  await using r = rig();
  const log = new FakeTable(r.schema, 'log', { line: 'text' }, []);
  await r.write([r.log.insert(log, { line: 'a' }), r.log.insert(log, { line: 'b' })]);
  expect(r.counts.get('keyless')).toBe(2);
  expect(r.notices.filter(({ event }) => event === 'table_keyless')).toHaveLength(1);
});

test('TRUNCATE removes what came before it and nothing that came after, also when it is replayed', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  r.log.skip(5000); // all of these share a version: the sequence must tell them apart
  const before = [1, 2, 3].map((id) => r.log.insert(orders, { id: n(id), note: 'before' }));
  const truncate = r.log.truncate(orders);
  const after = [3, 4].map((id) => r.log.insert(orders, { id: n(id), note: 'after' }));
  r.log.commit();
  const later = r.log.insert(orders, { id: n(5), note: 'later' });
  const left = {
    '3': { id: 3, note: 'after' },
    '4': { id: 4, note: 'after' },
    '5': { id: 5, note: 'later' },
  };
  await r.write([...before, truncate, ...after, later]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(left);
  await r.write([truncate]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(left);
});

test('a written row is found by a search without anybody asking for a refresh', async () => {
  // the index's own interval would be far too late
  await using r = rig({ indexSettings: { number_of_replicas: 0, refresh_interval: '1h' } });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const hits = async () => {
    const answer = await r.store.json<{ hits: { total: { value: number } } }>(
      'GET',
      `/${r.schema}.orders/_search`,
    );
    return answer.hits.total.value;
  };
  for (const id of [1, 2, 3]) {
    r.log.commit();
    await r.write([r.log.insert(orders, { id: n(id), note: 'x' })]);
    expect(await waitFor(`row ${id}`, async () => (await hits()) === id)).toBe(true);
  }
});

test('an index whose refreshing is switched off is never refreshed', async () => {
  await using r = rig();
  const found = async (table: string) => {
    const { text } = await r.store.request('GET', `/${r.schema}.${table}/_count`);
    return Number(/"count":(\d+)/.exec(text)?.[1]);
  };
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1) })]);
  await waitFor('the first row', async () => (await found('orders')) === 1);
  await r.store.request('PUT', `/${r.schema}.orders/_settings`, {
    body: { index: { refresh_interval: -1 } },
  });
  const later = r.newSink();
  r.log.commit();
  await writeTo(later, [r.log.insert(orders, { id: n(2) })]);
  const other = new FakeTable(r.schema, 'other', ORDERS);
  await writeTo(later, [r.log.insert(other, { id: n(1) })]);
  // refreshed later than the first one would have been
  await waitFor('the row of the other index', async () => (await found('other')) === 1);
  expect(await found('orders')).toBe(1);
});

test('records whose values are no JSON are parked, and the others flow on', async () => {
  await using r = rig();
  const words = new FakeTable(r.schema, 'words', { id: 'text', note: 'text', at: 'timestamp' });
  const garbage = { prefix: 'pgstream.ddl', content: 'nonsense' };
  const batch = batchOf([
    r.log.insert(words, { id: 'one', note: 'a', at: '2026-01-01 00:00:00' }),
    r.log.insert(words, { id: 'AxB', note: 'a', at: '2026-01-01 00:00:00' }),
    r.log.insert(words, { id: 'two', note: 'a', at: 'AxB' }),
    { ...r.log.schema([]), message: garbage },
    r.log.update(words, { id: 'six', at: '2026-01-02 00:00:00' }, { unchanged: ['note'] }),
    r.log.update(words, { id: 'AxB', at: '2026-01-02 00:00:00' }, { unchanged: ['note'] }),
    r.log.insert(words, { id: 'three', note: 'a', at: '2026-01-01 00:00:00' }),
  ]);
  for (let at = batch.bytes.indexOf('AxB'); at >= 0; at = batch.bytes.indexOf('AxB'))
    batch.bytes.write('\\xB', at);
  await new Promise<void>((resolve, reject) => {
    r.sink.write(batch, { settled: resolve, failed: reject }, AbortSignal.timeout(60_000)).catch(reject);
  });
  expect(Object.keys(await r.documents(`${r.schema}.words`)).toSorted()).toEqual(['one', 'six', 'three']);
  expect(r.letters.map(({ code }) => code)).toEqual(Array(4).fill('RECORD_UNDECODABLE'));
});

test('batches of a lane share one signal, whose listeners go with them', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const { signal } = new AbortController();
  const combine = jest.spyOn(AbortSignal, 'any');
  try {
    for (let id = 1; id <= 20; id += 1) {
      await new Promise<void>((resolve, reject) => {
        const batch = batchOf([r.log.commit().insert(orders, { id: n(id), note: 'a' })]);
        r.sink.write(batch, { settled: resolve, failed: reject }, signal).catch(reject);
      });
    }
    expect(combine.mock.calls.filter(([signals]) => [...signals].includes(signal))).toHaveLength(1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  } finally {
    combine.mockRestore();
  }
});
