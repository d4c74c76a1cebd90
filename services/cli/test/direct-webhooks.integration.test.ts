import { waitFor } from '@pgstream/test-kit';
import {
  arrived,
  AUTHORIZED,
  confirmedPasses,
  confirmedSince,
  expectEverything,
  initialised,
  keptCount,
  killed,
  LONG_MS,
  started,
  TOKEN,
  versionOf,
  write,
} from './direct-lab.ts';
import { Hook, post } from './hook.ts';

jest.setTimeout(3 * LONG_MS);

test('the article, without Kafka: pgstream run with the settings of the original delivers rows, TRUNCATE and schema changes', async () => {
  await using lab = await initialised(false);
  await using hook = await Hook.listen();
  const { running, api } = await started(lab);
  expect(await post(`${api}/webhooks/subscribe`, { url: hook.url('/all') })).toEqual({
    status: 201,
    text: 'null\n',
  });
  await lab.pool.query('CREATE TABLE employees (id serial PRIMARY KEY, name text, role text)');
  await lab.pool.query("INSERT INTO employees (name, role) VALUES ('Dwight Schrute', 'Assistant')");
  await lab.pool.query("UPDATE employees SET role = 'Manager' WHERE id = 1");
  await lab.pool.query('DELETE FROM employees WHERE id = 1');
  await lab.pool.query('ALTER TABLE employees ADD COLUMN salary int');
  await lab.pool.query('TRUNCATE employees');
  await lab.pool.query('DROP TABLE employees');
  await waitFor('seven events', () => hook.got.length >= 7);
  expect(hook.dataAt('/all').map(({ action }) => action)).toEqual(['M', 'I', 'U', 'D', 'M', 'T', 'M']);
  expect(new Set(hook.got.map(({ headers }) => headers['idempotency-key'])).size).toBe(7);
  await confirmedPasses(lab, 'the slot to pass what was delivered');
  expect((await running.stop()).code).toBe(0);
  expect(hook.got).toHaveLength(7);
});

test('the slot does not pass an event that is under way: after a kill -9 it comes again', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  const { running, api } = await started(lab);
  for (const path of ['/steady', '/silent']) {
    const subscribed = { url: hook.url(path), event_types: ['U'] };
    expect((await post(`${api}/webhooks/subscribe`, subscribed)).status).toBe(201);
  }
  let asked = 0;
  hook.answers(({ path }) => {
    if (path === '/steady') return 200;
    asked++;
    return 0;
  });
  await write(lab, 1, 3);
  await waitFor('all of it at the other, and requests', () => hook.got.length === 3 && asked === 3);
  expect(await confirmedSince(lab)).toBe(false);
  await killed(running);
  hook.answers(() => 200);
  const again = await started(lab);
  await waitFor('all of it', () => hook.at('/silent').length === 3);
  await confirmedPasses(lab, 'the slot to pass what was delivered');
  expect((await again.running.stop()).code).toBe(0);
});

test('kill -9 at any moment loses nothing, without Kafka: neither for an endpoint that works nor for one that fails', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  let calls = 0;
  hook.answers(({ path }) => (path === '/flaky' && calls++ % 3 === 0 ? 503 : 200));
  const fast = { PGSTREAM_WEBHOOK_NOTIFIER_EXP_BACKOFF_INITIAL_INTERVAL: '20ms' };
  let { running, api } = await started(lab, fast);
  for (const path of ['/steady', '/flaky']) {
    const subscribed = { url: hook.url(path), event_types: ['U'], table: 'jobs' };
    expect((await post(`${api}/webhooks/subscribe`, subscribed)).status).toBe(201);
  }
  const rounds = 5;
  const perRound = 300;
  for (let round = 0; round < rounds; round++) {
    const from = round * perRound + 1;
    const half = from + perRound / 2;
    await write(lab, from, half - 1);
    const enough = hook.got.length + 20 * round;
    const writing = write(lab, half, from + perRound - 1);
    await waitFor('some deliveries of this round', () => hook.got.length >= enough + 10);
    await killed(running);
    await writing;
    ({ running, api } = await started(lab, fast));
  }
  const versions = rounds * perRound;
  for (const path of ['/steady', '/flaky']) {
    await waitFor(
      `everything at ${path}`,
      () => new Set(hook.at(path).map(({ headers }) => headers['idempotency-key'])).size === versions,
      LONG_MS,
    );
    expectEverything(hook.at(path), versions);
  }
  await confirmedPasses(lab, 'the slot to pass what was delivered');
  expect((await running.stop()).code).toBe(0);
});

