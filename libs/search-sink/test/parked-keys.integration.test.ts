import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import type { DeadLetter } from '@pgstream/wal-event';
import { ParkedLetters, type ParkedEntry, type SearchSinkOptions } from '../src/index.ts';
import { ParkedStore } from '../src/parked/parked-store.ts';
import { systemNames } from '../src/system-indices.ts';
import { faultProxy } from './fault-proxy.ts';
import { FakeTable, number as n, rig, writeTo, type Rig } from './support.ts';

const ORDERS = { id: 'bigint', note: 'text', big: 'text' };

/** An index that takes only numbers as notes: `'x'` is refused. */
function strict(more: Partial<SearchSinkOptions> = {}, url?: string): Rig {
  return rig({ lanes: 1, functions: { mapping: strictMapping }, ...more }, url);
}

function strictMapping(): Record<string, { type: string }> {
  return { id: { type: 'long' }, note: { type: 'integer' }, big: { type: 'keyword' } };
}

function lettersOf(r: Rig): ParkedLetters {
  return new ParkedLetters(r.store, { systemPrefix: r.prefix, productVersion: 'cli' });
}

async function parked(r: Rig): Promise<ParkedEntry[]> {
  const found: ParkedEntry[] = [];
  const letters = lettersOf(r);
  for await (const page of letters.list()) for (const entry of page) found.push((await letters.read(entry))!);
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

async function retryAll(r: Rig): Promise<string[]> {
  const done = await lettersOf(r).retry(await parked(r));
  return done.map(({ entry, outcome }) => `${entry.id} ${outcome}`).toSorted();
}

function brief({ id, coalesced, document }: ParkedEntry): object {
  const { note }: { note?: unknown } = JSON.parse(document ?? '{}');
  return { id, coalesced, note };
}

type Place = Pick<SearchSinkOptions, 'pinnedIndex' | 'layout'>;

const PLACES: ReadonlyArray<readonly [string, () => Place]> = [
  ['an index per table', () => ({})],
  ['one pinned index', () => ({ pinnedIndex: uniqueName('pin') })],
  ['layout pgstream', () => ({ layout: 'pgstream' })],
];

test.each(PLACES)('changes of a refused document wait behind it, others flow: %s', async (_, placeOf) => {
  const place = placeOf();
  let note = 'note';
  const mapping = () => ({ [note]: { type: 'integer' } });
  await using r = rig({ lanes: 1, ...place, functions: { mapping } });
  const orders = new FakeTable(r.schema, 'orders', { id: 'bigint', note: 'text' });
  if (place.layout !== undefined) note = orders.idOf('note');
  r.log.commit();
  await r.write([
    r.log.insert(orders, { id: n(1), note: '1' }),
    r.log.insert(orders, { id: n(2), note: 'x' }),
  ]);
  r.log.commit();
  await r.write([
    r.log.update(orders, { id: n(2), note: 'y' }),
    r.log.update(orders, { id: n(1), note: '10' }),
    r.log.update(orders, { id: n(2), note: '20' }),
  ]);
  const alias = place.pinnedIndex ?? (place.layout === undefined ? `${r.schema}.orders` : r.schema);
  const before = Object.values(await r.documents(alias));
  expect(before.map((document) => document[note])).toEqual(['10']);
  const [entry] = await parked(r);
  expect(entry).toMatchObject({ coalesced: 2, code: 'SEARCH_DOCUMENT_REFUSED', table: 'orders' });
  expect(entry?.reason).toContain('x');
  expect(entry?.record).toContain('20');
  expect(r.letters).toHaveLength(1);
  expect([r.counts.get('parked'), r.counts.get('coalesced'), r.counts.get('parkedKeys')]).toEqual([1, 2, 1]);

  expect((await retryAll(r)).map((line) => line.split(' ')[1])).toEqual(['released']);
  const after = Object.values(await r.documents(alias));
  expect(new Set(after.map((document) => document[note]))).toEqual(new Set(['10', '20']));
  expect(await parked(r)).toEqual([]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(2), note: '21' })]);
  expect(Object.values(await r.documents(alias)).map((document) => document[note])).toContain('21');
  await r.store.request('DELETE', `/${alias}-*`, { answers: [404] });
});

