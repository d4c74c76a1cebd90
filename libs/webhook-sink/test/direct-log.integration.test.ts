import { CursorStore, DirectLog, KeptStore, SubscriptionStore } from '../src/index.ts';
import { OwnStore, spec } from './own-store.ts';
import { batchOf } from './records.ts';

test('a subscription that is made while lanes are opened gets its lane before more leaves', async () => {
  await using own = await OwnStore.open();
  const topic = 'slot:a';
  const subscriptions = new SubscriptionStore(own.pool, own.box);
  const create = async (path: string) =>
    await subscriptions.create(spec(`https://h/${path}`), { topic, next: new Map([[0, 1]]) });
  await create('first');
  const failed: unknown[] = [];
  const log = new DirectLog({
    kept: new KeptStore(own.pool, topic),
    subscriptions,
    observer: {},
    epoch: 1,
    maxKeptBytes: 1_000_000,
    walEnd: () => Promise.resolve(1n),
    onFailed: (cause) => void failed.push(cause),
  });
  log.ownerEpoch = await new CursorStore(own.pool, topic).claim(0);
  const opened: number[] = [];
  await log.begin({
    storedCursors: () => new Map(),
    refresh: async () => {
      opened.push((await subscriptions.all()).subscriptions.length);
      if (opened.length === 1) await create('meanwhile');
    },
  });
  for (const transaction of [10, 20]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await new Promise<void>((settled) => {
      log.settled(
        log.append(batchOf([transaction, 1]), { settled, failed: (cause) => void failed.push(cause) }),
      );
    });
  }
  expect([opened, failed]).toEqual([[1, 2], []]);
  log.close();
});
