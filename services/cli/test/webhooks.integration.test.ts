import { endpoints, waitFor } from '@pgstream/test-kit';
import { apiOf, Hook, post } from './hook.ts';
import { Lab, removeTopic } from './product.ts';

const TOKEN = 'a-token-of-this-test';

test('the article: rows, TRUNCATE and schema changes of a database reach those who subscribed', async () => {
  await using lab = await Lab.open();
  await using hook = await Hook.listen();
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const kafka = {
    PGSTREAM_KAFKA_SERVERS: endpoints().kafkaBrokers.join(','),
    PGSTREAM_KAFKA_TOPIC_NAME: lab.name,
    PGSTREAM_HEALTH_CHECK_ADDRESS: '127.0.0.1:0',
  };
  const producer = lab.start(
    [],
    {
      ...kafka,
      PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
      PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
      PGSTREAM_KAFKA_TOPIC_PARTITIONS: '2',
    },
    'wal-producer',
  );
  await producer.says('positions read from the topic');
  const notifying = {
    ...kafka,
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: lab.name,
    PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL: lab.url,
    PGSTREAM_WEBHOOK_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
    PGSTREAM_WEBHOOK_API_TOKEN: TOKEN,
    PGSTREAM_WEBHOOK_ALLOW: '127.0.0.1',
    PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: '127.0.0.1:0',
    PGSTREAM_LOG_FORMAT: 'json',
  };
  const notifier = lab.start([], notifying, 'webhook-notifier');
  const api = await apiOf(notifier);

  expect(await post(`${api}/webhooks/subscribe`, { url: hook.url('/all') })).toEqual({
    status: 201,
    text: 'null\n',
  });
  const v1 = { authorization: `Bearer ${TOKEN}` };
  const made = await post(
    `${api}/v1/subscriptions`,
    { url: hook.url('/v1'), filters: [{ table: 'employees', operations: ['insert', 'ddl'] }] },
    v1,
  );
  expect([made.status, JSON.parse(made.text)]).toMatchObject([
    201,
    { format: 'standard', signatures: 1, secret: expect.stringMatching(/^whsec_/) },
  ]);
  await lab.pool.query('CREATE TABLE employees (id serial PRIMARY KEY, name text, role text)');
  await lab.pool.query(
    "INSERT INTO employees (name, role) VALUES ('Dwight Schrute', 'Assistant Regional Manager')",
  );
  await lab.pool.query("UPDATE employees SET role = 'Manager' WHERE id = 1");
  await lab.pool.query('DELETE FROM employees WHERE id = 1');
  await lab.pool.query('ALTER TABLE employees ADD COLUMN salary int');
  await lab.pool.query('TRUNCATE employees');
  await lab.pool.query('DROP TABLE employees');
  const all = await waitFor('seven events', () => hook.at('/all').length >= 7 && hook.at('/all'));
  const data = all.map(({ body }): { action: string } => JSON.parse(body).Data);
  expect(data.map(({ action }) => action)).toEqual(['M', 'I', 'U', 'D', 'M', 'T', 'M']);
  expect(data[1]).toMatchObject({
    action: 'I',
    schema: 'public',
    table: 'employees',
    columns: [
      { name: 'id', type: 'integer', value: 1 },
      { name: 'name', type: 'text', value: 'Dwight Schrute' },
      { name: 'role', type: 'text', value: 'Assistant Regional Manager' },
    ],
    identity: null,
  });
  expect(new Set(all.map(({ headers }) => headers['idempotency-key'])).size).toBe(7);
  await waitFor('four events', () => hook.at('/v1').length >= 4);
  expect(hook.at('/v1').map(({ body }): string => JSON.parse(body).type)).toEqual([
    'public.ddl',
    'public.employees.insert',
    'public.ddl',
    'public.ddl',
  ]);

  // What came while it was away comes when it is back, and unsubscribe means it.
  expect((await notifier.stop()).code).toBe(0);
  await lab.pool.query('CREATE TABLE later (id int PRIMARY KEY)');
  const again = lab.start([], notifying, 'webhook-notifier');
  const api2 = await apiOf(again);
  await waitFor('the eighth', () => hook.at('/all').length === 8);
  expect(await post(`${api2}/webhooks/unsubscribe`, { url: hook.url('/all') })).toEqual({
    status: 200,
    text: 'null\n',
  });
  await lab.pool.query('INSERT INTO later VALUES (1)');
  await lab.pool.query('CREATE TABLE last (id int PRIMARY KEY)');
  await waitFor('the schema changes at /v1', () => hook.at('/v1').length === 6);
  expect(hook.at('/all')).toHaveLength(8);
  expect((await again.stop()).code).toBe(0);
  expect((await producer.stop()).code).toBe(0);
  expect(again.stdout + notifier.stdout).not.toContain('whsec_');
  await removeTopic(lab.name);
});