test('what waits behind the refused bulk is taken along, and a bulk in between is not overtaken', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = strict({}, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(9), note: '9' })]);
  proxy.script.push('hold');
  r.log.commit();
  const first = r.begin([r.log.insert(orders, { id: n(1), note: 'x' })]);
  await proxy.held();
  r.log.commit();
  const second = r.begin([
    r.log.update(orders, { id: n(1), note: '2' }),
    r.log.insert(orders, { id: n(3), note: '3' }),
  ]);
  await second.accepted;
  proxy.release();
  await Promise.all([first.settled, second.settled]);
  expect((await parked(r)).map(brief)).toEqual([{ id: '1', coalesced: 1, note: '2' }]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`)).toSorted()).toEqual(['3', '9']);
});

test('a delete that waits behind the refused bulk leaves nothing parked', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = strict({}, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: '1' })]);
  proxy.script.push('hold');
  r.log.commit();
  const first = r.begin([r.log.update(orders, { id: n(1), note: 'x' })]);
  await proxy.held();
  r.log.commit();
  const second = r.begin([r.log.delete(orders, { id: n(1) })]);
  await second.accepted;
  proxy.release();
  await Promise.all([first.settled, second.settled]);
  expect(await parked(r)).toEqual([]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({});
});

test('a delete resolves a parked key; what comes after it flows, or is parked by itself', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'x' }),
    r.log.insert(orders, { id: n(2), note: 'x' }),
    r.log.insert(orders, { id: n(3), note: 'x' }),
  ]);
  r.log.commit();
  await r.write([
    r.log.update(orders, { id: n(1), note: '1' }),
    r.log.delete(orders, { id: n(1) }),
    r.log.delete(orders, { id: n(2) }),
    r.log.insert(orders, { id: n(2), note: '2' }),
    r.log.delete(orders, { id: n(3) }),
    r.log.insert(orders, { id: n(3), note: 'y' }),
  ]);
  expect((await parked(r)).map(brief)).toEqual([{ id: '3', coalesced: expect.any(Number), note: 'y' }]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '2': { id: 2, note: '2' } });
  r.log.commit();
  await r.write([r.log.delete(orders, { id: n(3) })]);
  expect(await parked(r)).toEqual([]);
  expect(r.counts.get('parkedKeys')).toBe(0);
});

test('parking survives a restart between park and commit: a replay changes nothing', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const records = [
    r.log.insert(orders, { id: n(1), note: 'x' }),
    r.log.insert(orders, { id: n(2), note: '2' }),
  ];
  r.log.commit();
  const more = [r.log.update(orders, { id: n(1), note: 'y' }), r.log.update(orders, { id: n(1), note: '3' })];
  await r.write(records);
  await r.write(more);
  const before = await parked(r);
  const again = r.newSink();
  await writeTo(again, records);
  await writeTo(again, more);
  expect(await parked(r)).toEqual(before);
  expect(before.map(brief)).toEqual([{ id: '1', coalesced: 2, note: '3' }]);
  expect(r.letters).toHaveLength(1);
  r.log.commit();
  await writeTo(again, [r.log.update(orders, { id: n(1), note: '4' })]);
  expect((await parked(r)).map(brief)).toEqual([{ id: '1', coalesced: 3, note: '4' }]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`))).toEqual(['2']);
});

test('a replay of what was refused and has been released since is not parked again', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const records = [
    r.log.insert(orders, { id: n(1), note: 'x' }),
    r.log.insert(orders, { id: n(2), note: 'x' }),
  ];
  r.log.commit();
  const more = [
    r.log.update(orders, { id: n(1), note: 'y' }),
    r.log.update(orders, { id: n(1), note: '3' }),
    r.log.delete(orders, { id: n(2) }),
  ];
  await r.write(records);
  await r.write(more);
  expect(await retryAll(r)).toEqual(['1 released']);
  const again = r.newSink();
  await writeTo(again, records);
  await writeTo(again, more);
  expect(await parked(r)).toEqual([]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: '3' } });
});

test('a worker that takes a partition over knows the keys that its predecessor parked', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const successor = r.newSink();
  await writeTo(successor, [r.log.insert(orders, { id: n(9), note: '9' })], 2);
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })], 1);
  await r.sink.revoke(1);
  r.log.commit();
  await writeTo(successor, [r.log.update(orders, { id: n(1), note: '1' })], 1);
  expect((await parked(r)).map(brief)).toEqual([{ id: '1', coalesced: 1, note: '1' }]);
  // It comes back to the first, which must not trust what it knew.
  await retryAll(r);
  r.log.commit();
  const more = [1, 2].map((id) => r.log.insert(orders, { id: n(id), note: 'y' }));
  await writeTo(successor, more, 1);
  await successor.revoke(1);
  r.log.commit();
  await r.write(
    [1, 2].map((id) => r.log.update(orders, { id: n(id), note: '2' })),
    1,
  );
  expect((await parked(r)).map(brief)).toEqual([
    { id: '1', coalesced: 1, note: '2' },
    { id: '2', coalesced: 1, note: '2' },
  ]);
});

