import { readIndices } from '@pgstream/search-store';
import { SearchDeadLetterStore, tableNaming } from '../src/index.ts';
import { FakeTable, number as n, rig, writeTo, type Rig } from './support.ts';

const ORDERS = { id: 'bigint', note: 'text' };

async function rawDocuments(
  r: Rig,
  alias: string,
): Promise<Array<{ _id: string; _source: Record<string, unknown> }>> {
  await r.store.request('POST', `/${alias}/_refresh`);
  const answer = await r.store.json<{
    hits: { hits: Array<{ _id: string; _source: Record<string, unknown> }> };
  }>('GET', `/${alias}/_search`);
  return answer.hits.hits;
}

const table = (r: Rig) => new FakeTable(r.schema, 'orders', ORDERS);

test('a pinned index holds several tables apart; TRUNCATE and DROP touch only their own rows', async () => {
  const name = `pin_${process.pid}_${Date.now()}`;
  await using r = rig({ pinnedIndex: name });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const items = new FakeTable(r.schema, 'items', ORDERS);
  const third = new FakeTable(r.schema, 'third', ORDERS);
  await r.write([orders, items, third].map((each) => r.log.insert(each, { id: n(1), note: each.name })));
  const ids = async () => Object.keys(await r.documents(name)).toSorted();
  expect(await ids()).toEqual(['items', 'orders', 'third'].map((each) => `${r.schema}.${each}:1`));
  r.log.commit();
  await r.write([r.log.truncate(orders)]);
  expect(await ids()).toEqual(['items', 'third'].map((each) => `${r.schema}.${each}:1`));
  r.log.commit();
  await r.write([
    r.log.schema([{ kind: 'table_dropped', table_id: items.id, schema: r.schema, name: 'items' }]),
  ]);
  expect(await ids()).toEqual([`${r.schema}.third:1`]);
  await r.store.request('DELETE', `/${name}-1`);
});

test('a pinned index with one table has plain ids; a clashing field of a second one is refused', async () => {
  const name = `pin_${process.pid}_${Date.now()}`;
  await using r = rig({ pinnedIndex: name, singleTable: true });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  expect(Object.keys(await r.documents(name))).toEqual(['1']);
  const clash = new FakeTable(r.schema, 'clash', { id: 'bigint', note: 'boolean' });
  await expect(r.write([r.log.insert(clash, { id: n(2), note: true })])).rejects.toMatchObject({
    code: 'SEARCH_MAPPING_CLASH',
    exitCode: 78,
  });
  await r.store.request('DELETE', `/${name}-1`);
});

test.each(['pinned', 'pgstream'] as const)(
  'layout %s: rows of a new epoch are refused, not taken for old ones; an index made anew takes them',
  async (layout) => {
    const name = `pin_${process.pid}_${Date.now()}`;
    await using r = rig(layout === 'pinned' ? { pinnedIndex: name } : { layout });
    await r.write([r.log.insert(table(r), { id: n(1), note: 'before' })]);
    r.log.startOver();
    const restored = r.newSink();
    const later = r.log.insert(table(r), { id: n(1), note: 'after' });
    await expect(writeTo(restored, [later])).rejects.toMatchObject({
      code: 'SEARCH_INDEX_OF_EARLIER_EPOCH',
      exitCode: 78,
    });
    const alias = layout === 'pinned' ? name : r.schema;
    await r.store.request('DELETE', `/${alias}-1`);
    await writeTo(r.newSink(), [later]);
    const [only, ...more] = await rawDocuments(r, alias);
    expect(more).toEqual([]);
    expect(Object.values(only?._source ?? {})).toContain('after');
    await r.store.request('DELETE', `/${alias}-1`);
  },
);

