import { PipelineError } from '@pgstream/failure';
import type { Properties } from '@pgstream/search-store';
import { readIndices } from '@pgstream/search-store';
import { FakeTable, number as n, rig, writeTo, type Rig } from './support.ts';

const ORDERS = { id: 'bigint', note: 'text' };

async function propertiesOf(r: Rig, alias: string): Promise<Properties> {
  const [index] = await readIndices(r.store, alias);
  return index?.properties ?? {};
}

const created = (r: Rig, table: FakeTable) => r.log.schema([{ kind: 'table_created', table: table.shape() }]);
const dropOf = (r: Rig, table: FakeTable) =>
  r.log.schema([{ kind: 'table_dropped', table_id: table.id, schema: table.schema, name: table.name }]);

test('CREATE TABLE makes an empty index with the mapping of its columns, and the change can be searched', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', {
    ...ORDERS,
    price: 'numeric(10,2)',
    at: 'timestamp with time zone',
  });
  const record = r.log.schema([{ kind: 'table_created', table: orders.shape() }], {
    ddl: 'CREATE TABLE orders ()',
    command_tag: 'CREATE TABLE',
    schema_name: r.schema,
    schema_log: {
      id: 'log-1',
      version: 12,
      schema_name: r.schema,
      created_at: '2026-11-21 09:14:10.325235+00',
      acked: false,
      schema: { tables: [] },
    },
  });
  await r.write([record]);
  await r.write([record]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({});
  expect(await propertiesOf(r, `${r.schema}.orders`)).toMatchObject({
    id: { type: 'long' },
    price: { type: 'double' },
    at: { type: 'date' },
  });
  const history = await r.store.json<{ hits: { hits: Array<{ _id: string; _source: object }> } }>(
    'GET',
    `/${r.prefix}/_search`,
  );
  expect(history.hits.hits).toHaveLength(1);
  expect(history.hits.hits[0]).toMatchObject({
    _id: 'log-1',
    _source: { version: 12, schema_name: r.schema, acked: true, command_tag: 'CREATE TABLE' },
  });
});

test('ADD COLUMN with a constant default: mapping, old rows and later rows have it; newer values are never overwritten', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  r.log.skip(5000); // one long transaction: versions of its rows are equal
  const rows = [1, 2].map((id) => r.log.insert(orders, { id: n(id), note: 'a' }));
  await r.write(rows);
  orders.types['stock'] = 'bigint';
  const stock = {
    id: orders.idOf('stock'),
    name: 'stock',
    type: 'bigint',
    constant_default: '9007199254740993',
  };
  const alter = r.log.altered(orders, { added: [stock] });
  const update = r.log.update(orders, { id: n(1), note: 'b', stock: n(7) });
  await r.write([alter, update]);
  const filled = { '1': { id: 1, note: 'b', stock: 7 }, '2': { id: 2, note: 'a', stock: 9007199254740992 } };
  expect(await r.documents(`${r.schema}.orders`)).toEqual(filled);
  const { text } = await r.store.request('GET', `/${r.schema}.orders/_doc/2`);
  expect(text).toContain('"stock":9007199254740993');
  expect(await propertiesOf(r, `${r.schema}.orders`)).toMatchObject({ stock: { type: 'long' } });
  await r.write([...rows, alter, update]);
  await writeTo(r.newSink(), [...rows, alter, update]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(filled);
});

test('RENAME COLUMN and DROP COLUMN reach the rows that were written before', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', { ...ORDERS, extra: 'text' });
  await r.write([1, 2].map((id) => r.log.insert(orders, { id: n(id), note: 'a', extra: 'x' })));
  r.log.commit();
  const { extra: _gone, ...left } = orders.types;
  orders.types = left;
  const dropped = [{ id: orders.idOf('extra'), name: 'extra' }];
  orders.renameColumn('note', 'remark');
  const renamed = [{ id: orders.idOf('remark'), from: 'note', to: 'remark' }];
  await r.write([
    r.log.altered(orders, { renamed, dropped }),
    r.log.update(orders, { id: n(1), remark: 'b' }),
  ]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({
    '1': { id: 1, remark: 'b' },
    '2': { id: 2, remark: 'a' },
  });
  expect(await propertiesOf(r, `${r.schema}.orders`)).toHaveProperty('remark');
});