test('retry races with a newer change: whichever comes first, the newest state is in the index', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = strict({}, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: '1' })]);
  // The worker has read the entry and is about to write it when somebody releases the key.
  proxy.script.push('hold');
  r.log.commit();
  const held = r.begin([r.log.update(orders, { id: n(1), note: '2' })]);
  await proxy.held();
  await using direct = rig();
  const letters = new ParkedLetters(direct.store, { systemPrefix: r.prefix, productVersion: 'cli' });
  for await (const page of letters.list()) await letters.retry(page);
  proxy.release();
  await held.settled;
  expect(await parked(r)).toEqual([]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: '2' } });

  // Somebody has read the entry and is about to write it when a newer change comes.
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: 'y' })]);
  const [old] = await parked(r);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: '3' })]);
  expect(await lettersOf(r).discard([old!])).toHaveLength(1);
  expect(await retryAll(r)).toEqual(['1 released']);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: '3' } });
});

test('a released document never overwrites what is newer, and a retry in vain says why', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })]);
  expect(await retryAll(r)).toEqual(['1 refused']);
  const [entry] = await parked(r);
  expect(entry).toMatchObject({ attempts: 1, product: 'cli', lastReason: expect.stringContaining('x') });
  // A worker that was paused and comes late parks what has moved on since.
  r.log.commit();
  await r.write([r.log.delete(orders, { id: n(1) }), r.log.insert(orders, { id: n(1), note: '5' })]);
  expect(await parked(r)).toEqual([]);
  const late = new ParkedStore({
    store: r.store,
    names: systemNames(r.prefix),
    indexSettings: {},
    product: '',
  });
  await late.create([{ ...entry!, document: '{"note":"1"}' }]);
  expect(await retryAll(r)).toEqual(['1 superseded']);
  expect(await parked(r)).toEqual([]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: '5' } });
});

test('values that did not change are taken from what is parked', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: '1', big: 'old' })]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: 'x', big: 'new' })]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: '2' }, { unchanged: ['big'] })]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: '3' }, { unchanged: ['big'] })]);
  expect(await retryAll(r)).toEqual(['1 released']);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: '3', big: 'new' } });
});

test('a row whose key changes takes what is parked along, from a parked key and to one', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'x', big: 'one' }),
    r.log.insert(orders, { id: n(2), note: '2', big: 'two' }),
    r.log.insert(orders, { id: n(3), note: 'x', big: 'three' }),
  ]);
  r.log.commit();
  // 1 moves to 4, which is not parked; 2 moves to 3, whose row is gone but for what is parked.
  await r.write([
    r.log.update(orders, { id: n(4), note: '4' }, { old: { id: n(1) }, unchanged: ['big'] }),
    r.log.update(orders, { id: n(3), note: '23' }, { old: { id: n(2) }, unchanged: ['big'] }),
  ]);
  expect((await parked(r)).map(brief)).toEqual([{ id: '3', coalesced: 1, note: '23' }]);
  expect(await retryAll(r)).toEqual(['3 released']);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({
    '3': { id: 3, note: '23', big: 'two' },
    '4': { id: 4, note: '4', big: 'one' },
  });
});

test('TRUNCATE ends what is parked, also for somebody who has read it before; so does DROP', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'x' })]);
  r.log.commit();
  await r.write([r.log.update(orders, { id: n(1), note: '1' })]);
  const [entry] = await parked(r);
  r.log.commit();
  await r.write([r.log.truncate(orders), r.log.insert(orders, { id: n(2), note: 'x' })]);
  expect((await parked(r)).map(({ id }) => id)).toEqual(['2']);
  const late = await r.store.bulk(
    Buffer.from(
      `{"index":{"_index":"${entry!.index}","_id":"1","version":${entry!.version},"version_type":"external_gte"}}\n${entry!.document}\n`,
    ),
    1,
  );
  expect(late.failures).toMatchObject([{ status: 409 }]);
  r.log.commit();
  const { id: table_id, schema, name } = orders;
  await r.write([r.log.schema([{ kind: 'table_dropped', table_id, schema, name }])]);
  expect(await parked(r)).toEqual([]);
});

