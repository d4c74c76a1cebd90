import { createKafka } from '@pgstream/kafka-client';
import { endpoints, waitFor } from '@pgstream/test-kit';
import { Lab, removeIndices, removeTopic, searched, type Result, type Running } from './product.ts';

interface Letters {
  readonly total: number;
  readonly letters: ReadonlyArray<Readonly<Record<string, unknown>> & { readonly id: string }>;
}

function lettersIn({ stdout }: Result): Letters {
  const letters: Letters = JSON.parse(stdout);
  return letters;
}

async function metricsOf(health: string): Promise<string> {
  return await (await fetch(`${health}/metrics`)).text();
}

async function idsIn(alias: string): Promise<string[]> {
  await fetch(`${endpoints().searchUrl}/${alias}/_refresh`, { method: 'POST' });
  const { hits } = await searched(`/${alias}/_search?size=100`);
  return (hits?.hits ?? []).map(({ _source }) => String(_source['id'])).toSorted();
}

async function killed(running: Running): Promise<void> {
  expect(await running.exited()).toMatchObject({ code: null });
}

function directSettings(lab: Lab): string[] {
  return [
    `PGSTREAM_POSTGRES_LISTENER_URL=${lab.url}`,
    `PGSTREAM_OPENSEARCH_STORE_URL=${endpoints().searchUrl}`,
    `PGSTREAM_SEARCH_INDEX_TEMPLATE=${lab.name}-{schema}.{table}`,
    'PGSTREAM_SEARCH_INDEX_REPLICAS=0',
    `PGSTREAM_SEARCH_SYSTEM_INDEX=${lab.name}`,
    'PGSTREAM_HEALTH_CHECK_ADDRESS=127.0.0.1:0',
    'PGSTREAM_HANDLE_DDL=false',
  ];
}

/** A mapping of the user's own: a text column whose field takes only dates, or anything. */
async function mapDates(alias: string, isStrict: boolean): Promise<void> {
  const d = { type: 'date', format: 'strict_date', ignore_malformed: !isStrict };
  const answer = await fetch(`${endpoints().searchUrl}/${alias}/_mapping`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ properties: { d } }),
  });
  expect([answer.status, await answer.text()]).toEqual([200, expect.anything()]);
}

test('direct mode: a document that the store refuses waits, survives kill -9, and goes in after a fix', async () => {
  await using lab = await Lab.open();
  await lab.pool.query('CREATE TABLE docs (id int PRIMARY KEY)');
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const env = lab.file('direct.env', directSettings(lab));
  const alias = `${lab.name}-public.docs`;
  const first = lab.start(['run', '-c', env]);
  const health = await first.healthUrl();
  await lab.pool.query('INSERT INTO docs VALUES (0)');
  await waitFor('the index', async () => (await idsIn(alias)).join() === '0');
  await mapDates(alias, true);
  await lab.pool.query('ALTER TABLE docs ADD COLUMN d text');
  await lab.pool.query("INSERT INTO docs VALUES (1, '2026-11-21'), (2, 'soon')");
  await first.says('a record was parked as a dead letter');
  await waitFor('the parked key to be counted', async () => {
    const text = await metricsOf(health);
    return (
      text.includes('pgstream_search_parked_keys 1') &&
      text.includes('pgstream_dlq_records_total{sink="search",code="SEARCH_DOCUMENT_REFUSED"} 1')
    );
  });
  first.child.kill('SIGKILL');
  await first.exited();

  const second = lab.start(['run', '-c', env]);
  const again = await second.healthUrl();
  await lab.pool.query("UPDATE docs SET d = 'later' WHERE id = 2");
  await lab.pool.query('INSERT INTO docs VALUES (3)');
  await waitFor('the others', async () => (await idsIn(alias)).join() === '0,1,3');
  const listed = lettersIn(await lab.command('dead-letters', 'ls', '-c', env, '--json'));
  expect(listed).toMatchObject({
    total: 1,
    letters: [{ store: 'index', sink: 'search', table: 'docs', identity: '2', coalesced: 1 }],
  });
  const shown = await lab.command('dead-letters', 'show', listed.letters[0]!.id.slice(0, 6), '-c', env);
  expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('"d":"later"')]);
  const status = await lab.command('status', '-c', env);
  expect([status.code, status.stdout]).toEqual([1, expect.stringMatching(/dead letters +1/)]);

  const which = await lab.command('dead-letters', 'retry', '-c', env);
  expect([which.code, which.stderr]).toEqual([78, expect.stringContaining('--all')]);
  const vain = await lab.command('dead-letters', 'retry', '--all', '-c', env);
  expect([vain.code, vain.stdout, vain.stderr]).toEqual([
    1,
    '1 refused\n',
    expect.stringContaining('docs 2'),
  ]);
  await mapDates(alias, false);
  const retried = await lab.command('dead-letters', 'retry', '--table', 'docs', '--key', '2', '-c', env);
  expect([retried.code, retried.stdout]).toEqual([0, '1 released\n']);
  expect(await idsIn(alias)).toEqual(['0', '1', '2', '3']);
  expect((await lab.command('dead-letters', 'ls', '-c', env)).stdout).toBe('no dead letters\n');
  await lab.pool.query("UPDATE docs SET d = '2026-11-22' WHERE id = 2");
  await waitFor('the key to flow', async () => {
    const { hits } = await searched(`/${alias}/_search?q=d:2026-11-22`);
    return hits?.hits.length === 1;
  });

  await mapDates(alias, true);
  await lab.pool.query("INSERT INTO docs VALUES (4, 'never')");
  await second.says('a record was parked as a dead letter');
  const unsure = await lab.command('dead-letters', 'discard', '--all', '-c', env);
  expect([unsure.code, unsure.stderr]).toEqual([78, expect.stringContaining('--yes')]);
  const gone = await lab.command('dead-letters', 'discard', '--all', '--yes', '-c', env);
  expect([gone.code, gone.stdout]).toEqual([0, '1 discarded\n']);
  expect((await lab.command('dead-letters', 'show', 'abc', '-c', env)).code).toBe(78);
  expect((await lab.command('status', '-c', env)).code).toBe(0);
  expect(await metricsOf(again)).toMatch(/pgstream_search_coalesced_total 1\n/);
  expect((await second.stop()).code).toBe(0);
  await removeIndices(`${lab.name}*`);
}, 120_000);

