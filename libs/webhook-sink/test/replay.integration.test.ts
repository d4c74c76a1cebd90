import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { formatLsn, type ChangeRecord } from '@pgstream/wal-event';
import { waitFor } from '@pgstream/test-kit';
import type { WebhookApiOptions, WebhookSinkOptions } from '../src/index.ts';
import { OwnApi } from './own-api.ts';
import { OwnLog } from './own-log.ts';
import { OwnStore, spec } from './own-store.ts';
import { Receiver } from './receiver.ts';
import { change, column } from './records.ts';
import { Worker } from './worker.ts';

let store: OwnStore;
beforeAll(async () => void (store = await OwnStore.open()));
afterAll(() => store[Symbol.asyncDispose]());

interface Replayed {
  readonly partitions: readonly {
    readonly partition: number;
    readonly nextOffset: number;
    readonly before: number;
  }[];
}

/** One row per transaction, at commit LSNs 8 n. */
const rows = (from: number, to: number, changes: Partial<ChangeRecord> = {}) =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    change(from + i, { columns: [column('id', from + i)], ...changes }),
  );
/** Version `n` of one of seven rows. */
const versionOf = (n: number): ChangeRecord => change(n, { columns: [column('id', n % 7), column('v', n)] });
const lsnOf = (n: number) => formatLsn(change(n).position.commitLsn);
const idIn = (body: Buffer): number => JSON.parse(body.toString()).data.new.id;

/** A worker and the API in one process, as they are in the product. */
async function scene(log: OwnLog, changes: Partial<WebhookSinkOptions> = {}) {
  const worker = await Worker.start(store, log, changes);
  const api = await apiOf(log, worker, { refresh: () => worker.sink.refresh() });
  const close = async () => {
    await api[Symbol.asyncDispose]();
    await worker[Symbol.asyncDispose]();
  };
  const replay = async (id: string, from: unknown) => {
    const answer = await api.made<Replayed>('POST', `/v1/subscriptions/${id}/replay`, { from });
    return answer.partitions;
  };
  return { worker, api, replay, [Symbol.asyncDispose]: close };
}

async function apiOf(log: OwnLog, worker: Worker, changes: Partial<WebhookApiOptions> = {}): Promise<OwnApi> {
  return await OwnApi.start(store, { topic: log.name, positions: worker.reader, ...changes });
}

const cursorOf = async (worker: Worker, id: string, partition = 0) =>
  (await worker.cursors.ofPartition(partition)).get(id)?.nextOffset;
const untilAt = async (worker: Worker, id: string, offset: number) =>
  waitFor(`the cursor to be at ${offset}`, async () => (await cursorOf(worker, id)) === offset);

test.each([
  ['offsets', { offsets: [{ partition: 0, offset: 6 }] }, 6],
  ['the LSN of a commit', { lsn: lsnOf(7) }, 6],
  ['an LSN between commits', { lsn: '0/31' }, 6],
  ['an LSN of an epoch', { lsn: lsnOf(7), epoch: 1 }, 6],
  ['the beginning', { beginning: true }, 0],
])(
  'a replay from %s delivers again what came after, with the ids that it had',
  async (_what, from, offset) => {
    await using log = await OwnLog.create(1);
    await using receiver = await Receiver.start();
    await using it = await scene(log);
    const id = await it.worker.subscribe(spec(receiver.url, { ordering: 'partition' }));
    await log.send(0, rows(1, 10));
    const first = (await receiver.accepts(10)).map((one) => one.id);
    await untilAt(it.worker, id, 10);
    const moved = await it.replay(id, from);
    expect(moved).toEqual([{ partition: 0, nextOffset: offset, before: 10 }]);
    const again = (await receiver.accepts(20 - offset)).slice(10);
    expect(again.map((one) => one.id)).toEqual(first.slice(offset));
    await untilAt(it.worker, id, 10);
    await log.send(0, rows(11, 12));
    await receiver.accepts(22 - offset);
    expect([receiver.received.length, it.worker.failure]).toEqual([22 - offset, undefined]);
  },
);