test('a replay over several changes of a table ends as the first pass did, for rows that come again and for those that do not', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', { ...ORDERS, extra: 'text' });
  await r.write([r.log.insert(orders, { id: n(1), note: 'kept', extra: 'x' })]);
  r.log.commit();
  const replayed = [r.log.insert(orders, { id: n(2), note: 'again', extra: 'x' })];
  r.log.commit();
  // the name that goes is taken by another column
  const { extra: _gone, ...left } = orders.types;
  const dropped = [{ id: orders.idOf('extra'), name: 'extra' }];
  orders.types = left;
  replayed.push(r.log.altered(orders, { dropped }));
  r.log.commit();
  orders.renameColumn('note', 'extra');
  replayed.push(
    r.log.altered(orders, { renamed: [{ id: orders.idOf('extra'), from: 'note', to: 'extra' }] }),
  );
  r.log.commit();
  orders.types['stock'] = 'bigint';
  const added = [{ id: orders.idOf('stock'), name: 'stock', type: 'bigint', constant_default: '7' }];
  replayed.push(r.log.altered(orders, { added }));
  r.log.commit();
  await r.write(replayed);
  const ended = { '1': { id: 1, extra: 'kept', stock: 7 }, '2': { id: 2, extra: 'again', stock: 7 } };
  expect(await r.documents(`${r.schema}.orders`)).toEqual(ended);
  await writeTo(r.newSink(), replayed);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(ended);
});

test('a new type that the field cannot have becomes a new generation behind the same alias; the table is reported stale', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', { ...ORDERS, code: 'text' });
  const before = [1, 2].map((id) => r.log.insert(orders, { id: n(id), note: 'a', code: 'abc' }));
  await r.write([
    ...before,
    r.log.insert(orders, { id: n(3), note: 'z', code: 'abc' }),
    r.log.delete(orders, { id: n(3) }),
  ]);
  r.log.commit();
  orders.types['code'] = 'bigint';
  const alter = r.log.altered(orders, {
    retyped: [{ id: orders.idOf('code'), name: 'code', from: 'text', to: 'bigint' }],
    stale: ['retyped'],
  });
  const update = r.log.update(orders, { id: n(1), note: 'b', code: n(5) });
  await r.write([alter, update]);
  const after = { '1': { id: 1, note: 'b', code: 5 }, '2': { id: 2, note: 'a' } };
  expect(await r.documents(`${r.schema}.orders`)).toEqual(after);
  expect(await propertiesOf(r, `${r.schema}.orders`)).toMatchObject({ code: { type: 'long' } });
  const indices = await readIndices(r.store, `${r.schema}.orders*`);
  expect(indices.map(({ name }) => name)).toEqual([`${r.schema}.orders-${orders.id}-2`]);
  expect(r.counts.get('stale')).toBe(1);
  await writeTo(r.newSink(), [...before, alter, update]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(after);
  expect(r.counts.get('stale')).toBe(1);
  const state = await r.store.json<{ _source: object }>('GET', `/${r.prefix}-tables/_doc/${orders.id}`);
  expect(state._source).toMatchObject({ stale: ['retyped'], generation: 2, dropped: false });
});

test('RENAME TABLE and SET SCHEMA move the alias, with the rows; RENAME SCHEMA moves all of its tables', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  r.log.commit();
  orders.name = 'sales';
  const from = { schema: r.schema, name: 'orders' };
  await r.write([r.log.altered(orders, { from }), r.log.insert(orders, { id: n(2), note: 'b' })]);
  expect(Object.keys(await r.documents(`${r.schema}.sales`))).toEqual(['1', '2']);
  expect(await readIndices(r.store, `${r.schema}.orders`)).toEqual([]);
  r.log.commit();
  const other = `${r.schema}x`;
  await r.write([r.log.schema([{ kind: 'schema_renamed', schema: other, from: r.schema }])]);
  expect(Object.keys(await r.documents(`${other}.sales`))).toEqual(['1', '2']);
  expect(await readIndices(r.store, `${r.schema}.sales`)).toEqual([]);
});

