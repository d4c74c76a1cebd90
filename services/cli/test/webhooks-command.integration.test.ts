import { Buffer } from 'node:buffer';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endpoints, waitFor } from '@pgstream/test-kit';
import { Lab, removeTopic, type Result, type Running } from './product.ts';

const TOKEN = 'a-token-of-this-test';

/** A receiver that answers as it is told to, and notes the webhook-ids and bodies of what it took. */
class Hook {
  status = 200;
  readonly ids: string[] = [];
  readonly bodies: string[] = [];
  readonly #server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (this.status === 200 && !body.includes('pgstream.test')) {
        this.ids.push(String(request.headers['webhook-id']));
        this.bodies.push(body);
      }
      response.writeHead(this.status).end();
    });
  });

  static async listen(): Promise<Hook> {
    const hook = new Hook();
    await new Promise<void>((resolve) => hook.#server.listen(0, '127.0.0.1', resolve));
    return hook;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

async function apiOf(running: Running): Promise<string> {
  await running.says('webhook API listens');
  const lines = (running.stdout + running.stderr).split('\n');
  const line = lines.find((one) => one.includes('webhook API listens')) ?? '';
  return /"url":"([^"]+)"/.exec(line)?.[1] ?? '';
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what the command prints
function jsonOf<T>({ code, stdout, stderr }: Result): T {
  if (code !== 0) throw new Error(`exit code ${code}: ${stderr}${stdout}`);
  const value: T = JSON.parse(stdout);
  return value;
}

/** A producer and a notifier, and where their API is. */
async function started(lab: Lab): Promise<{ readonly api: string; readonly running: readonly Running[] }> {
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const kafka = {
    PGSTREAM_KAFKA_SERVERS: endpoints().kafkaBrokers.join(','),
    PGSTREAM_KAFKA_TOPIC_NAME: lab.name,
    PGSTREAM_HEALTH_CHECK_ADDRESS: '127.0.0.1:0',
  };
  const producing = {
    ...kafka,
    PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
    PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
    PGSTREAM_KAFKA_TOPIC_PARTITIONS: '2',
  };
  const producer = lab.start([], producing, 'wal-producer');
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
  return { api: await apiOf(notifier), running: [notifier, producer] };
}

interface Made {
  readonly id: string;
  readonly secret: string;
}

test('pgstream webhooks: subscriptions are made, looked at, replayed and removed through the API of a notifier', async () => {
  await using lab = await Lab.open();
  await using hook = await Hook.listen();
  const { api, running } = await started(lab);
  const env = lab.file('hooks.env', [
    `PGSTREAM_WEBHOOK_API_URL=${api}`,
    `PGSTREAM_WEBHOOK_API_TOKEN=${TOKEN}`,
  ]);
  const hooks = async (...argv: readonly string[]) => lab.command('webhooks', ...argv, '-c', env);

  expect(await hooks('ls')).toMatchObject({ code: 0, stdout: 'no subscriptions\n' });
  const wanted = ['--table', 'orders', '--operations', 'insert,update', '--format', 'pgstream'];
  const adding = [
    'add',
    hook.url,
    ...wanted,
    '--header',
    'X-Mine: yes',
    '--idempotency-key',
    'one',
    '--json',
  ];
  const made = jsonOf<Made>(await hooks(...adding));
  expect(jsonOf<Made>(await hooks(...adding))).toEqual(made);
  expect(made.secret).toMatch(/^whsec_/);
  const short = made.id.slice(0, 8);
  const listed = jsonOf<{ subscriptions: unknown[] }>(await hooks('ls', '--json'));
  expect(listed.subscriptions).toMatchObject([
    {
      id: made.id,
      headerNames: ['X-Mine'],
      filters: [{ table: 'orders', operations: ['insert', 'update'] }],
    },
  ]);
  expect((await hooks('ls')).stdout).toContain(`${made.id}  active  ${hook.url}`);

  await lab.pool.query('CREATE TABLE orders (id int PRIMARY KEY)');
  await lab.pool.query('INSERT INTO orders SELECT generate_series(1, 3)');
  await waitFor('three events', () => hook.ids.length === 3);
  const first = [...hook.ids];
  const statusOf = async () => hooks('status', short, '--json');
  await waitFor('the cursors', async () => jsonOf<{ lagRecords: number }>(await statusOf()).lagRecords === 0);
  expect((await hooks('status', short)).stdout).toMatch(/state +active\n/);
  const replayed = await hooks('replay', short, '--beginning');
  expect([replayed.code, replayed.stdout]).toEqual([0, expect.stringContaining('goes on at')]);
  await waitFor('three events again', () => hook.ids.length === 6);
  expect(hook.ids.slice(3).toSorted()).toEqual(first.toSorted());
  const ahead = await hooks('replay', short, '--offset', '0:99999');
  expect([ahead.code, ahead.stderr]).toEqual([
    78,
    expect.stringMatching(/WEBHOOK_API_REFUSED.*ends at offset/),
  ]);

  expect(await hooks('test', short)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('answered 200'),
  });
  hook.status = 500;
  expect(await hooks('test', short)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('answered 500'),
  });
  await lab.pool.query('INSERT INTO orders VALUES (4)');
  const failures = await waitFor('a failure in the log', async () => {
    const result = await hooks('attempts', short, '--failed');
    return result.stdout.includes('answered 500') && result;
  });
  expect(failures.stdout).not.toContain('"id"');
  hook.status = 200;
  await waitFor('the fourth', () => hook.ids.length === 7, 40_000);

  expect((await hooks('pause', short)).stdout).toBe(`${made.id} is paused\n`);
  expect(await hooks('status', short)).toMatchObject({ code: 1 });
  expect((await hooks('resume', short)).stdout).toBe(`${made.id} is active\n`);
  const rotated = await hooks('rotate-secret', short, '--overlap', '60');
  expect(rotated.stdout).toMatch(/^whsec_\S+\nthe old one signs until 20/);

  const keyed = await hooks('add', `${hook.url}/keyed`, '--scheme', 'v1a');
  expect(keyed.stdout).toMatch(/public key +whpk_[A-Za-z0-9+/]{43}=/);
  expect(keyed.stdout).not.toMatch(/whsk_|not shown again/);
  const [, keyedId = ''] = /^id +(\S+)/m.exec(keyed.stdout) ?? [];
  expect((await hooks('rotate-secret', keyedId)).stdout).toMatch(/^whpk_\S+\nthe old one signs until 20/);
  expect((await hooks('rm', keyedId, '--yes')).stdout).toBe('1 removed\n');

  // What is given up takes 75 hours: two events are put where they would be then.
  const record = Buffer.from(JSON.stringify(JSON.parse(hook.bodies[0] ?? '').Data));
  await lab.pool.query(
    `INSERT INTO pgstream.webhook_dead_letter
       (subscription_id, topic, partition, log_offset, event_id, attempts, reason, record)
     SELECT $1, $2, 0, n, 'msg_' || n, 12, 'answered 422', $3 FROM generate_series(1000001, 1000002) n`,
    [made.id, lab.name, record],
  );
  expect((await hooks('dead-letters')).stdout).toMatch(
    /msg_1000001 +12 +answered 422\n.*msg_1000002.*\n2 dead letters\n/,
  );
  const letters = jsonOf<{ letters: readonly { id: string }[] }>(
    await hooks('dead-letters', 'ls', '--subscription', short, '--json'),
  );
  expect(await hooks('dead-letters', 'retry', letters.letters[0]?.id ?? '')).toMatchObject({
    code: 0,
    stdout: '1 parked again\n',
  });
  await waitFor('the letter', () => hook.ids.length === 8);
  expect(await hooks('dead-letters', 'discard', '--all', '--yes')).toMatchObject({ stdout: '1 discarded\n' });
  expect(await hooks('dead-letters', 'retry', '77')).toMatchObject({
    code: 1,
    stdout: '0 parked again, 1 refused\n',
    stderr: expect.stringContaining('no dead letter 77'),
  });

  expect(await hooks('rm', short, '--yes')).toMatchObject({ code: 0, stdout: '1 removed\n' });
  expect(await hooks('status', short)).toMatchObject({
    code: 78,
    stderr: expect.stringContaining(`No subscription begins with ${short}`),
  });
  expect(await hooks('status', made.id)).toMatchObject({ code: 78 });
  const denied = await lab.command(
    'webhooks',
    'ls',
    '--webhook-api-url',
    api,
    '--webhook-api-token',
    `${TOKEN}-wrong`,
  );
  expect([denied.code, denied.stderr]).toEqual([78, expect.stringContaining('WEBHOOK_API_DENIED')]);
  expect(denied.stderr).not.toContain(TOKEN);
  const stranger = await lab.command(
    'webhooks',
    'ls',
    '--webhook-api-url',
    hook.url,
    '--webhook-api-token',
    TOKEN,
  );
  expect([stranger.code, stranger.stderr]).toEqual([78, expect.stringContaining('is no webhook API')]);
  for (const one of running) expect((await one.stop()).code).toBe(0);
  await removeTopic(lab.name);
}, 180_000);
