import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@pgstream/test-kit';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver, type Received } from './receiver.ts';
import { change, column } from './records.ts';
import { Worker } from './worker.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

/** Offsets `from` to `to` of a log that nobody else writes, one row each. */
const rows = (from: number, to: number, epoch = 1) =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    change(from + i + 1, { columns: [column('id', from + i)], epoch }),
  );
const idIn = ({ body }: Pick<Received, 'body'>): number => JSON.parse(body.toString()).data.new.id;
const sorted = (received: readonly Received[]) => received.map(idIn).toSorted((a, b) => a - b);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** So far ahead that lanes read the log by themselves. */
const AHEAD = [{ partition: 0, offset: 1_000_000 }];
/** Longer than several flushes and looks. */
const SETTLE_MS = 600;

async function aheadOf(worker: Worker, id: string): Promise<readonly number[]> {
  return (await worker.cursors.ofPartition(0)).get(id)?.ahead ?? [];
}

/** Refuses row 0 until it is told otherwise; it is not parked. */
async function refusingReceiver() {
  const it = { refuses: true };
  const receiver = await Receiver.start((request) => (it.refuses && idIn(request) === 0 ? 500 : 200));
  return { it, receiver };
}
const PATIENT = { schedule: { initialRetryMs: 50, maxRetryMs: 50, parkAfterMs: 3_600_000 } };
/** One refused event in so many is no reason to open it. */
const CLOSED = { circuit: { maxConsecutiveFailures: 1_000_000, minAttempts: 1_000_000 } };

test('what was answered behind an event that is refused is not delivered again by the next owner', async () => {
  await using log = await OwnLog.create(1);
  const { it, receiver } = await refusingReceiver();
  await using _ = receiver;
  const before = await Worker.start(store, log, { ...PATIENT, ...CLOSED });
  const id = await before.subscribe(spec(receiver.url));
  await log.send(0, rows(0, 50));
  await receiver.accepts(50);
  await before.stop();
  it.refuses = false;
  await using after = await Worker.start(store, log, { ...PATIENT, ...CLOSED });
  await receiver.accepts(51);
  await waitFor('its cursor', async () => (await after.cursors.ofPartition(0)).get(id)?.nextOffset === 51);
  expect(sorted(receiver.accepted)).toEqual(range(0, 50));
});

test('nor is it after a crash, once the store knows of it', async () => {
  await using log = await OwnLog.create(1);
  const { it, receiver } = await refusingReceiver();
  await using _ = receiver;
  let isAlive = true;
  const owns = () => Promise.resolve(isAlive);
  await using before = await Worker.apart(store, log, {
    ...PATIENT,
    ...CLOSED,
    owns,
    ownsNow: () => isAlive,
  });
  const id = await before.subscribe(spec(receiver.url));
  before.sink.assign(AHEAD);
  await log.send(0, rows(0, 50));
  await receiver.accepts(50);
  await waitFor('the store to know', async () => (await aheadOf(before, id)).length === 50);
  // It sends and stores nothing from here on, and nobody told it to come to an end.
  isAlive = false;
  await pause(SETTLE_MS);
  it.refuses = false;
  await using after = await Worker.apart(store, log, {
    ...PATIENT,
    ...CLOSED,
    owns: () => Promise.resolve(true),
  });
  after.sink.assign(AHEAD);
  await receiver.accepts(51);
  await waitFor('its cursor', async () => (await after.cursors.ofPartition(0)).get(id)?.nextOffset === 51);
  expect(sorted(receiver.accepted)).toEqual(range(0, 50));
});

test('a partition that is released is sent from no more, though other endpoints hang and the group does not wait', async () => {
  await using log = await OwnLog.create(2);
  await using hanging = await Receiver.start(() => undefined);
  await using steady = await Receiver.start((_, response) => {
    setTimeout(() => response.writeHead(200).end(), 20);
    return undefined;
  });
  // What an operator gets with a session of a second.
  const own = { drainTimeoutMs: 500 };
  await using before = await Worker.start(store, log, { version: 'before' }, own);
  await before.subscribe(spec(hanging.url, { timeoutMs: 60_000, maxInFlight: 1 }));
  await before.subscribe(spec(steady.url, { maxInFlight: 2 }));
  await Promise.all([0, 1].map(async (partition) => log.send(partition, rows(0, 399, partition + 1))));
  await waitFor('deliveries', () => steady.received.length > 20 && hanging.received.length > 0);
  await using after = await Worker.start(store, log, { version: 'after' }, own);
  const ids = () => steady.received.map(({ id }) => id);
  await waitFor('all of them', () => new Set(ids()).size === 800, 60_000);
  // So many were under way when the partitions went.
  expect(ids().length - 800).toBeLessThanOrEqual(2 * 2);
  const senders = new Set(steady.received.map(({ headers }) => headers['user-agent']));
  expect([senders.size, after.failure, before.failure]).toEqual([2, undefined, undefined]);
}, 120_000);

