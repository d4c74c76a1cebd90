import { once } from 'node:events';
import { waitFor } from '@pgstream/test-kit';
import type { ChangeRecord } from '@pgstream/wal-event';
import { newSecret } from '../src/index.ts';
import { Webhook } from 'standardwebhooks';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver, type Received } from './receiver.ts';
import { change, column, ddl } from './records.ts';
import { Worker } from './worker.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

/** Version `v` of row `key`, at transaction `n`. */
const row = (n: number, key: number, v: number): ChangeRecord =>
  change(n, { action: v === 0 ? 'I' : 'U', columns: [column('id', key), column('v', v)] });
const rows = (from: number, to: number, keys = 10) =>
  Array.from({ length: to - from + 1 }, (_, i) => row(from + i, (from + i) % keys, from + i));
const bodyOf = ({ body }: Received): { data: { new: { id: number; v: number } } } =>
  JSON.parse(body.toString());
const asRecord = (headers: Received['headers']) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
const versions = (received: readonly Received[]) => received.map((one) => bodyOf(one).data.new.v);

/** First acceptances per key rise. */
function expectOrderPerKey(received: readonly Received[]): void {
  const last = new Map<number, number>();
  const seen = new Set<string>();
  for (const one of received) {
    if (seen.has(one.id)) continue;
    seen.add(one.id);
    const { id, v } = bodyOf(one).data.new;
    expect(v).toBeGreaterThan(last.get(id) ?? -1);
    last.set(id, v);
  }
}

test('every change reaches its subscriber once, signed, in order per row, and is committed', async () => {
  await using log = await OwnLog.create(2);
  await using receiver = await Receiver.start();
  await using worker = await Worker.start(store, log);
  await log.send(0, [row(1, 1, 1)]); // older than the subscription
  const secret = newSecret();
  await worker.subscribe(spec(receiver.url, { secrets: [secret], headers: { 'x-mine': 'yes' } }));
  await Promise.all([log.send(0, rows(2, 501)), log.send(1, rows(2, 501))]);
  const got = await receiver.accepts(1000);
  const [first] = got;
  expect(first?.headers).toMatchObject({
    'x-mine': 'yes',
    'webhook-attempt': '1',
    'idempotency-key': first?.id,
    'x-pgstream-lsn': expect.stringMatching(/^0\//),
  });
  for (const { body, headers } of got.slice(0, 5)) {
    expect(() => new Webhook(secret).verify(body, asRecord(headers))).not.toThrow();
  }
  expect(versions(got)).not.toContain(1);
  const byId = new Set(got.map(({ id }) => id));
  expect([got.length, byId.size]).toEqual([1000, 500]); // the same positions in both partitions
  await waitFor(
    'everything to be committed',
    async () => (await log.committed(`${log.name}-webhooks`, 0)) === 501,
  );
  expect(worker.failure).toBeUndefined();
});

test('no more than a window is delivered beyond the stored cursor: so much comes again after a crash', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using worker = await Worker.start(store, log);
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 1));
  await waitFor(
    'the first to be stored',
    async () => (await worker.cursors.ofPartition(0)).get(id)?.nextOffset === 1,
  );
  await waitFor('it to keep up', () => worker.sink.status().some(({ state }) => state === 'attached'));
  const save = worker.cursors.save.bind(worker.cursors);
  const gate = new AbortController();
  const isOpen = once(gate.signal, 'abort');
  worker.cursors.save = async (cursors) => {
    await isOpen;
    return await save(cursors);
  };
  try {
    await log.send(0, rows(2, 1501));
    await receiver.accepts(1001);
    const waits = await waitFor('nothing to be under way, though the log has more', () =>
      worker.sink.status().find(({ unsettled, lagRecords }) => unsettled === 0 && lagRecords > 0),
    );
    expect(waits.cursor).toBe(1001);
    expect(receiver.received).toHaveLength(1001);
  } finally {
    gate.abort();
  }
  expect(versions(await receiver.accepts(1501)).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 1501 }, (_, n) => n + 1),
  );
  expect(worker.failure).toBeUndefined();
});

