import { Buffer } from 'node:buffer';
import { runMigrations } from '@pgstream/postgres-client';
import { waitFor } from '@pgstream/test-kit';
import {
  AttemptStore,
  CursorStore,
  newSecret,
  RetryStore,
  SecretBox,
  SubscriptionStore,
  type Attempted,
  type AttemptOutcome,
  type NewlyParked,
} from '../src/index.ts';
import { MIGRATIONS, OwnStore, spec } from './own-store.ts';

const start = {
  topic: 'log',
  next: new Map([
    [0, 17],
    [1, 0],
  ]),
};
const legacy = (eventTypes: readonly string[], url = 'http://h/1') =>
  spec(url, { origin: 'legacy', legacy: { schema: 'app', table: '', eventTypes }, format: 'pgstream' });

let own: OwnStore;
let store: SubscriptionStore;
let cursors: CursorStore;
let retries: RetryStore;

beforeAll(async () => {
  own = await OwnStore.open();
  store = new SubscriptionStore(own.pool, own.box);
  cursors = new CursorStore(own.pool, 'log');
  retries = new RetryStore(own.pool, 'log');
});
afterAll(() => own[Symbol.asyncDispose]());

test('migrations are applied once and have a ledger of their own', async () => {
  expect(await runMigrations(own.pool, MIGRATIONS, { ledger: 'webhook_migrations' })).toEqual([]);
  const { rows } = await own.pool.query("SELECT to_regclass('pgstream.schema_migrations') AS other");
  expect(rows).toEqual([{ other: null }]);
});

test('a subscription comes back as it was made, and begins where it was told to', async () => {
  const secret = newSecret();
  const filters = [
    { schema: 'a*', operations: ['insert'], where: [{ column: 'n', op: 'gt', value: 1 }] },
  ] as const;
  const made = spec('https://h/2', {
    filters,
    secrets: [secret],
    headers: { authorization: 'Bearer x' },
    ratePerSecond: 2.5,
  });
  const id = await store.create(made, start);
  expect(await store.find(id)).toMatchObject({ ...made, id, state: 'active', failingSinceMs: null });
  expect((await cursors.ofPartition(0)).get(id)).toEqual({ nextOffset: 17, generation: 0, ahead: [] });
});