test('DROP removes the index; late rows of the dropped table are counted and make nothing; a new table of the name starts empty', async () => {
  await using r = rig();
  const old = new FakeTable(r.schema, 'orders', ORDERS);
  const late = [1, 2].map((id) => r.log.insert(old, { id: n(id), note: 'old' }));
  const drop = dropOf(r, old);
  r.log.commit();
  const fresh = new FakeTable(r.schema, 'orders', { id: 'bigint', note: 'bigint' });
  const rows = [created(r, fresh), r.log.insert(fresh, { id: n(1), note: n(5) })];
  await r.write([...late, drop, ...rows]);
  const now = { '1': { id: 1, note: 5 } };
  expect(await r.documents(`${r.schema}.orders`)).toEqual(now);
  // a zombie that knows the table but not its end, and a restarted worker that replays it all
  const zombie = r.newSink();
  await writeTo(zombie, late);
  await writeTo(r.newSink(), [...late, drop, ...rows]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual(now);
  expect(r.counts.get('late')).toBeGreaterThanOrEqual(4);
  const indices = await readIndices(r.store, `${r.schema}*`);
  expect(indices.map(({ name }) => name)).toEqual([`${r.schema}.orders-${fresh.id}`]);
});

test('after a restore, whose positions are lower, the alias goes to the index of the new epoch', async () => {
  await using r = rig();
  const before = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(before, { id: n(1), note: 'lost' })]);
  r.log.startOver();
  const after = new FakeTable(r.schema, 'orders', ORDERS);
  await writeTo(r.newSink(), [r.log.insert(after, { id: n(1), note: 'restored' })]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '1': { id: 1, note: 'restored' } });
});

test('a DROP that was cut short between its state and its index is finished by the next attempt', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  r.log.commit();
  let isCut = false;
  const store = new Proxy(r.store, {
    get: (target, name) => {
      if (name !== 'request') return Reflect.get(target, name).bind(target);
      return async (...call: Parameters<typeof target.request>) => {
        if (call[0] !== 'DELETE' || isCut) return await target.request(...call);
        isCut = true;
        throw new PipelineError('SEARCH_UNREACHABLE');
      };
    },
  });
  await writeTo(r.newSink({ store }), [dropOf(r, orders)]);
  expect(isCut).toBe(true);
  expect(await readIndices(r.store, `${r.schema}*`)).toEqual([]);
});

test('a bulk that meets a dropped index counts its rows as late', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  const zombie = r.newSink();
  const row = r.log.insert(orders, { id: n(1), note: 'a' });
  await writeTo(zombie, [row]);
  r.log.commit();
  await r.write([dropOf(r, orders)]);
  await writeTo(zombie, [row]);
  expect(r.counts.get('late')).toBe(1);
  expect(await readIndices(r.store, `${r.schema}*`)).toEqual([]);
});

test('an index that somebody deleted is made again, empty, and the table is stale', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  const [index] = await readIndices(r.store, `${r.schema}.orders`);
  await r.store.request('DELETE', `/${index?.name}`);
  r.log.commit();
  await r.write([r.log.insert(orders, { id: n(2), note: 'b' })]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({ '2': { id: 2, note: 'b' } });
  expect(r.counts.get('stale')).toBe(1);
});

test('without handling of DDL no mapping changes and nothing is dropped; new columns stay in the document', async () => {
  await using r = rig({ handleDdl: false });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  r.log.commit();
  orders.types['stock'] = 'bigint';
  const added = [{ id: orders.idOf('stock'), name: 'stock', type: 'bigint', constant_default: '0' }];
  await r.write([
    r.log.altered(orders, { added }),
    r.log.insert(orders, { id: n(2), note: 'b', stock: n(1) }),
    dropOf(r, orders),
  ]);
  expect(await r.documents(`${r.schema}.orders`)).toEqual({
    '1': { id: 1, note: 'a' },
    '2': { id: 2, note: 'b', stock: 1 },
  });
  expect(await propertiesOf(r, `${r.schema}.orders`)).not.toHaveProperty('stock');
  expect(r.notices.map(({ event }) => event)).toContain('columns_not_mapped');
});

