import { waitFor } from '@pgstream/test-kit';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver } from './receiver.ts';
import { change } from './records.ts';
import { Worker } from './worker.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

test('taking down subscriptions whose endpoints hang takes as long as one of them, and their cursors stay', async () => {
  await using log = await OwnLog.create(1);
  await using hanging = await Receiver.start(() => undefined);
  // It does not look by itself: a look between two of the pauses would take the first down alone.
  await using worker = await Worker.start(store, log, { pollIntervalMs: 3_600_000 });
  const ids = [1, 2, 3].map(async (n) =>
    worker.subscribe(spec(`${hanging.url}/${n}`, { timeoutMs: 60_000, maxInFlight: 1 })),
  );
  await Promise.all(ids);
  await log.send(0, [change(1)]);
  await waitFor('three requests to hang', () => hanging.received.length === 3);
  for (const id of ids) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other changes one row
    await worker.subscriptions.setState(await id, 'paused', 'for the test');
  }
  const startedAt = performance.now();
  await worker.sink.refresh();
  expect(performance.now() - startedAt).toBeLessThan(9_000);
  expect(worker.sink.status()).toEqual([]);
  const cursors = await worker.cursors.ofPartition(0);
  for (const id of ids) expect(cursors.get(await id)?.nextOffset).toBe(0);
});

test('those who ask at the same time for what was changed share one look at the store, and each sees its change', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using worker = await Worker.start(store, log, { pollIntervalMs: 3_600_000 });
  await log.send(0, [change(1)]);
  await waitFor(
    'the partition to be owned',
    async () => (await log.committed(`${log.name}-webhooks`, 0)) === 1,
  );
  let looks = 0;
  const all = worker.subscriptions.all.bind(worker.subscriptions);
  worker.subscriptions.all = async () => {
    looks++;
    return await all();
  };
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, n) => worker.subscribe(spec(`${receiver.url}/${n}`))),
  );
  expect(
    worker.sink
      .status()
      .map(({ subscriptionId }) => subscriptionId)
      .toSorted(),
  ).toEqual(made.toSorted());
  expect(looks).toBeLessThan(20);
});
