import { createServer } from 'node:net';
import { endpoints } from '@pgstream/test-kit';
import { Lab, type Result } from './product.ts';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.open();
  const { code, stderr } = await lab.command('init', '--postgres-url', lab.url);
  expect([code, stderr]).toEqual([0, '']);
});
afterAll(() => lab[Symbol.asyncDispose]());

function changed(change: (url: URL) => void): string {
  const url = new URL(lab.url);
  change(url);
  return url.href;
}

function expectRefusal({ code, stderr }: Result, ...words: readonly string[]): void {
  expect([code, stderr]).toEqual([78, expect.anything()]);
  for (const word of words) expect(stderr).toContain(word);
  expect(stderr).not.toContain('    at '); // no stack trace
}

test('a wrong password names the setting and what to correct', async () => {
  const url = changed((at) => (at.password = 'wr0ng-secret'));
  const result = await lab.command('run', '--postgres-url', url, '--target', 'stdout');
  expectRefusal(result, 'PG_AUTH_FAILED', 'PGSTREAM_POSTGRES_LISTENER_URL', 'Correct user and password');
  expect(result.stderr).not.toContain('wr0ng-secret');
});

test('a database that does not exist', async () => {
  const url = changed((at) => (at.pathname = '/no_such_database'));
  expectRefusal(await lab.command('init', '--postgres-url', url), 'PG_DATABASE_MISSING', 'no_such_database');
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
  expectRefusal(result, 'PG_NOT_INITIALISED', 'pgstream init');
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
  expectRefusal(result, 'KAFKA_TOPIC_MISSING', lab.name, 'PGSTREAM_KAFKA_TOPIC_NAME');
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
  expectRefusal(result, 'bad.env:3', 'PGSTREAM_POSTGRES_LISTENER_URL?', 'bad.env:4', 'bad.env:5', 'mask');
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
  expectRefusal(result, 'HEALTH_ADDRESS_UNAVAILABLE', String(port));
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