test('an endpoint that is down holds back neither the slot nor the others, and gets everything in order when it is back', async () => {
  await using lab = await initialised();
  await using healthy = await Hook.listen();
  const away = await Hook.listen();
  const { port } = away;
  let { running, api } = await started(lab);
  for (const url of [healthy.url('/jobs'), away.url('/jobs')]) {
    expect((await post(`${api}/webhooks/subscribe`, { url, event_types: ['U'] })).status).toBe(201);
  }
  await away[Symbol.asyncDispose]();
  await write(lab, 1, 1500);
  await arrived(healthy, 1500);
  await confirmedPasses(lab, 'the slot to pass the events of an endpoint that is down');
  expect(await keptCount(lab)).toBe(1500);

  // Two kills while it is away: one with something to be kept, one right after it was kept.
  for (const [point, from] of [
    ['webhook.keeping', 1501],
    ['webhook.kept', 1601],
  ] as const) {
    await killed(running);
    const victim = await started(lab, { PGSTREAM_FAILPOINTS: `${point}:kill` });
    await write(lab, from, from + 99);
    expect((await victim.running.exited()).code).toBeNull();
    ({ running, api } = await started(lab));
  }
  await waitFor('the other to have it', () => new Set(healthy.got.map(({ body }) => body)).size === 1700);
  await confirmedPasses(lab, 'the slot to go on');

  await using back = await Hook.listen(port);
  await waitFor('everything that was missed', () => back.got.length >= 1700, LONG_MS);
  expectEverything(back.got, 1700);
  await write(lab, 1701, 1710);
  await waitFor('what came later', () => back.got.length >= 1710);
  expectEverything(back.got, 1710);
  expectEverything(healthy.got, 1710);
  await waitFor('nothing to be kept any more', async () => (await keptCount(lab)) === 0);
  expect((await running.stop()).code).toBe(0);
});

test('what is kept for an endpoint that stays down is bounded, and what the bound takes is a gap, not silence', async () => {
  await using lab = await initialised();
  await using healthy = await Hook.listen();
  const away = await Hook.listen();
  const { port } = away;
  const keepBytes = 200_000;
  const { running, api } = await started(lab, {
    PGSTREAM_WEBHOOK_KEEP_BYTES: String(keepBytes),
    PGSTREAM_WEBHOOK_API_TOKEN: TOKEN,
    PGSTREAM_WEBHOOK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
  });
  const ids: string[] = [];
  for (const url of [healthy.url('/jobs'), away.url('/jobs')]) {
    const made = await post(`${api}/v1/subscriptions`, { url, format: 'pgstream' }, AUTHORIZED);
    ids.push(JSON.parse(made.text).id);
  }
  await away[Symbol.asyncDispose]();
  for (let from = 1; from <= 3000; from += 100) await write(lab, from, from + 99);
  await arrived(healthy, 3000);
  await confirmedPasses(lab, 'the slot to go on');
  const sizeOf = 'SELECT coalesce(sum(octet_length(record)), 0)::int AS bytes FROM pgstream.webhook_kept';
  await waitFor('the bound to be kept', async () => {
    const { rows } = await lab.pool.query(sizeOf);
    return Number(rows[0]?.['bytes']) <= keepBytes;
  });
  expect(await keptCount(lab)).toBeGreaterThan(100);

  await using back = await Hook.listen(port);
  await waitFor('the last event', () => back.got.some((one) => versionOf(one).v === 3000), LONG_MS);
  const status = await fetch(`${api}/v1/subscriptions/${ids[1]}/status`, { headers: AUTHORIZED });
  expect(await status.json()).toMatchObject({ state: 'active', gaps: [{ reason: 'retention' }] });
  // Without a hole from where it goes on.
  const versions = [...new Set(back.got.map((one) => versionOf(one).v))].toSorted((a, b) => a - b);
  const first = versions[0] ?? 0;
  expect(first).toBeGreaterThan(1);
  expect(versions).toEqual(Array.from({ length: 3001 - first }, (_, i) => first + i));
  expect((await running.stop()).code).toBe(0);
});
