import { Buffer } from 'node:buffer';
import { RetryStore, SubscriptionStore } from '../src/index.ts';
import { OwnStore, spec } from './own-store.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

test('parked events come back in the order of the log, whatever their offsets look like as texts', async () => {
  const start = { topic: 'log', next: new Map([[0, 0]]) };
  const subscriptionId = await new SubscriptionStore(store.pool, store.box).create(spec('https://h/'), start);
  const retries = new RetryStore(store.pool, 'log');
  for (const offset of [9, 10, 99, 100, 1_000]) {
    await retries.park({
      subscriptionId,
      partition: 0,
      offset,
      eventId: `msg_${offset}`,
      keyHashes: ['a'],
      attempts: 0,
      nextAtMs: 0,
      lastStatus: 422,
      lastError: 'answered 422',
      record: Buffer.from('{}'),
    });
  }
  const rows = await retries.ofPartition(0);
  expect(rows.map(({ offset }) => offset)).toEqual([9, 10, 99, 100, 1_000]);
});