test('a column that no schema record announced is mapped before its first row', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  r.log.commit();
  orders.types['price'] = 'numeric';
  await r.write([r.log.insert(orders, { id: n(2), note: 'b', price: n('1.50') })]);
  expect(await propertiesOf(r, `${r.schema}.orders`)).toMatchObject({ price: { type: 'double' } });
});

test('an index of the name that is not ours is refused with its name, and so is a foreign alias', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.store.request('PUT', `/${r.schema}.orders`, { body: {} });
  await expect(r.write([r.log.insert(orders, { id: n(1) })])).rejects.toMatchObject({
    code: 'SEARCH_INDEX_FOREIGN',
    exitCode: 78,
  });
});

test.each(['document', 'index of states'])(
  'an index and its %s that were removed by hand are made again, and rows go on',
  async (what) => {
    await using r = rig();
    const orders = new FakeTable(r.schema, 'orders', ORDERS);
    await r.write([r.log.insert(orders, { id: n(1), note: 'before' })]);
    const [index] = await readIndices(r.store, `${r.schema}.orders`);
    await r.store.request('DELETE', `/${index?.name ?? ''}`);
    const state = what === 'document' ? `/_doc/${orders.id}` : '';
    await r.store.request('DELETE', `/${r.prefix}-tables${state}`);
    r.log.commit();
    await r.write([r.log.insert(orders, { id: n(2), note: 'after' })]);
    expect(await r.documents(`${r.schema}.orders`)).toEqual({ '2': { id: 2, note: 'after' } });
    expect(r.counts.get('late') ?? 0).toBe(0);
    expect(r.notices.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['table_state_missing', 'index_missing', 'table_stale']),
    );
    const kept = await r.store.json<{ _source: object }>('GET', `/${r.prefix}-tables/_doc/${orders.id}`);
    expect(kept._source).toMatchObject({ dropped: false, stale: ['index_missing'] });
  },
);

test('lanes that find an index missing at the same time make it once, and its table stays marked', async () => {
  await using r = rig({ lanes: 4 });
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'before' })]);
  const [index] = await readIndices(r.store, `${r.schema}.orders`);
  await r.store.request('DELETE', `/${index?.name ?? ''}`);
  const rows = (lane: number) =>
    Array.from({ length: 300 }, (_, i) => r.log.insert(orders, { id: n(1000 * lane + i), note: 'after' }));
  await Promise.all([1, 2, 3, 4].map(async (lane) => r.write(rows(lane), lane)));
  expect(r.counts.get('indexed')).toBe(1 + 1200);
  expect(r.notices.filter(({ event }) => event === 'index_missing')).toHaveLength(1);
  expect(r.counts.get('stale')).toBe(1);
  const kept = await r.store.json<{ _source: object }>('GET', `/${r.prefix}-tables/_doc/${orders.id}`);
  expect(kept._source).toMatchObject({ stale: ['index_missing'] });
});

test('a rename of a schema that comes again does not move a table that came back since', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', ORDERS);
  await r.write([r.log.insert(orders, { id: n(1), note: 'a' })]);
  r.log.commit();
  const renamed = r.log.schema([{ kind: 'schema_renamed', from: r.schema, schema: `${r.schema}_new` }]);
  await r.write([renamed]);
  r.log.commit();
  const back = r.log.altered(orders, { from: { schema: `${r.schema}_new`, name: 'orders' } });
  await r.write([back]);
  await writeTo(r.newSink(), [renamed]);
  expect(await readIndices(r.store, `${r.schema}_new.orders`)).toEqual([]);
  expect(Object.keys(await r.documents(`${r.schema}.orders`))).toEqual(['1']);
});