test('a partition that goes while it is being opened leaves no lane behind that sends', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using worker = await Worker.apart(store, log, { owns: () => Promise.resolve(true) });
  await worker.subscribe(spec(receiver.url));
  const ofPartition = worker.cursors.ofPartition.bind(worker.cursors);
  const gate = new AbortController();
  let asked = 0;
  worker.cursors.ofPartition = async (partition) => {
    const found = await ofPartition(partition);
    asked++;
    if (!gate.signal.aborted) await once(gate.signal, 'abort');
    return found;
  };
  worker.sink.assign(AHEAD);
  await waitFor('the cursors to be read', () => asked > 0);
  const revoked = worker.sink.revoke(0);
  await pause(50);
  gate.abort();
  await revoked;
  await log.send(0, rows(0, 9));
  await pause(SETTLE_MS);
  expect([receiver.received.length, worker.sink.status()]).toEqual([0, []]);
});

test('a worker whose partition was claimed by another, and is not its own any more, stops sending', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using worker = await Worker.apart(store, log, { owns: () => Promise.resolve(false) });
  await worker.subscribe(spec(receiver.url));
  worker.sink.assign(AHEAD);
  await log.send(0, rows(0, 9));
  await receiver.accepts(10);
  await waitFor('its cursor', () => worker.sink.storedCursors(0).values().next().value?.cursor === 10);
  await worker.cursors.claim(0);
  await log.send(0, rows(10, 10)); // its cursor is refused
  await waitFor('it to notice', () => worker.notices.includes('ownership_lost'));
  await log.send(0, rows(11, 60));
  await pause(SETTLE_MS);
  expect(sorted(receiver.received)).toEqual(range(0, 10));
  expect(worker.failure).toBeUndefined();
});

test('one that another claimed by mistake goes on where either had come to, also where the group says so late', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start((_, response) => {
    setTimeout(() => response.writeHead(200).end(), 100);
    return undefined;
  });
  let asked = 0;
  await using worker = await Worker.apart(store, log, { owns: () => Promise.resolve(asked++ > 0) });
  const id = await worker.subscribe(spec(receiver.url, { maxInFlight: 1 }));
  worker.sink.assign(AHEAD);
  await log.send(0, rows(0, 0));
  await waitFor('its cursor', () => worker.sink.storedCursors(0).get(id)?.cursor === 1);
  const epoch = await worker.cursors.claim(0);
  const row = { subscriptionId: id, partition: 0, laneState: 'attached', generation: 0, epoch } as const;
  await worker.cursors.save([{ ...row, nextOffset: 20, ahead: [25, 26] }]);
  await log.send(0, rows(1, 29));
  await waitFor('the end', async () => (await worker.cursors.ofPartition(0)).get(id)?.nextOffset === 30);
  const got = sorted(receiver.received);
  expect(got.slice(-8)).toEqual([20, 21, 22, 23, 24, 27, 28, 29]);
  // What it had begun with until its cursor was refused.
  expect(got.length).toBeLessThan(15);
  expect(worker.sink.status()).toHaveLength(1);
});

test('a worker that does not know whether a partition is still its own asks before it sends', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  const answer = new AbortController();
  let isKnown = false;
  const worker = await Worker.apart(store, log, {
    owns: () => once(answer.signal, 'abort').then(() => true),
    ownsNow: () => isKnown,
  });
  await using _ = worker;
  await worker.subscribe(spec(receiver.url));
  worker.sink.assign(AHEAD);
  await log.send(0, rows(0, 9));
  await pause(SETTLE_MS);
  expect(receiver.received).toEqual([]);
  isKnown = true;
  answer.abort();
  expect(sorted(await receiver.accepts(10))).toEqual(range(0, 9));
});

test('with wider filters nobody is left with an older state of a row', async () => {
  await using log = await OwnLog.create(1);
  const { it, receiver } = await refusingReceiver();
  await using _ = receiver;
  await using worker = await Worker.start(store, log, { ...PATIENT, ...CLOSED });
  const narrow = spec(receiver.url, { filters: [{ where: [{ column: 'v', op: 'eq', value: 'new' }] }] });
  const id = await worker.subscribe(narrow);
  // The first is refused; of row 1 the filter passes the older state over, and the newer one is settled ahead.
  const states = [
    [0, 'new'],
    [1, 'old'],
    [1, 'new'],
  ] as const;
  const columns = ([key, v]: (typeof states)[number]) => [column('id', key), column('v', v)];
  await log.send(
    0,
    states.map((state, i) => change(i + 1, { columns: columns(state) })),
  );
  await receiver.accepts(1);
  await waitFor('the store to know', async () => (await aheadOf(worker, id)).length === 1);
  await worker.subscriptions.update(id, { ...narrow, filters: [] });
  expect(await aheadOf(worker, id)).toEqual([]);
  await worker.sink.refresh();
  it.refuses = false;
  await waitFor('its cursor', async () => (await worker.cursors.ofPartition(0)).get(id)?.nextOffset === 3);
  const ofRow1 = receiver.accepted.filter((received) => idIn(received) === 1);
  expect(ofRow1.map(({ body }) => JSON.parse(body.toString()).data.new.v)).toEqual(['new', 'old', 'new']);
});