test('killed at every point around a parked key, nothing is lost and nothing comes back', async () => {
  await using lab = await Lab.open();
  await lab.pool.query('CREATE TABLE docs (id int PRIMARY KEY)');
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const env = lab.file('direct.env', directSettings(lab));
  const alias = `${lab.name}-public.docs`;
  const run = (point: string) => lab.start(['run', '-c', env], { PGSTREAM_FAILPOINTS: `${point}:kill` });
  const first = lab.start(['run', '-c', env]);
  await lab.pool.query('INSERT INTO docs VALUES (0)');
  await waitFor('the index', async () => (await idsIn(alias)).join() === '0');
  await first.stop();
  await mapDates(alias, true);
  await lab.pool.query('ALTER TABLE docs ADD COLUMN d text');
  await lab.pool.query("INSERT INTO docs VALUES (1, 'soon'), (2, 'soon')");
  await killed(run('parked.creating'));
  await killed(run('parked.created'));
  await lab.pool.query("UPDATE docs SET d = 'later' WHERE id = 1");
  await killed(run('parked.held'));
  await lab.pool.query('DELETE FROM docs WHERE id = 2');
  await killed(run('parked.resolved'));
  await mapDates(alias, false);
  await killed(
    lab.start(['dead-letters', 'retry', '--all', '-c', env], { PGSTREAM_FAILPOINTS: 'parked.released:kill' }),
  );
  const listed = lettersIn(await lab.command('dead-letters', 'ls', '-c', env, '--json'));
  expect(listed.letters).toMatchObject([{ identity: '1', coalesced: 1 }]);
  const last = lab.start(['run', '-c', env]);
  await last.says('keys are parked');
  await lab.pool.query("UPDATE docs SET d = '2026-11-21' WHERE id = 1; INSERT INTO docs VALUES (3)");
  await waitFor('the last row', async () => (await idsIn(alias)).includes('3'));
  // Read again from before the schema change, which may have released the key by now.
  expect((await lab.command('dead-letters', 'retry', '--all', '-c', env)).code).toBe(0);
  expect((await lab.command('dead-letters', 'ls', '-c', env)).stdout).toBe('no dead letters\n');
  expect(await idsIn(alias)).toEqual(['0', '1', '3']);
  const { hits } = await searched(`/${alias}/_search?q=d:2026-11-21`);
  expect(hits?.hits).toMatchObject([{ _source: { id: 1 } }]);
  expect((await last.stop()).code).toBe(0);
  await removeIndices(`${lab.name}*`);
}, 120_000);

