import { OriginalSubscriptions, SubscriptionStore } from '../src/index.ts';
import { OwnStore } from './own-store.ts';

const OPTIONS = {
  start: { topic: 'log', next: new Map([[0, 17]]) },
  timeoutMs: 10_000,
  maxInFlight: 4,
};

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

test('what the original left is taken over once, by one process, and means what it meant', async () => {
  const originals = new OriginalSubscriptions(store.pool);
  expect([await originals.areThere(), await originals.takeOver(OPTIONS)]).toEqual([false, undefined]);
  await store.pool.query(
    `CREATE TABLE pgstream.webhook_subscriptions (url text, schema_name text, table_name text, event_types text[],
       PRIMARY KEY (url, schema_name, table_name))`,
  );
  await store.pool.query(
    `INSERT INTO pgstream.webhook_subscriptions VALUES
       ('http://hook/all', '', '', NULL), ('http://hook/empty', '', '', '{}'),
       ('http://10.1.2.3/some', 'app', 'orders', '{I,U}'), ('not a url', 'never', '', NULL), ('', '', '', NULL)`,
  );
  expect(await originals.areThere()).toBe(true);
  const taken = await Promise.all([originals.takeOver(OPTIONS), originals.takeOver(OPTIONS)]);
  expect(taken.filter((one) => one !== undefined)).toEqual([{ subscriptions: 5, unusable: 2 }]);
  expect(await originals.areThere()).toBe(false);
  const { subscriptions } = await new SubscriptionStore(store.pool, store.box).all();
  const found = new Map(
    subscriptions.map(({ url, legacy, state, format }) => [url, { legacy, state, format }]),
  );
  const all = { legacy: { schema: '', table: '', eventTypes: [] }, state: 'active', format: 'pgstream' };
  expect(Object.fromEntries(found)).toEqual({
    'http://hook/all': all,
    'http://hook/empty': all,
    'http://10.1.2.3/some': { ...all, legacy: { schema: 'app', table: 'orders', eventTypes: ['I', 'U'] } },
    'not a url': { ...all, legacy: { schema: 'never', table: '', eventTypes: [] }, state: 'disabled' },
    '': { ...all, state: 'disabled' },
  });
  const { rows } = await store.pool.query(
    "SELECT count(*)::int AS n FROM pgstream.webhook_cursor WHERE topic = 'log' AND next_offset = 17 AND reached IS NULL",
  );
  expect(rows).toEqual([{ n: 5 }]);
});

test('a database that the original never saw has nothing to take over', async () => {
  await using other = await OwnStore.open();
  expect(await new OriginalSubscriptions(other.pool).areThere()).toBe(false);
});