test('what is secret is not readable in the tables, nor with another key', async () => {
  const secret = newSecret();
  const id = await store.create(
    spec('https://h/3', { secrets: [secret], headers: { 'x-key': 'hidden' } }),
    start,
  );
  const { rows } = await own.pool.query(
    `SELECT s.headers, k.sealed FROM pgstream.webhook_subscription s JOIN pgstream.webhook_secret k ON k.subscription_id = s.id
     WHERE s.id = $1`,
    [id],
  );
  const stored = Object.values(rows[0] ?? {}).map((value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : 'none',
  );
  expect(stored).toEqual([expect.not.stringMatching(/^none$/), expect.not.stringMatching(/^none$/)]);
  for (const text of stored) expect(text).not.toMatch(/hidden|whsec/);
  const other = new SecretBox([Buffer.alloc(32).toString('base64')], 'PGSTREAM_WEBHOOK_SECRET_KEY');
  await expect(new SubscriptionStore(own.pool, other).find(id)).rejects.toMatchObject({
    code: 'WEBHOOK_SECRET_UNREADABLE',
    exitCode: 78,
  });
});

test('without a key nothing secret is stored, and the failure names the setting', async () => {
  const keyless = new SubscriptionStore(own.pool, new SecretBox([], 'PGSTREAM_WEBHOOK_SECRET_KEY'));
  const id = await keyless.create(spec('https://h/keyless'), start);
  expect(await keyless.find(id)).toMatchObject({ secrets: [], headers: {} });
  await expect(
    keyless.create(spec('https://h/secret', { secrets: [newSecret()] }), start),
  ).rejects.toMatchObject({ code: 'WEBHOOK_SECRET_KEY_MISSING' });
  const { rows } = await own.pool.query(
    "SELECT FROM pgstream.webhook_subscription WHERE url = 'https://h/secret'",
  );
  expect(rows).toEqual([]);
});

test('the legacy subscribe replaces event types and keeps the place in the log', async () => {
  const id = await store.subscribe(legacy(['I']), start);
  const again = await store.subscribe(legacy(['U', 'D']), { topic: 'log', next: new Map([[0, 99]]) });
  expect(again).toBe(id);
  expect((await store.find(id))?.legacy).toEqual({ schema: 'app', table: '', eventTypes: ['U', 'D'] });
  expect((await cursors.ofPartition(0)).get(id)?.nextOffset).toBe(17);
  expect(await store.unsubscribe('http://h/1', 'app', '')).toBe(true);
  expect(await store.unsubscribe('http://h/1', 'app', '')).toBe(false);
  expect((await cursors.ofPartition(0)).has(id)).toBe(false);
});

test('every change raises the version, a note of failures does not', async () => {
  const id = await store.create(spec('https://h/4'), start);
  const version = await store.version();
  await store.noteFailing(id, 1_000);
  expect([await store.noteFailing(id, 2_000), await store.version()]).toEqual([1_000, version]);
  await store.setState(id, 'paused', 'by hand');
  expect(await store.version()).not.toBe(version);
  expect(await store.find(id)).toMatchObject({
    state: 'paused',
    stateReason: 'by hand',
    failingSinceMs: 1_000,
  });
  await store.setState(id, 'active', '');
  expect(await store.find(id)).toMatchObject({ state: 'active', failingSinceMs: null });
});

test('rotation: both secrets sign until the old one runs out', async () => {
  const [older, newer, newest] = [newSecret(), newSecret(), newSecret()];
  const id = await store.create(spec('https://h/5', { secrets: [older] }), start);
  await store.rotateSecret(id, newer, Date.now() + 60_000);
  expect((await store.find(id))?.secrets).toEqual([newer, older]);
  await store.rotateSecret(id, newest, Date.now() - 1);
  expect((await store.find(id))?.secrets).toEqual([newest]);
});

test('a cursor moves only under the epoch of the owner of its partition', async () => {
  const id = await store.create(spec('https://h/6'), start);
  const first = await cursors.claim(0);
  const row = {
    subscriptionId: id,
    partition: 0,
    nextOffset: 20,
    ahead: [],
    laneState: 'attached',
    generation: 0,
  } as const;
  const all = { overtaken: [], rewound: [] };
  expect(await cursors.save([{ ...row, epoch: first }])).toEqual(all);
  const second = await cursors.claim(0);
  expect(await cursors.save([{ ...row, nextOffset: 50, epoch: first }])).toEqual({ ...all, overtaken: [0] });
  expect((await cursors.ofPartition(0)).get(id)?.nextOffset).toBe(20);
  expect(await cursors.save([{ ...row, nextOffset: 21, epoch: second }])).toEqual(all);
  await store.remove(id);
  expect(await cursors.save([{ ...row, nextOffset: 22, epoch: second }])).toEqual(all);
});

test('a cursor that was moved back is not moved on by who had it before; a target that lies ahead moves none on', async () => {
  const id = await store.create(spec('https://h/9'), start);
  const epoch = await cursors.claim(0);
  const place = { nextOffset: 20, ahead: [23, 24] };
  const row = { subscriptionId: id, partition: 0, ...place, laneState: 'attached', epoch } as const;
  await cursors.save([{ ...row, generation: 0 }]);
  const version = await store.version();
  const targets = new Map([
    [0, 3],
    [1, 5],
    [7, 1],
  ]);
  expect(await cursors.rewind(id, targets)).toEqual([
    { partition: 0, nextOffset: 3, before: 20 },
    { partition: 1, nextOffset: 0, before: 0 },
  ]);
  expect(await store.version()).not.toBe(version);
  expect(await cursors.save([{ ...row, nextOffset: 30, generation: 0 }])).toEqual({
    overtaken: [],
    rewound: [expect.objectContaining({ subscriptionId: id, partition: 0 })],
  });
  expect((await cursors.ofPartition(0)).get(id)).toEqual({ nextOffset: 3, generation: 1, ahead: [] });
  await cursors.save([{ ...row, nextOffset: 4, generation: 1 }]);
  expect((await cursors.ofPartition(0)).get(id)?.nextOffset).toBe(4);
});

test('what is settled beyond a cursor is stored with it, and stays true where a process moves the cursor that does not know of it', async () => {
  const id = await store.create(spec('https://h/11'), start);
  const epoch = await cursors.claim(0);
  const ahead = [23, 24, 25, 30];
  const row = {
    subscriptionId: id,
    partition: 0,
    nextOffset: 20,
    laneState: 'attached',
    generation: 0,
  } as const;
  await cursors.save([{ ...row, epoch, ahead }]);
  expect((await cursors.ofPartition(0)).get(id)).toEqual({ nextOffset: 20, generation: 0, ahead });
  const older =
    'UPDATE pgstream.webhook_cursor SET next_offset = $2 WHERE subscription_id = $1 AND partition = 0';
  await own.pool.query(older, [id, 25]);
  expect((await cursors.ofPartition(0)).get(id)).toEqual({ nextOffset: 25, generation: 0, ahead: [25, 30] });
  await cursors.save([{ ...row, nextOffset: 26, epoch, ahead: [] }]);
  expect((await cursors.ofPartition(0)).get(id)?.ahead).toEqual([]);
});

test('a subscription that is removed while a cursor, a gap or a parked event of it is written costs the writer nothing', async () => {
  const id = await store.create(spec('https://h/10'), start);
  const epoch = await cursors.claim(0);
  const row = {
    subscriptionId: id,
    partition: 0,
    nextOffset: 20,
    ahead: [],
    laneState: 'attached',
    generation: 0,
  } as const;
  let saved: Promise<unknown> = Promise.resolve();
  await own.pool.transaction(async (sql) => {
    await sql.query('DELETE FROM pgstream.webhook_subscription WHERE id = $1', [id]);
    const gap = { subscriptionId: id, partition: 0, fromOffset: 1, toOffset: 9, reason: 'retention' };
    const kept = { lastStatus: 500, lastError: 'answered 500', record: Buffer.from('{}') };
    saved = Promise.all([
      cursors.save([{ ...row, epoch }]),
      cursors.recordGap(gap),
      retries.park({ ...gap, ...kept, offset: 5, eventId: 'msg_5', keyHashes: [], attempts: 1, nextAtMs: 0 }),
    ]);
    await waitFor('the writer to wait for the removal', async () => {
      // On this connection: the others wait. What it says of others is kept for a transaction, unless it is told not to.
      await sql.query('SELECT pg_stat_clear_snapshot()');
      const { rows } = await sql.query(
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      return rows.length === 3;
    });
  });
  expect(await saved).toEqual([{ overtaken: [], rewound: [] }, undefined, undefined]);
  expect(await cursors.gapsOf(id)).toEqual([]);
});

test('attempts: the newest of each subscription are kept, by outcome and page by page', async () => {
  const attempts = new AttemptStore(own.pool, 'log');
  const id = await store.create(spec('https://h/11'), start);
  const other = await store.create(spec('https://h/12'), start);
  const made = (offset: number, outcome: AttemptOutcome = 'delivered'): Attempted => ({
    subscriptionId: id,
    partition: 0,
    offset,
    eventId: `msg_${offset}`,
    attempt: 1,
    outcome,
    status: outcome === 'endpoint' ? null : 200,
    reason: '',
    durationMs: 1.6,
    atMs: 1_700_000_000_000 + offset,
  });
  await attempts.add([{ ...made(1), subscriptionId: other }]);
  for (const from of [0, 100, 200]) {
    await attempts.add(
      Array.from({ length: 100 }, (_, i) => made(from + i, i === 50 ? 'endpoint' : 'delivered')),
    );
  }
  const all = await attempts.ofSubscription({ subscriptionId: id, outcomes: [], limit: 500 });
  expect(all.map(({ offset }) => offset)).toEqual(Array.from({ length: 200 }, (_, i) => 299 - i));
  const [first, second] = await attempts.ofSubscription({
    subscriptionId: id,
    outcomes: ['endpoint', 'event'],
    limit: 2,
  });
  expect(first).toMatchObject({ offset: 250, status: null, durationMs: 2, at: '2023-11-14T22:13:20.250Z' });
  expect(second?.offset).toBe(150);
  const page = { subscriptionId: id, outcomes: [], limit: 1, beforeId: second?.id ?? '' };
  expect((await attempts.ofSubscription(page))[0]?.offset).toBe(149);
  expect(await attempts.ofSubscription({ subscriptionId: other, outcomes: [], limit: 500 })).toHaveLength(1);
});

test('a parked event: postponed, given up, tried again, delivered', async () => {
  const id = await store.create(spec('https://h/7'), start);
  const ref = { subscriptionId: id, partition: 1, offset: 5 };
  const parked: NewlyParked = {
    ...ref,
    eventId: 'msg_5',
    keyHashes: ['a'],
    attempts: 3,
    nextAtMs: 5_000,
    lastStatus: 500,
    lastError: 'answered 500',
    record: Buffer.from('{}'),
  };
  await retries.park(parked);
  await retries.park(parked);
  // Without Kafka a restart gives it another offset.
  await retries.park({ ...parked, offset: 6 });
  expect(await retries.ofPartition(1)).toEqual([{ ...ref, keyHashes: ['a'], attempts: 3, nextAtMs: 5_000 }]);
  await retries.postpone(ref, { attempts: 4, nextAtMs: 9_000, lastStatus: null, lastError: 'timeout' });
  await retries.giveUp(ref, 'no more attempts');
  expect(await retries.ofPartition(1)).toEqual([]);
  const [letter] = await retries.deadLetters({ subscriptionId: id, limit: 10 });
  expect(letter).toMatchObject({ ...ref, eventId: 'msg_5', attempts: 5, reason: 'no more attempts' });
  expect(await retries.retryDeadLetter(letter?.id ?? '')).toBe(true);
  expect((await retries.recordOf(ref))?.toString()).toBe('{}');
  await retries.delivered(ref);
  expect([await retries.recordOf(ref), await retries.parkedCount(id)]).toEqual([undefined, 0]);
  expect(await retries.discardDeadLetter(letter?.id ?? '')).toBe(false);
});

test('a gap is recorded once', async () => {
  const id = await store.create(spec('https://h/8'), start);
  const gap = { subscriptionId: id, partition: 0, fromOffset: 1, toOffset: 9, reason: 'retention' };
  await cursors.recordGap(gap);
  await cursors.recordGap(gap);
  expect(await cursors.gapsOf(id)).toEqual([expect.objectContaining({ fromOffset: 1, toOffset: 9 })]);
});