test('an endpoint that was away gets everything in order from the log, and holds nobody back', async () => {
  await using log = await OwnLog.create(1);
  await using healthy = await Receiver.start();
  const away = await Receiver.start();
  const { port, url } = away;
  await using worker = await Worker.start(store, log);
  await worker.subscribe(spec(healthy.url));
  await worker.subscribe(spec(url));
  await away[Symbol.asyncDispose]();
  await log.send(0, rows(1, 1500));
  await healthy.accepts(1500);
  await waitFor('the group to go on', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 1500);
  expect(worker.notices).toContain('lane_detached');
  const held = worker.sink.status().reduce((sum, { windowBytes }) => sum + windowBytes, 0);
  expect(held).toBeLessThan(100_000);
  await using back = await Receiver.start(() => 200, port);
  const got = await back.accepts(1500);
  expectOrderPerKey(got);
  expect(new Set(got.map(({ id }) => id)).size).toBe(1500);
  expect(got).toHaveLength(1500);
  await log.send(0, rows(1501, 1510));
  await back.accepts(1510);
  expect(worker.failure).toBeUndefined();
});

test('a worker that is stopped and started goes on where it was, also for those that were away', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  const away = await Receiver.start();
  const { port, url } = away;
  await away[Symbol.asyncDispose]();
  {
    await using worker = await Worker.start(store, log);
    await worker.subscribe(spec(receiver.url));
    await worker.subscribe(spec(url));
    await log.send(0, rows(1, 200));
    await receiver.accepts(200);
    await waitFor('the commit', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 200);
  }
  await using back = await Receiver.start(() => 200, port);
  await using worker = await Worker.start(store, log);
  await back.accepts(200);
  await log.send(0, rows(201, 210));
  await Promise.all([receiver.accepts(210), back.accepts(210)]);
  expect([receiver.received.length, back.accepted.length]).toEqual([210, 210]);
  expect(worker.failure).toBeUndefined();
});

test('one event that is refused is parked with what follows for its row; others go on; it comes later, in order', async () => {
  await using log = await OwnLog.create(1);
  let refuses = true;
  await using receiver = await Receiver.start((request) =>
    refuses && JSON.parse(request.body.toString()).data.new.v === 5 ? 422 : 200,
  );
  await using worker = await Worker.start(store, log, {
    schedule: {
      parkAfterMs: 300,
      initialRetryMs: 50,
      maxRetryMs: 100,
      parkedMs: Array.from({ length: 500 }, () => 200),
    },
    circuit: { maxConsecutiveFailures: 1000, maxFailureShare: 2 },
  });
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 100)); // 5, 15, 25, … are of one row
  await receiver.accepts(90);
  await waitFor('ten to be parked', async () => (await worker.retries.parkedCount(id)) === 10);
  await waitFor(
    'the commit to pass them',
    async () => (await log.committed(`${log.name}-webhooks`, 0)) === 100,
  );
  refuses = false;
  const got = await receiver.accepts(100);
  expectOrderPerKey(got);
  expect(got).toHaveLength(100);
  expect(await worker.retries.parkedCount(id)).toBe(0);
});

test('an event that is refused to the end is a dead letter, and can be sent again', async () => {
  await using log = await OwnLog.create(1);
  let refuses = true;
  await using receiver = await Receiver.start(() => (refuses ? 400 : 200));
  await using worker = await Worker.start(store, log, {
    circuit: { maxConsecutiveFailures: 1000, maxFailureShare: 2 },
  });
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, [row(1, 1, 1)]);
  const [letter] = await waitFor('the dead letter', async () => {
    const letters = await worker.retries.deadLetters({ subscriptionId: id, limit: 10 });
    return letters.length > 0 && letters;
  });
  expect(letter).toMatchObject({ partition: 0, offset: 0, reason: 'answered 400' });
  refuses = false;
  expect(await worker.retries.retryDeadLetter(letter?.id ?? '')).toBe(true);
  const [got] = await receiver.accepts(1);
  expect(got?.id).toBe(letter?.eventId);
});

test('what retention took before it was read is a gap, written down', async () => {
  await using log = await OwnLog.create(1);
  const away = await Receiver.start();
  const { port, url } = away;
  await away[Symbol.asyncDispose]();
  await using worker = await Worker.start(store, log, { circuit: { initialOpenMs: 1500, maxOpenMs: 1500 } });
  const id = await worker.subscribe(spec(url));
  await log.send(0, rows(1, 100));
  await waitFor('the circuit to open', () => worker.notices.includes('lane_detached'));
  await log.deleteBefore(0, 60);
  await using back = await Receiver.start(() => 200, port);
  const got = await back.accepts(40);
  expect(versions(got).toSorted((a, b) => a - b)[0]).toBe(61);
  expect(await worker.cursors.gapsOf(id)).toEqual([
    expect.objectContaining({ partition: 0, fromOffset: 0, toOffset: 60, reason: 'retention' }),
  ]);
});