test.each([
  ['behind', { beginning: true }],
  ['ahead of', { lsn: lsnOf(7) }],
])(
  'what was delivered and is not stored yet comes again, from a place %s the stored cursor',
  async (_what, from) => {
    await using log = await OwnLog.create(1);
    await using receiver = await Receiver.start();
    await using it = await scene(log, { flushIntervalMs: 3_600_000 });
    const id = await it.worker.subscribe(spec(receiver.url, { ordering: 'partition' }));
    await log.send(0, rows(1, 10));
    const first = (await receiver.accepts(10)).map((one) => one.id);
    expect(await it.replay(id, from)).toEqual([{ partition: 0, nextOffset: 0, before: 0 }]);
    const again = (await receiver.accepts(20)).slice(10);
    expect(again.map((one) => one.id)).toEqual(first);
    expect(it.worker.failure).toBeUndefined();
  },
);

test('a replay from an epoch that is to come moves nothing', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 3));
  await receiver.accepts(3);
  await untilAt(it.worker, id, 3);
  expect(await it.replay(id, { lsn: lsnOf(1), epoch: 2 })).toEqual([]);
});

test('a replay by time rewinds each partition to its first commit of that time, and moves none on', async () => {
  await using log = await OwnLog.create(3);
  await using receiver = await Receiver.start();
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  const hourAgoMs = Date.now() - 3_600_000;
  const send = async (partition: number, from: number, timeMs: number) =>
    log.send(partition, rows(from, from + 4, { epoch: partition + 1 }), timeMs);
  await send(0, 1, hourAgoMs);
  await send(0, 6, hourAgoMs + 60_000);
  await send(1, 1, hourAgoMs + 60_000);
  await send(2, 1, hourAgoMs);
  await receiver.accepts(20);
  await waitFor('the cursors', async () => {
    const cursors = await it.worker.cursors.ofSubscription(id);
    return cursors.map(({ nextOffset }) => nextOffset).join() === '10,5,5';
  });
  expect(await it.replay(id, { time: new Date(hourAgoMs + 30_000).toISOString() })).toEqual([
    { partition: 0, nextOffset: 5, before: 10 },
    { partition: 1, nextOffset: 0, before: 5 },
  ]);
  const again = (await receiver.accepts(30)).slice(20);
  const epochs = again.map((one) => `${one.id.slice(0, 5)} ${idIn(one.body)}`);
  expect(epochs.toSorted()).toEqual(
    [
      'msg_1 10',
      'msg_1 6',
      'msg_1 7',
      'msg_1 8',
      'msg_1 9',
      ...[1, 2, 3, 4, 5].map((n) => `msg_2 ${n}`),
    ].toSorted(),
  );
});

test('what retention has taken, or may have taken, is refused with where the log begins, and nothing is moved', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  const startMs = Date.now() - 60_000;
  await log.send(0, rows(1, 10), startMs);
  await log.send(0, rows(11, 20), startMs + 30_000);
  await receiver.accepts(20);
  await untilAt(it.worker, id, 20);
  await log.deleteBefore(0, 4);
  for (const from of [
    { offsets: [{ partition: 0, offset: 3 }] },
    { lsn: lsnOf(4) },
    { lsn: lsnOf(5) }, // of the first that is left: its transaction may have had more
    { lsn: lsnOf(1), epoch: 1 },
    { time: new Date(startMs - 1000).toISOString() },
    { time: new Date(startMs).toISOString() },
  ]) {
    const refused = await it.api.ask('POST', `/v1/subscriptions/${id}/replay`, { from });
    expect(refused).toMatchObject({ status: 409, type: 'application/problem+json' });
    expect(refused.text).toContain('partition 0 begins at offset 4');
  }
  expect(await cursorOf(it.worker, id)).toBe(20);
  expect(await it.replay(id, { lsn: lsnOf(6) })).toMatchObject([{ nextOffset: 5 }]);
  await receiver.accepts(35);
  await untilAt(it.worker, id, 20);
  expect(await it.replay(id, { time: new Date(startMs + 1000).toISOString() })).toMatchObject([
    { nextOffset: 10 },
  ]);
  await receiver.accepts(45);
  await untilAt(it.worker, id, 20);
  expect(await it.replay(id, { beginning: true })).toMatchObject([{ nextOffset: 4 }]);
  await receiver.accepts(61);
  expect(await it.worker.cursors.gapsOf(id)).toEqual([]);
});

