import { canStart, startSearch, stopSearch, type SearchKind, type SearchServer } from '@pgstream/test-kit';
import { FakeTable, number as n, rig } from './support.ts';

/** OpenSearch 2 is what every other test runs on. OpenSearch 3 needs Java 21: where there is none, it cannot be shown. */
const ENGINES = (['opensearch-3', 'elasticsearch-7', 'elasticsearch-8'] as const).filter(canStart);

test('the engines that need nothing newer than Java 17 are always among those tried', () => {
  expect(ENGINES).toEqual(expect.arrayContaining(['elasticsearch-7', 'elasticsearch-8']));
});

async function withEngine(kind: SearchKind, work: (server: SearchServer) => Promise<void>): Promise<void> {
  const server = await startSearch({ kind, heapMb: 384 });
  try {
    await work(server);
  } finally {
    await stopSearch(server, 'SIGKILL');
  }
}

test.each(ENGINES)(
  '%s: rows, replays, TRUNCATE and DROP leave what the table has',
  async (kind) => {
    await withEngine(kind, async ({ url }) => {
      await using r = rig({}, url);
      const orders = new FakeTable(r.schema, 'orders', { id: 'bigint', note: 'text', price: 'numeric' });
      const alias = `${r.schema}.orders`;
      const history = [
        r.log.schema([{ kind: 'table_created', table: orders.shape() }]),
        r.log.insert(orders, { id: n(1), note: 'a', price: n('12345678901234567890.123') }),
        r.log.insert(orders, { id: n(2), note: 'b', price: n('0.50') }),
      ];
      r.log.commit();
      history.push(r.log.update(orders, { id: n(1), note: 'c', price: n('1.00') }));
      r.log.commit();
      history.push(r.log.delete(orders, { id: n(2) }));
      r.log.commit();
      await r.write(history);
      await r.write(history);
      expect(await r.documents(alias)).toEqual({ '1': { id: 1, note: 'c', price: '1.00' } });
      const truncate = r.log.truncate(orders);
      r.log.commit();
      const after = r.log.insert(orders, { id: n(9), note: 'after', price: n('9') });
      r.log.commit();
      await r.write([truncate, after]);
      await r.write([...history, truncate]);
      expect(await r.documents(alias)).toEqual({ '9': { id: 9, note: 'after', price: '9' } });
      await r.write([
        r.log.schema([
          { kind: 'table_dropped', table_id: orders.id, schema: orders.schema, name: orders.name },
        ]),
      ]);
      const gone = await r.store.request('GET', `/${alias}`, { answers: [404] });
      expect(gone.status).toBe(404);
    });
  },
  180_000,
);
