import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { endpoints, waitFor } from '@pgstream/test-kit';
import { Lab, removeIndices, removeTopic, searched } from './product.ts';

interface Line {
  readonly action: string;
  readonly seq: number;
  readonly columns: readonly { readonly name: string; readonly value: unknown }[] | null;
}

function linesOf(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

test('PostgreSQL to NDJSON: init, run, health, stop, run again, tear down', async () => {
  await using lab = await Lab.open();
  await lab.pool.query('CREATE TABLE nokey (a int)');
  const refused = await lab.command('init', '--pgurl', lab.url);
  expect([refused.code, refused.stderr]).toEqual([78, expect.stringContaining('--keyless=full')]);
  expect((await lab.command('init', '--pgurl', lab.url, '--keyless=full')).code).toBe(0);

  const path = join(lab.dir, 'out.ndjson');
  const flags = ['run', '--pgurl', lab.url, '--file', path, '--log-level', 'trace'];
  const first = lab.start([...flags, '--health-address', '127.0.0.1:0']);
  const health = await first.healthUrl();
  await waitFor('readiness', async () => (await fetch(`${health}/readyz`)).status === 200);
  await lab.pool.query(
    "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'secret-value')",
  );
  await waitFor('two records', () => linesOf(path).length === 2);
  expect((await fetch(`${health}/livez`)).status).toBe(200);
  const metrics = await waitFor('two settled records', async () => {
    const text = await (await fetch(`${health}/metrics`)).text();
    return text.includes('pgstream_pipeline_records_total{target="ndjson"} 2') && text;
  });
  expect(metrics).toContain('pgstream_producer_leader 1');
  const stopped = await first.stop();
  expect([stopped.code, stopped.stderr]).toEqual([0, expect.not.stringContaining('secret-value')]);

  const second = lab.start(flags);
  await lab.pool.query("UPDATE t SET a = 'b'");
  await waitFor('three records', () => linesOf(path).length === 3);
  expect((await second.stop()).code).toBe(0);
  expect(linesOf(path).map(({ action }) => action)).toEqual(['M', 'I', 'U']);

  const status = await lab.command('status', '--pgurl', lab.url, '--json');
  expect([status.code, JSON.parse(status.stdout)]).toMatchObject([0, { ready: true, schemaExists: true }]);
  expect((await lab.command('tear-down', '--pgurl', lab.url)).code).toBe(0);
  expect((await lab.command('status', '--pgurl', lab.url)).code).toBe(1);
});

test('the lab: PostgreSQL straight to one index, with a schema change', async () => {
  await using lab = await Lab.open();
  const index = `${lab.name}_productos`;
  expect((await lab.command('init', '--postgres-url', lab.url)).code).toBe(0);
  const searchUrl = endpoints().searchUrl;
  const target = ['--sink-type', 'opensearch', '--opensearch-url', searchUrl, '--opensearch-index', index];
  const running = lab.start(['run', '--postgres-url', lab.url, ...target, '--handle-ddl=true'], {
    PGSTREAM_SEARCH_SYSTEM_INDEX: lab.name,
    PGSTREAM_SEARCH_INDEX_REPLICAS: '0',
  });
  await lab.pool.query('CREATE TABLE productos (id SERIAL PRIMARY KEY, nombre TEXT, precio NUMERIC)');
  await lab.pool.query("INSERT INTO productos (nombre, precio) VALUES ('Laptop Pro 2026', 2500.00)");
  await lab.pool.query('ALTER TABLE productos ADD COLUMN stock INTEGER DEFAULT 0');
  await lab.pool.query('UPDATE productos SET stock = 50 WHERE id = 1');
  const hit = await waitFor('the document', async () => {
    const { hits } = await searched(`/${index}/_search?q=stock:50`);
    return hits?.hits[0]?._source;
  });
  expect(hit).toMatchObject({ id: 1, nombre: 'Laptop Pro 2026', stock: 50 });
  expect((await running.stop()).code).toBe(0);
  await removeIndices(`${index}*`, `${lab.name}*`);
});

test('both services: a standby takes over, lag and dead letters can be asked for', async () => {
  await using lab = await Lab.open();
  await lab.pool.query('CREATE TABLE t (id int PRIMARY KEY, a text)');
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const { kafkaBrokers, searchUrl } = endpoints();
  const kafka = {
    PGSTREAM_KAFKA_SERVERS: kafkaBrokers.join(','),
    PGSTREAM_KAFKA_TOPIC_NAME: lab.name,
    PGSTREAM_HEALTH_CHECK_ADDRESS: '127.0.0.1:0',
  };
  const producing = {
    ...kafka,
    PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
    PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
    PGSTREAM_KAFKA_TOPIC_PARTITIONS: '2',
  };
  const indexing = {
    ...kafka,
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: lab.name,
    PGSTREAM_OPENSEARCH_STORE_URL: searchUrl,
    PGSTREAM_SEARCH_INDEX_TEMPLATE: `${lab.name}-{schema}.{table}`,
    PGSTREAM_SEARCH_INDEX_REPLICAS: '0',
    PGSTREAM_SEARCH_SYSTEM_INDEX: lab.name,
  };
  const leader = lab.start([], producing, 'wal-producer');
  await leader.says('positions read from the topic');
  const standby = lab.start([], producing, 'wal-producer');
  await standby.says('standby');
  const indexer = lab.start([], indexing, 'search-indexer');
  await lab.pool.query("INSERT INTO t SELECT i, 'before' FROM generate_series(1, 100) i");
  const count = async () => {
    const answer = await searched(`/${lab.name}-public.t/_count`);
    return answer.count;
  };
  await waitFor('100 documents', async () => (await count()) === 100);
  leader.child.kill('SIGKILL');
  await lab.pool.query("INSERT INTO t SELECT i, 'after' FROM generate_series(101, 200) i");
  await standby.says('positions read from the topic');
  await waitFor('200 documents', async () => (await count()) === 200);

  const env = lab.file(
    'lag.env',
    Object.entries(indexing).map(([name, value]) => `${name}=${value}`),
  );
  await waitFor('no lag', async () => {
    const { code, stdout } = await lab.command('lag', '-c', env, '--json');
    const { partitions }: { partitions: readonly { lagRecords: number }[] } = JSON.parse(stdout);
    return code === 0 && partitions.length === 2 && partitions.every(({ lagRecords }) => lagRecords === 0);
  });
  const letters = await lab.command('dead-letters', 'ls', '-c', env);
  expect([letters.code, letters.stdout]).toEqual([0, 'no dead letters\n']);
  const checked = await lab.command('check', '-c', env);
  expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining('Topic')]);
  expect((await indexer.stop()).code).toBe(0);
  expect((await standby.stop()).code).toBe(0);
  await removeTopic(lab.name);
  await removeIndices(`${lab.name}*`);
}, 120_000);