test.each([
  ['ahead of its cursor', { offsets: [{ partition: 0, offset: 5 }] }, 'a replay only goes back'],
  ['behind the end of the log', { offsets: [{ partition: 0, offset: 99 }] }, 'ends at offset'],
  ['in no partition', { offsets: [{ partition: 7, offset: 0 }] }, 'no partition 7'],
])('offsets %s are refused', async (_what, from, words) => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 3));
  await receiver.accepts(3);
  await untilAt(it.worker, id, 3);
  await it.worker.subscriptions.setState(id, 'paused', 'for the test');
  await it.worker.sink.refresh();
  await log.send(0, rows(4, 6));
  const refused = await it.api.ask('POST', `/v1/subscriptions/${id}/replay`, { from });
  expect([refused.status, refused.text]).toEqual([409, expect.stringContaining(words)]);
  expect(await cursorOf(it.worker, id)).toBe(3);
});

test('a worker that owns the partition goes back although another process was asked, and its late cursor is refused', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  // It looks for changes never: only what it writes can tell it.
  await using owner = await Worker.start(store, log, { pollIntervalMs: 3_600_000 });
  await using api = await apiOf(log, owner);
  const id = await owner.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 50));
  await receiver.accepts(50);
  await untilAt(owner, id, 50);
  await api.made('POST', `/v1/subscriptions/${id}/replay`, { from: { beginning: true } });
  expect([await cursorOf(owner, id), receiver.received.length]).toEqual([0, 50]);
  await log.send(0, rows(51, 60)); // moves its cursor on, which is refused
  const got = await receiver.accepts(110);
  await untilAt(owner, id, 60);
  expect(owner.notices).toContain('lane_rewound');
  const counts = new Map<string, number>();
  for (const one of got) counts.set(one.id, (counts.get(one.id) ?? 0) + 1);
  expect([counts.size, [...counts.values()].filter((count) => count < 2).length]).toEqual([
    60,
    expect.any(Number),
  ]);
  for (const one of got.slice(0, 50)) expect(counts.get(one.id)).toBeGreaterThanOrEqual(2);
  expect(owner.failure).toBeUndefined();
});

test('a worker that has nothing to write learns of a replay by its next look', async () => {
  await using log = await OwnLog.create(1);
  await using receiver = await Receiver.start();
  await using owner = await Worker.start(store, log);
  await using api = await apiOf(log, owner);
  const id = await owner.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 5));
  await receiver.accepts(5);
  await untilAt(owner, id, 5);
  await api.made('POST', `/v1/subscriptions/${id}/replay`, { from: { beginning: true } });
  expect(await receiver.accepts(10)).toHaveLength(10);
  await untilAt(owner, id, 5);
});

test('replays under load, one after the other: every event comes after the last of them, in order per row, and is committed', async () => {
  await using log = await OwnLog.create(2);
  await using receiver = await Receiver.start();
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  const writing = (async () => {
    for (let from = 1; from <= 1_500; from += 100) {
      const records = Array.from({ length: 100 }, (_, i) => versionOf(from + i));
      // oxlint-disable-next-line no-await-in-loop -- one batch after the other is the load
      await Promise.all(
        [0, 1].map((partition) =>
          log.send(
            partition,
            records.map((one) => ({ ...one, epoch: partition + 1 })),
          ),
        ),
      );
    }
  })();
  let since = 0;
  for (let i = 1; i <= 5; i++) {
    // oxlint-disable-next-line no-await-in-loop -- after so much of the load
    await receiver.accepts(i * 150, 60_000);
    since = receiver.received.length;
    const beginning = { offsets: [0, 1].map((partition) => ({ partition, offset: 0 })) };
    // oxlint-disable-next-line no-await-in-loop -- as above
    await it.replay(id, i % 2 === 0 ? { lsn: lsnOf(50), epoch: 1 } : beginning);
  }
  await writing;
  await waitFor(
    'both cursors at the end',
    async () => {
      const cursors = await it.worker.cursors.ofSubscription(id);
      return cursors.every(({ nextOffset }) => nextOffset === 1_500);
    },
    120_000,
  );
  const last = receiver.received.slice(since);
  expect(new Set(last.map((one) => one.id)).size).toBe(3_000);
  const versions = new Map<string, number[]>();
  for (const { id: eventId, body } of last) {
    const { id: key, v }: { id: number; v: number } = JSON.parse(body.toString()).data.new;
    const row = `${eventId.slice(0, 5)} ${key}`;
    versions.set(row, [...(versions.get(row) ?? []), v]);
  }
  for (const seen of versions.values()) {
    // From where it began again.
    const run = seen.slice(seen.lastIndexOf(Math.min(...seen)));
    expect(run).toEqual([...new Set(run)].toSorted((a, b) => a - b));
  }
  await waitFor('the commit', async () => (await log.committed(`${log.name}-webhooks`, 0)) === 1_500);
  expect(it.worker.failure).toBeUndefined();
}, 240_000);

