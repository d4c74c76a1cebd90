import { waitFor } from '@pgstream/test-kit';
import {
  arrived,
  confirmedPasses,
  expectEverything,
  initialised,
  killed,
  LONG_MS,
  settingsOf,
  started,
  streamed,
  versionOf,
  write,
} from './direct-lab.ts';
import { apiOf, Hook, post } from './hook.ts';

jest.setTimeout(3 * LONG_MS);

test('201 means that no later event is missed, whoever leads: a standby makes subscriptions too', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  // Looked for by none of them: it is the stream that must not go on without a new subscription.
  const never = { PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_CACHE_REFRESH_INTERVAL: '1h' };
  const { running } = await started(lab, never);
  const standby = lab.start(['run'], { ...settingsOf(lab), ...never });
  const api = await apiOf(standby);
  await standby.says('"role":"standby"');
  let written = 0;
  for (let n = 0; n < 10; n++) {
    await write(lab, written + 1, (written += 20));
    const path = `/${written}`;
    const subscribed = { url: hook.url(path), event_types: ['U'] };
    expect((await post(`${api}/webhooks/subscribe`, subscribed)).status).toBe(201);
  }
  await write(lab, written + 1, (written += 20));
  for (let owed = 20; owed < written; owed += 20) {
    const later = () => hook.at(`/${owed}`).filter((one) => versionOf(one).v > owed);
    await waitFor(`everything after ${owed}`, () => later().length === written - owed);
  }
  // The standby goes on where the leader was killed.
  await killed(running);
  await standby.says('"role":"leader"');
  await write(lab, written + 1, written + 20);
  await waitFor('what came later, at all of them', () =>
    [...Array(10).keys()].every((n) =>
      hook.at(`/${(n + 1) * 20}`).some((one) => versionOf(one).v === written + 20),
    ),
  );
  expect((await standby.stop()).code).toBe(0);
});

test('a replication connection that is lost repeats nothing to anybody', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  const { running, api } = await started(lab);
  const subscribed = { url: hook.url('/jobs'), event_types: ['U'] };
  expect((await post(`${api}/webhooks/subscribe`, subscribed)).status).toBe(201);
  let asked = 0;
  let release: ((status: number) => void) | undefined;
  const again = new Promise<number>((resolve) => (release = resolve));
  hook.answers(() => {
    asked++;
    return again;
  });
  await write(lab, 1, 300);
  await waitFor('a request under way', () => asked > 0);
  await lab.pool.query(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
     WHERE active_pid IS NOT NULL AND database = current_database()`,
  );
  await running.says('the replication connection was lost');
  await streamed(lab);
  release?.(200);
  await write(lab, 301, 310);
  // The rows change again and again, so whatever is repeated comes before the last of them.
  await arrived(hook, 310);
  expectEverything(hook.got, 310);
  expect(hook.got).toHaveLength(310);
  await confirmedPasses(lab, 'the slot to go on');
  expect((await running.stop()).code).toBe(0);
});

test('subscriptions in the table of the original are taken over, once', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  await lab.pool.query(
    `CREATE TABLE pgstream.webhook_subscriptions (url text, schema_name text, table_name text, event_types text[],
       PRIMARY KEY (url, schema_name, table_name))`,
  );
  const insert = 'INSERT INTO pgstream.webhook_subscriptions VALUES ($1, $2, $3, $4)';
  await lab.pool.query(insert, [hook.url('/all'), '', '', null]);
  await lab.pool.query(insert, [hook.url('/updates'), 'public', 'jobs', ['U']]);
  await lab.pool.query(insert, ['not a url', 'never', '', null]);
  const first = await started(lab);
  await first.running.says('subscriptions of pgstream.webhook_subscriptions taken over');
  await lab.pool.query('INSERT INTO jobs VALUES (7, 0)');
  await write(lab, 1, 3);
  await waitFor('four events', () => hook.at('/all').length === 4);
  await waitFor('three updates', () => hook.at('/updates').length === 3);
  const gone = { url: hook.url('/updates'), schema: 'public', table: 'jobs' };
  expect((await post(`${first.api}/webhooks/unsubscribe`, gone)).status).toBe(200);
  expect((await first.running.stop()).code).toBe(0);

  // What was unsubscribed here stays so, although its row is still there.
  const second = await started(lab);
  await write(lab, 4, 5);
  await waitFor('six events', () => hook.at('/all').length === 6);
  expect(hook.at('/updates')).toHaveLength(3);
  expect(second.running.stderr).not.toContain('taken over');
  const { rows } = await lab.pool.query(
    "SELECT url, state FROM pgstream.webhook_subscription WHERE origin = 'legacy' ORDER BY state",
  );
  expect(rows).toEqual([
    { url: hook.url('/all'), state: 'active' },
    { url: 'not a url', state: 'disabled' },
  ]);
  expect((await second.running.stop()).code).toBe(0);
});

test('a kill within a transaction that is larger than the window brings back no more of it than the window', async () => {
  await using lab = await initialised();
  await using hook = await Hook.listen();
  const first = await started(lab);
  const subscribed = { url: hook.url('/jobs'), event_types: ['U'] };
  expect((await post(`${first.api}/webhooks/subscribe`, subscribed)).status).toBe(201);
  await write(lab, 1, 5000);
  await waitFor('half of it', () => hook.got.length > 2500, LONG_MS);
  await killed(first.running);
  const second = await started(lab);
  await arrived(hook, 5000);
  expectEverything(hook.got, 5000);
  expect(hook.got.length).toBeLessThanOrEqual(6000);
  await confirmedPasses(lab, 'the slot to pass it');
  expect((await second.running.stop()).code).toBe(0);
});
