import { createServer } from 'node:net';
import { endpoints, waitFor } from '@pgstream/test-kit';
import { Lab, removeTopic, type Result } from './product.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
  const { code, stderr } = await lab.command('init', '--postgres-url', lab.url);
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => lab[Symbol.asyncDispose]());

function changed(change: (url: URL) => void): string {
  const url = new URL(lab.url);
  change(url);
  return url.href;
}

/** What a refusal should have and has not: the exit code 78, these words, and no stack trace. */
function missing({ code, stderr }: Result, ...words: readonly string[]): readonly string[] {
  return [
    ...(code === 78 ? [] : [`exit code 78, not ${code}: ${stderr}`]),
    ...words.filter((word) => !stderr.includes(word)),
    ...(stderr.includes('    at ') ? [`a stack trace: ${stderr}`] : []),
  ];
}

test('a wrong password names the setting and what to correct', async () => {
  const url = changed((at) => (at.password = 'wr0ng-secret'));
  const result = await lab.command('run', '--postgres-url', url, '--target', 'stdout');
  expect(
    missing(result, 'PG_AUTH_FAILED', 'PGSTREAM_POSTGRES_LISTENER_URL', 'Correct user and password'),
  ).toEqual([]);
  expect(result.stderr).not.toContain('wr0ng-secret');
});

test('a database that does not exist', async () => {
  const url = changed((at) => (at.pathname = '/no_such_database'));
  expect(
    missing(await lab.command('init', '--postgres-url', url), 'PG_DATABASE_MISSING', 'no_such_database'),
  ).toEqual([]);
});

test('a database that was not prepared', async () => {
  const result = await lab.command(
    'run',
    '--pgurl',
    lab.url,
    '--replication-slot',
    'another_slot',
    '--target',
    'stdout',
  );
  expect(missing(result, 'PG_NOT_INITIALISED', 'pgstream init')).toEqual([]);
});

test('a missing topic, where none may be created', async () => {
  const servers = endpoints().kafkaBrokers.join(',');
  const result = await lab.command(
    'run',
    '--pgurl',
    lab.url,
    '--kafka-servers',
    servers,
    '--kafka-topic',
    lab.name,
  );
  expect(missing(result, 'KAFKA_TOPIC_MISSING', lab.name, 'PGSTREAM_KAFKA_TOPIC_NAME')).toEqual([]);
});

test('several malformed settings of a file, all at once, with their lines', async () => {
  const file = lab.file('bad.env', [
    `PGSTREAM_POSTGRES_LISTENER_URL=${lab.url}`,
    'PGSTREAM_STDOUT_WRITER_ENABLED=true',
    'PGSTREAM_POSTGRES_LISTENER_URI=x',
    'PGSTREAM_KAFKA_TOPIC_PARTITIONS=none',
    'PGSTREAM_TRANSFORMER_RULES_FILE=rules.yaml',
  ]);
  const result = await lab.command('run', '-c', file);
  expect(
    missing(result, 'bad.env:3', 'PGSTREAM_POSTGRES_LISTENER_URL?', 'bad.env:4', 'bad.env:5', 'mask'),
  ).toEqual([]);
});

test('a health address that is taken', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const address = taken.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const result = await lab.command(
    'run',
    '--pgurl',
    lab.url,
    '--target',
    'stdout',
    '--health-address',
    `127.0.0.1:${port}`,
  );
  taken.close();
  expect(missing(result, 'HEALTH_ADDRESS_UNAVAILABLE', String(port))).toEqual([]);
});

test('what time can heal is waited for, says what it waits for, and still stops at once', async () => {
  const running = lab.start([
    'run',
    '--pgurl',
    lab.url,
    '--opensearch-url',
    'http://127.0.0.1:1',
    '--log-format',
    'json',
  ]);
  await running.says('not reachable, trying again');
  expect(running.stderr).toContain('PGSTREAM_OPENSEARCH_STORE_URL');
  expect((await running.stop()).code).toBe(0);
});

test('retries that are switched off end the process with 1', async () => {
  const running = lab.start(['run', '--pgurl', lab.url, '--opensearch-url', 'http://127.0.0.1:1'], {
    PGSTREAM_SEARCH_STORE_DISABLE_RETRIES: 'true',
  });
  const { code, stderr } = await running.exited();
  expect([code, stderr]).toEqual([1, expect.stringContaining('RETRIES_EXHAUSTED')]);
});

test('a topic that was deleted and made again is refused, since what it held is gone', async () => {
  const flags = [
    'run',
    '--pgurl',
    lab.url,
    '--kafka-servers',
    endpoints().kafkaBrokers.join(','),
    '--kafka-topic',
    lab.name,
  ];
  const env = { PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true', PGSTREAM_KAFKA_TOPIC_PARTITIONS: '1' };
  const first = lab.start(flags, env);
  await first.says('positions read from the topic');
  await waitFor('the topic to be known', async () => {
    const { rows } = await lab.pool.query('SELECT routing_hash FROM pgstream.replication_state');
    return rows[0]?.['routing_hash'] !== null;
  });
  await first.stop();
  await removeTopic(lab.name);
  expect(missing(await lab.start(flags, env).exited(), 'KAFKA_TOPIC_REPLACED', lab.name)).toEqual([]);
  await removeTopic(lab.name);
});
