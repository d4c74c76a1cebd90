import { FakeTable, number, rig, writeTo } from './support.ts';

const n = number;

test('inserts, updates and deletes of one batch end as the rows they leave', async () => {
  await using r = rig();
  const orders = new FakeTable(r.schema, 'orders', { id: 'bigint', note: 'text' });
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