test('Kafka mode: a successor keeps a key parked, a schema change releases it; letters of records', async () => {
  await using lab = await Lab.open();
  await lab.pool.query('CREATE TABLE docs (id int PRIMARY KEY)');
  expect((await lab.command('init', '--pgurl', lab.url)).code).toBe(0);
  const { kafkaBrokers, searchUrl } = endpoints();
  const settings = {
    PGSTREAM_POSTGRES_LISTENER_URL: lab.url,
    PGSTREAM_KAFKA_SERVERS: kafkaBrokers.join(','),
    PGSTREAM_KAFKA_TOPIC_NAME: lab.name,
    PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
    PGSTREAM_KAFKA_TOPIC_PARTITIONS: '2',
    PGSTREAM_KAFKA_TOPIC_MAX_MESSAGE_BYTES: '1MiB',
    PGSTREAM_HEALTH_CHECK_ADDRESS: '127.0.0.1:0',
  };
  const indexing = {
    PGSTREAM_KAFKA_SERVERS: kafkaBrokers.join(','),
    PGSTREAM_KAFKA_TOPIC_NAME: lab.name,
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: lab.name,
    PGSTREAM_OPENSEARCH_STORE_URL: searchUrl,
    PGSTREAM_SEARCH_INDEX_TEMPLATE: `${lab.name}-{schema}.{table}`,
    PGSTREAM_SEARCH_INDEX_REPLICAS: '0',
    PGSTREAM_SEARCH_SYSTEM_INDEX: lab.name,
    PGSTREAM_HEALTH_CHECK_ADDRESS: '127.0.0.1:0',
    PGSTREAM_HANDLE_DDL: 'false',
    PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: '6s',
  };
  const env = lab.file(
    'kafka.env',
    Object.entries(indexing).map(([name, value]) => `${name}=${value}`),
  );
  const alias = `${lab.name}-public.docs`;
  const producer = lab.start([], settings, 'wal-producer');
  await producer.says('positions read from the topic');
  const owner = lab.start([], indexing, 'search-indexer');
  await lab.pool.query('INSERT INTO docs VALUES (0)');
  await waitFor('the index', async () => (await idsIn(alias)).join() === '0');
  await mapDates(alias, true);
  await lab.pool.query('ALTER TABLE docs ADD COLUMN d text');
  await lab.pool.query("INSERT INTO docs VALUES (1, '2026-11-21'), (2, 'soon')");
  await owner.says('a record was parked as a dead letter');
  owner.child.kill('SIGKILL');
  await owner.exited();
  const successor = lab.start([], indexing, 'search-indexer');
  await lab.pool.query("UPDATE docs SET d = 'later' WHERE id = 2");
  await lab.pool.query('INSERT INTO docs VALUES (3)');
  await waitFor('the others', async () => (await idsIn(alias)).join() === '0,1,3', 60_000);
  const listed = lettersIn(await lab.command('dead-letters', 'ls', '-c', env, '--json'));
  expect(listed.letters).toMatchObject([{ identity: '2', coalesced: 1 }]);
  await mapDates(alias, false);
  await lab.pool.query('ALTER TABLE docs ADD COLUMN more text');
  await waitFor('the release', async () => (await idsIn(alias)).join() === '0,1,2,3');
  await successor.says('parked keys were tried again');
  expect((await lab.command('dead-letters', 'ls', '-c', env)).stdout).toBe('no dead letters\n');

  const kafka = createKafka(
    { brokers: kafkaBrokers, clientId: 'cli-test', connectionTimeoutMs: 10_000, requestTimeoutMs: 30_000 },
    () => {},
  );
  const writer = kafka.producer();
  await writer.connect();
  await writer.send({ topic: lab.name, messages: [{ partition: 0, value: 'no record' }] });
  await writer.disconnect();
  const random = "SELECT string_agg(md5(i::text), '') FROM generate_series(1, 80000) i";
  await lab.pool.query(`INSERT INTO docs VALUES (5, null, (${random}))`);
  const both = await waitFor('two letters', async () => {
    const found = lettersIn(await lab.command('dead-letters', 'ls', '-c', env, '--json'));
    return found.total === 2 && found;
  });
  expect(new Set(both.letters.map(({ code }) => code))).toEqual(
    new Set(['KAFKA_RECORD_TOO_LARGE', 'RECORD_UNDECODABLE']),
  );
  const refused = await lab.command('dead-letters', 'retry', '--all', '-c', env);
  expect([refused.code, refused.stdout]).toEqual([1, '2 refused\n']);
  expect(refused.stderr).toContain(`run UPDATE "public"."docs" SET "id" = "id" WHERE "id" = '5'`);
  expect(refused.stderr).toContain('cannot be read');
  const { id } = both.letters.find(({ code }) => code === 'RECORD_UNDECODABLE')!;
  const one = await lab.command('dead-letters', 'discard', id, '--yes', '-c', env);
  expect([one.code, one.stdout]).toEqual([0, '1 discarded\n']);
  const rest = await lab.command('dead-letters', 'discard', '--sink', 'kafka', '--yes', '-c', env);
  expect([rest.code, rest.stdout]).toEqual([0, '1 discarded\n']);
  expect((await lab.command('dead-letters', 'ls', '-c', env)).stdout).toBe('no dead letters\n');
  expect((await successor.stop()).code).toBe(0);
  expect((await producer.stop()).code).toBe(0);
  await removeTopic(lab.name);
  await removeTopic(`${lab.name}.dead-letters`);
  await removeIndices(`${lab.name}*`);
}, 180_000);