test('layout pgstream: one index per schema, column ids as fields, stable through a rename', async () => {
  await using r = rig({ layout: 'pgstream' });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const items = new FakeTable(r.schema, 'items', ORDERS);
  await r.write([
    r.log.insert(orders, { id: n(1), note: 'a' }),
    r.log.insert(items, { id: n(1), note: 'i' }),
  ]);
  r.log.commit();
  const note = orders.idOf('note');
  orders.renameColumn('note', 'remark');
  await r.write([
    r.log.altered(orders, { renamed: [{ id: note, from: 'note', to: 'remark' }] }),
    r.log.insert(orders, { id: n(2), remark: 'b' }),
    r.log.truncate(items),
  ]);
  const documents = await rawDocuments(r, r.schema);
  expect(documents.map(({ _id }) => _id).toSorted()).toEqual([`${orders.id}_1`, `${orders.id}_2`]);
  expect(documents.map(({ _source }) => [_source['_table'], _source[note]])).toEqual([
    [orders.id, 'a'],
    [orders.id, 'b'],
  ]);
  expect((await readIndices(r.store, r.schema)).map(({ name }) => name)).toEqual([`${r.schema}-1`]);
});

test('names, ids, versions, mappings and documents are functions that a user replaces one by one', async () => {
  const base = tableNaming();
  await using named = rig({
    functions: { naming: { ...base, alias: ({ schema, table: name }) => `${schema}--${name}` } },
  });
  await named.write([named.log.insert(table(named), { id: n(1), note: 'a' })]);
  expect(Object.keys(await named.documents(`${named.schema}--orders`))).toEqual(['1']);

  await using ids = rig({ functions: { documentId: (reader) => `row-${reader.seq}` } });
  await ids.write([ids.log.insert(table(ids), { id: n(1), note: 'a' })]);
  expect(Object.keys(await ids.documents(`${ids.schema}.orders`))).toEqual(['row-1']);

  await using versions = rig({ functions: { version: (commitLsn) => commitLsn } });
  const versioned = versions.log.insert(table(versions), { id: n(1), note: 'a' });
  await versions.write([versioned]);
  const stored = await versions.store.json<{ _version: number }>('GET', `/${versions.schema}.orders/_doc/1`);
  expect(stored._version).toBe(Number(versioned.position.commitLsn));

  await using mapped = rig({
    functions: {
      mapping: (columns) => Object.fromEntries(columns.map(({ name }) => [name, { type: 'keyword' }])),
    },
  });
  await mapped.write([mapped.log.insert(table(mapped), { id: n(1), note: 'a' })]);
  const [index] = await readIndices(mapped.store, `${mapped.schema}.orders`);
  expect(index?.properties['id']).toEqual({ type: 'keyword' });

  await using documents = rig({
    functions: {
      document: (reader, out, version) =>
        out.writeUtf8(`{"seen":${reader.seq},"_pgstream":{"version":${version}}}`),
    },
  });
  await documents.write([documents.log.insert(table(documents), { id: n(1), note: 'a' })]);
  expect(await documents.documents(`${documents.schema}.orders`)).toEqual({ '1': { seen: 1 } });
});

test('dead letters in an index are durable, searchable and parked once', async () => {
  await using r = rig();
  const store = new SearchDeadLetterStore(r.store, { systemPrefix: r.prefix });
  const letter = {
    sink: 'search',
    code: 'SEARCH_DOCUMENT_REFUSED',
    reason: 'mapper_parsing_exception',
    schema: 'app',
    table: 'orders',
    identity: '7',
    epoch: 1,
    position: r.log.at(),
    record: Buffer.from('{"action":"I"}'),
  };
  await store.park([letter]);
  await store.park([letter]);
  const [only, ...more] = await rawDocuments(r, `${r.prefix}-parked`);
  expect(more).toEqual([]);
  expect(only?._source).toMatchObject({ identity: '7', record: '{"action":"I"}', table: 'orders' });
});

async function madeSettings(indexSettings: object): Promise<string> {
  await using r = rig({ indexSettings: { number_of_replicas: 0, ...indexSettings } });
  await r.write([r.log.insert(table(r), { id: n(1), note: 'a' })]);
  return (await r.store.request('GET', `/${r.schema}.orders/_settings`)).text;
}

test('on OpenSearch a refresh waits for no merge, unless the setting is given', async () => {
  expect(await madeSettings({})).toContain('"merge_on_flush":{"enabled":"false"');
  expect(await madeSettings({ 'merge_on_flush.enabled': true })).toContain(
    '"merge_on_flush":{"enabled":"true"',
  );
});

test.each(['gc_deletes', 'index.gc_deletes'])(
  'a setting given as %s takes the place of ours',
  async (name) => {
    expect(await madeSettings({ [name]: '5s' })).toContain('"gc_deletes":"5s"');
  },
);