test('a schema change releases what it makes writable, edited as the rows in the index are', async () => {
  let noteType = 'integer';
  const mapping = () => ({ id: { type: 'long' }, note: { type: noteType }, remark: { type: 'keyword' } });
  await using r = rig({ functions: { mapping } });
  const orders = new FakeTable(r.schema, 'orders', { id: 'bigint', note: 'text', big: 'text' });
  await r.write([
    r.log.insert(orders, { id: n(1), note: '1', big: 'one' }),
    r.log.insert(orders, { id: n(2), note: 'x', big: 'two' }),
  ]);
  r.log.commit();
  orders.renameColumn('big', 'remark');
  const renamed = { id: orders.idOf('remark'), from: 'big', to: 'remark' };
  await r.write([r.log.altered(orders, { renamed: [renamed] })]);
  expect((await parked(r)).map(({ id, attempts }) => [id, attempts])).toEqual([['2', 1]]);
  r.log.commit();
  noteType = 'keyword';
  await r.write([r.log.altered(orders, {}), r.log.insert(orders, { id: n(3), note: 'y', remark: 'three' })]);
  expect(await parked(r)).toEqual([]);
  expect(await r.documents(`${r.schema}.orders`)).toMatchObject({
    '2': { id: 2, note: 'x', remark: 'two' },
    '3': { id: 3, note: 'y', remark: 'three' },
  });
  expect(r.notices.filter(({ event }) => event === 'keys_released').map(({ facts }) => facts)).toEqual([
    { why: 'schema_change', released: 0, refused: 1 },
    { why: 'schema_change', released: 1, refused: 0 },
  ]);
});

test('another version of the product tries again, with the document that it makes', async () => {
  await using r = strict({ productVersion: '1' });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'x' }),
    r.log.insert(orders, { id: n(2), note: 'y' }),
  ]);
  const same = r.newSink({ productVersion: '1' });
  await writeTo(same, [r.log.insert(orders, { id: n(3), note: '3' })]);
  expect((await parked(r)).map(({ attempts }) => attempts)).toEqual([0, 0]);
  const next = r.newSink({
    productVersion: '2',
    functions: {
      mapping: strictMapping,
      document: (reader, out, version) => {
        const isY = reader.bytes.includes('"y"');
        out.writeUtf8(`{"note":${isY ? '"y"' : '7'},"_pgstream":{"version":${version}}}`);
      },
    },
  });
  await writeTo(next, [r.log.insert(orders, { id: n(4), note: '4' })]);
  expect((await parked(r)).map(({ id, attempts, product }) => [id, attempts, product])).toEqual([
    ['2', 1, '2'],
  ]);
  expect((await r.documents(`${r.schema}.orders`))['1']).toEqual({ note: 7 });
});

test('a key is parked before its batch settles, whatever the store does meanwhile', async () => {
  await using proxy = await faultProxy(endpoints().searchUrl);
  await using r = strict({}, proxy.url);
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(9), note: '9' })]);
  r.log.commit();
  const seen: string[] = [];
  const real = proxy.bulks.length;
  const write = r.begin([r.log.insert(orders, { id: n(1), note: 'x' })]);
  await write.accepted;
  await waitFor('the refused bulk', () => proxy.bulks.length > real);
  proxy.script.push({ status: 503 }, 'lost-answer', 'reset');
  void write.settled.then(() => seen.push('settled'));
  await write.settled;
  expect((await parked(r)).map(({ id }) => id)).toEqual(['1']);
  expect(r.letters.map(({ identity }: DeadLetter) => identity)).toEqual(['1']);
});

test('many changes of many parked keys in one batch: the newest of each is kept, and the others flow', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const ids = Array.from({ length: 1200 }, (_, i) => i);
  await r.write(
    ids.map((id) => r.log.insert(orders, { id: n(id), note: id % 2 === 0 ? 'x' : '1', big: 'big' })),
  );
  r.log.commit();
  const changes = (note: string) =>
    ids.map((id) => r.log.update(orders, { id: n(id), note }, { unchanged: ['big'] }));
  await r.write([...changes('2'), ...changes('3')]);
  const counted = await lettersOf(r).countAll();
  expect([counted, r.counts.get('coalesced'), r.counts.get('parkedKeys')]).toEqual([600, 1200, 600]);
  const outcomes = new Set<string>();
  const letters = lettersOf(r);
  for await (const page of letters.list())
    for (const { outcome } of await letters.retry(page)) outcomes.add(outcome);
  expect([...outcomes]).toEqual(['released']);
  const { count } = await r.store.json<{ count: number }>('GET', `/${r.schema}.orders/_count`, {
    query: { q: 'note:3 AND big:big' },
  });
  expect(count).toBe(1200);
});

test('a row that the store refuses and that then gets another key leaves nothing parked under the old one', async () => {
  await using r = strict();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(9), note: '9', big: 'warm' })]);
  r.log.commit();
  await r.write([
    r.log.insert(orders, { id: n(5), note: 'x', big: 'of the row' }),
    r.log.update(orders, { id: n(7), note: '7' }, { old: { id: n(5) }, unchanged: ['big'] }),
  ]);
  expect(await parked(r)).toEqual([]);
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(5), note: '5', big: 'of another row' })]);
  expect(await r.documents(`${r.schema}.orders`)).toMatchObject({
    '5': { note: '5', big: 'of another row' },
    '7': { note: '7', big: 'of the row' },
  });
});