test('410 disables; activated again it goes on from where it was', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start(() => 410);
  await using worker = await Worker.start(store, log);
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 3));
  await waitFor('it to be disabled', async () => (await worker.subscriptions.find(id))?.state === 'disabled');
  receiver.answers(() => 200);
  await log.send(0, rows(4, 6));
  await waitFor('the others to be done', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 6);
  await worker.subscriptions.setState(id, 'active', '');
  expect(versions(await receiver.accepts(6)).toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('without a success for too long it is disabled', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start(() => 503);
  await using worker = await Worker.start(store, log, { disableAfterMs: 500 });
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 3));
  await waitFor('it to be disabled', async () => (await worker.subscriptions.find(id))?.state === 'disabled');
  expect((await worker.subscriptions.find(id))?.stateReason).toMatch(/no delivery has succeeded since 2/);
});

test('partition order is strict, a TRUNCATE waits for the rows before it, a schema change comes where asked for', async () => {
  await using log = await OwnLog.create(1);
  let flaky = 0;
  await using strict = await Receiver.start(() => (flaky++ % 3 === 0 ? 500 : 200));
  await using fenced = await Receiver.start();
  await using worker = await Worker.start(store, log, {
    circuit: { maxConsecutiveFailures: 1000, maxFailureShare: 2 },
  });
  await worker.subscribe(spec(strict.url, { ordering: 'partition' }));
  await worker.subscribe(spec(fenced.url, { filters: [{}, { operations: ['ddl'], schema: 'app' }] }));
  const truncate = change(20, { action: 'T', columns: null });
  await log.send(0, [...rows(1, 19), truncate, ddl(21, 'app'), ddl(22, 'hr'), ...rows(23, 40)]);
  expect((await strict.accepts(38)).map(({ id }) => id)).toEqual(
    [...new Set(strict.accepted.map(({ id }) => id))].toSorted(),
  );
  const types = (await fenced.accepts(39)).map(({ body }): string => JSON.parse(body.toString()).type);
  expect(types.slice(18, 22)).toEqual([
    'app.orders.update',
    'app.orders.truncate',
    'app.ddl',
    'app.orders.update',
  ]);
});

test('a subscription that is removed hears no more', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using worker = await Worker.start(store, log);
  const id = await worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 5));
  await receiver.accepts(5);
  await worker.subscriptions.remove(id);
  await worker.sink.refresh();
  await log.send(0, rows(6, 10));
  await waitFor('the commit', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 10);
  expect(receiver.received).toHaveLength(5);
});

test('two workers share the partitions; when one goes the other takes over, and nothing is lost', async () => {
  await using log = await OwnLog.create(4);
  await using receiver = await Receiver.start();
  await using first = await Worker.start(store, log);
  await first.subscribe(spec(receiver.url));
  const sendAll = (from: number, to: number) =>
    Promise.all(
      [0, 1, 2, 3].map((partition) =>
        log.send(
          partition,
          rows(from, to).map((one) => ({ ...one, epoch: partition + 1 })),
        ),
      ),
    );
  await sendAll(1, 200);
  await receiver.accepts(400);
  {
    await using second = await Worker.start(store, log);
    await waitFor('the second to own some', () => second.sink.status().length === 2, 55_000);
    await sendAll(201, 400);
    await receiver.accepts(1600);
    expect(second.failure).toBeUndefined();
  }
  await sendAll(401, 500);
  const got = await receiver.accepts(2000);
  const ids = new Set(got.map(({ id }) => id));
  await waitFor('every event', () => new Set(receiver.accepted.map(({ id }) => id)).size === 2000);
  expect(ids.size).toBeGreaterThan(1900);
  expect(first.failure).toBeUndefined();
});

test('a subscription of another topic in the same store is left alone', async () => {
  await using log = await OwnLog.create(1);
  await using other = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using mine = await Receiver.start();
  await log.send(0, rows(1, 5));
  await using owner = await Worker.start(store, other);
  await owner.subscribe(spec(receiver.url));
  await using worker = await Worker.start(store, log);
  await worker.subscribe(spec(mine.url));
  await log.send(0, rows(6, 10));
  await mine.accepts(5);
  await waitFor('the commit', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 10);
  expect([receiver.received, worker.sink.status().length]).toEqual([[], 1]);
});