test('a request that is under way when its subscription is replayed moves nothing with its late answer', async () => {
  await using log = await OwnLog.create(1);
  const held: ServerResponse[] = [];
  let isHeld = false;
  await using receiver = await Receiver.start((_request, response) => {
    if (!isHeld) return 200;
    held.push(response);
    return undefined;
  });
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url, { maxInFlight: 1, ordering: 'partition' }));
  await log.send(0, rows(1, 5));
  await receiver.accepts(5);
  await untilAt(it.worker, id, 5);
  isHeld = true;
  await log.send(0, rows(6, 6));
  await waitFor('the request to hang', () => held.length === 1);
  const replayed = it.replay(id, { beginning: true });
  await untilAt(it.worker, id, 0);
  isHeld = false;
  const [response] = held;
  const closed = response === undefined ? undefined : once(response, 'close');
  response?.writeHead(200).end();
  await closed;
  expect(await replayed).toEqual([{ partition: 0, nextOffset: 0, before: 5 }]);
  await untilAt(it.worker, id, 6);
  const ids = receiver.received.map(({ body }) => idIn(body));
  expect(ids).toEqual([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]);
});

test('a paused subscription is replayed when it is resumed; parked events stay parked and none is lost', async () => {
  await using log = await OwnLog.create(1);
  let refuses = true;
  await using receiver = await Receiver.start(({ body }) => (refuses && idIn(body) === 3 ? 422 : 200));
  await using it = await scene(log, {
    schedule: {
      parkAfterMs: 100,
      initialRetryMs: 20,
      maxRetryMs: 50,
      parkedMs: Array.from({ length: 500 }, () => 200),
    },
    circuit: { maxConsecutiveFailures: 1000, maxFailureShare: 2 },
  });
  const id = await it.worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 5));
  await waitFor('one to be parked', async () => (await it.worker.retries.parkedCount(id)) === 1);
  await untilAt(it.worker, id, 5);
  await it.api.made('POST', `/v1/subscriptions/${id}/pause`);
  expect(await it.replay(id, { beginning: true })).toEqual([{ partition: 0, nextOffset: 0, before: 5 }]);
  expect(it.worker.sink.status()).toEqual([]);
  await it.api.made('POST', `/v1/subscriptions/${id}/resume`);
  await untilAt(it.worker, id, 5);
  expect(receiver.accepted).toHaveLength(8);
  expect(await it.worker.retries.parkedCount(id)).toBe(1);
  refuses = false;
  await receiver.accepts(9);
  expect(new Set(receiver.accepted.map(({ body }) => idIn(body)))).toEqual(new Set([1, 2, 3, 4, 5]));
});

test('attempts say what became of requests, by worker and row of the log, and never what was sent', async () => {
  await using log = await OwnLog.create(1);
  let status = 503;
  await using receiver = await Receiver.start(() => status);
  await using it = await scene(log);
  const id = await it.worker.subscribe(spec(receiver.url));
  await log.send(0, rows(1, 1));
  interface Page {
    readonly items: readonly { readonly id: string; readonly outcome: string; readonly attempt: number }[];
    readonly next: string | null;
  }
  const path = `/v1/subscriptions/${id}/attempts`;
  const failed = await waitFor('two failures', async () => {
    const page = await it.api.made<Page>('GET', `${path}?status=failed`);
    return page.items.length >= 2 && page;
  });
  expect(failed.items.at(-1)).toMatchObject({
    partition: 0,
    offset: 0,
    attempt: 1,
    outcome: 'endpoint',
    status: 503,
    reason: 'answered 503',
  });
  expect((await it.api.made<Page>('GET', `${path}?status=delivered`)).items).toEqual([]);
  status = 200;
  await receiver.accepts(1);
  await waitFor('the success', async () => {
    const { items } = await it.api.made<Page>('GET', `${path}?limit=1`);
    return items[0]?.outcome === 'delivered';
  });
  const first = await it.api.made<Page>('GET', `${path}?limit=1`);
  const second = await it.api.made<Page>('GET', `${path}?limit=1&after=${first.next}`);
  expect(Number(second.items[0]?.id)).toBeLessThan(Number(first.items[0]?.id));
  expect(await it.api.ask('GET', path.replace(id, '00000000-0000-4000-8000-000000000000'))).toMatchObject({
    status: 404,
  });
});
