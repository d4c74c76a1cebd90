import { comparePositions, parseLsn } from '@pgstream/wal-event';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import { brief } from './brief.ts';
import { Reader } from './reader.ts';
import { SlotDatabase } from './slot-database.ts';

const { postgresUrl } = endpoints();
const nothing = () => {};
const readers: Reader[] = [];
let database: SlotDatabase;

beforeEach(async () => {
  database = await SlotDatabase.create(postgresUrl, `CREATE TABLE t(id bigint PRIMARY KEY, v text)`);
});

afterEach(async () => {
  await Promise.all(readers.splice(0).map((reader) => reader.stop()));
  await database.drop();
});

function read(options: ConstructorParameters<typeof Reader>[1] = {}): Reader {
  const reader = new Reader(database, options);
  readers.push(reader);
  return reader;
}

const insert = (id: number) => database.sql(`INSERT INTO t VALUES (${id}, 'v')`);

test('the slot does not move past what is confirmed, and then exactly to the end of that commit', async () => {
  const before = await database.confirmedFlush();
  const reader = read();
  reader.confirming = false;
  for (const id of [1, 2, 3]) await insert(id);
  await reader.records(3);
  await waitFor('three commits', () => reader.checkpoints.length > 0 && reader.seen.length === 3);
  // Several status messages and keepalives later
  await database.sql(`SELECT pg_switch_wal()`);
  const end = parseLsn(await database.walEnd());
  await waitFor('a keepalive past everything', () => reader.source.facts.serverLsn >= end);
  expect(await database.confirmedFlush()).toBe(before);

  const last = reader.checkpoints.at(-1)!;
  await reader.source.confirm(0, last);
  await waitFor('the confirmation', async () => parseLsn(await database.confirmedFlush()) >= last.endLsn);
});

test('a confirmation of the middle confirms the middle: the rest comes again after a restart', async () => {
  const first = read();
  first.confirming = false;
  const positions: string[] = [];
  for (const id of [1, 2, 3]) {
    await insert(id);
    const seen = await first.records(id);
    await waitFor('its checkpoint', () => first.checkpoints.length === id);
    positions.push(seen[id - 1]!.position);
  }
  await first.source.confirm(0, first.checkpoints[0]!);
  await first.stop();
  expect(parseLsn(await database.confirmedFlush())).toBe(first.checkpoints[0]!.endLsn);

  const second = read();
  const again = await second.records(2);
  expect(brief(again)).toEqual(['I t id=2,v=v', 'I t id=3,v=v']);
  expect(again.map(({ position }) => position)).toEqual(positions.slice(1));
});

test('idle: WAL of filtered tables and of other databases is let go', async () => {
  const filter = { includes: (_schema: string, table: string) => table === 't' };
  const reader = read({ filter });
  await database.sql(`CREATE TABLE other(id int PRIMARY KEY)`);
  await database.sql(`INSERT INTO other SELECT generate_series(1, 100)`);
  await database.confirmed(await database.walEnd());
  expect(reader.source.facts).toMatchObject({ records: 0, filtered: 100 });

  const elsewhere = await SlotDatabase.create(postgresUrl, `CREATE TABLE busy(id int)`);
  try {
    await elsewhere.sql(`INSERT INTO busy SELECT generate_series(1, 1000)`);
    await database.confirmed(await database.walEnd());
  } finally {
    await elsewhere.drop();
  }
});

test('seq counts what the filter drops: positions do not depend on the filter', async () => {
  await database.sql(`CREATE TABLE other(id int PRIMARY KEY)`);
  await database.sql(`BEGIN; INSERT INTO other VALUES (1); INSERT INTO t VALUES (1); INSERT INTO other VALUES (2);
                      INSERT INTO t VALUES (2); COMMIT`);
  const reader = read({ filter: { includes: (_schema, table) => table === 't' } });
  const seen = await reader.records(2);
  expect(seen.map(({ record }) => record.position.seq)).toEqual([1, 3]);
});

test('a connection that is cut: everything unconfirmed comes again in order, nothing else', async () => {
  const reader = read();
  await insert(1);
  await reader.records(1);
  await waitFor('the confirmation', () => reader.source.facts.confirmedLsn >= reader.checkpoints[0]!.endLsn);
  reader.confirming = false;
  await insert(2);
  await insert(3);
  await reader.records(3);
  await database.terminateWalsender();
  await insert(4);
  const seen = await reader.records(6);
  expect(brief(seen).map((one) => one.slice(7, 8))).toEqual(['1', '2', '3', '2', '3', '4']);
  expect(seen[3]!.position).toBe(seen[1]!.position);
  expect(reader.source.facts.reconnects).toBeGreaterThan(0);
});

test('what was read and not yet taken when the connection is cut is not yielded twice', async () => {
  const reader = read();
  let open = nothing;
  reader.gate = new Promise((resolve) => {
    open = resolve;
  });
  const received = (transactions: number) => () => reader.source.facts.transactions >= transactions;
  for (const id of [1, 2, 3]) {
    await insert(id);
    await waitFor('the row to be received', received(id));
  }
  await database.terminateWalsender();
  await waitFor('all of it again', received(6));
  open();
  expect(brief(await reader.records(4)).map((one) => one.slice(7, 8))).toEqual(['1', '1', '2', '3']);
});

test('cut again and again under load, with confirmations on the way: every row once its duplicates are dropped, in order', async () => {
  const reader = read({ random: () => 0 });
  const writer = (async () => {
    for (let i = 0; i < 200; i++) {
      await database.sql(
        `INSERT INTO t SELECT g, repeat('x', 50) FROM generate_series(${i * 100}, ${i * 100 + 99}) g`,
      );
    }
  })();
  for (const rows of [1, 5000, 10_000]) {
    await reader.records(rows);
    await database.terminateWalsender();
  }
  await writer;
  const last = () => reader.seen.at(-1)?.record.columns?.[0]?.value;
  await waitFor('the last row', () => JSON.stringify(last()) === '{"raw":"19999"}');
  const ids: number[] = [];
  let before = { commitLsn: parseLsn('0/0'), seq: 0, sub: 0 as 0 | 1 };
  for (const { record } of reader.seen) {
    if (comparePositions(record.position, before) <= 0) continue;
    before = record.position;
    ids.push(
      Number(
        brief([{ position: '', record }])[0]!
          .slice(7)
          .split(',')[0],
      ),
    );
  }
  expect(ids).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  expect(reader.source.facts.reconnects).toBeGreaterThan(0);
});

test('an outcome that arrives after its connection was cut still counts, and only for what it covers', async () => {
  const reader = read();
  reader.confirming = false;
  await insert(1);
  await reader.records(1);
  await insert(2);
  await reader.records(2);
  await waitFor('two checkpoints', () => reader.checkpoints.length === 2);
  const [first] = reader.checkpoints;
  await database.terminateWalsender();
  await reader.source.confirm(0, first!);
  await insert(3);
  await waitFor('the third row', () => brief(reader.seen).includes('I t id=3,v=v'));
  await waitFor(
    'the late confirmation',
    async () => parseLsn(await database.confirmedFlush()) >= first!.endLsn,
  );
  expect(parseLsn(await database.confirmedFlush())).toBe(first!.endLsn);
});

test('a transaction of 100,000 rows streams in bounded memory and confirms only at its end', async () => {
  await database.sql(`INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 100000) g`);
  const before = await database.confirmedFlush();
  let most = 0;
  const reader = read({ bufferBytes: 4 * 1024 * 1024 });
  const lent = setInterval(() => (most = Math.max(most, reader.source.facts.lentBytes)), 5);
  await reader.records(1);
  expect(await database.confirmedFlush()).toBe(before);
  await reader.records(100_000);
  clearInterval(lent);
  expect(most).toBeLessThanOrEqual(4 * 1024 * 1024);
  expect(reader.seen.map(({ record }) => record.position.seq)).toEqual(
    Array.from({ length: 100_000 }, (_, i) => i),
  );
  await waitFor('its only checkpoint', () => reader.checkpoints.length === 1);
  await waitFor(
    'its confirmation',
    async () => parseLsn(await database.confirmedFlush()) >= reader.checkpoints[0]!.endLsn,
  );
});

test('batches that are not given back stop the reading, not the connection', async () => {
  await database.onServer(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '1s'`);
  await database.sql(`INSERT INTO t SELECT g, repeat('x', 100) FROM generate_series(1, 30000) g`);
  const { PostgresSource } = await import('../src/index.ts');
  const { RelationHistory } = await import('./relation-history.ts');
  const source = new PostgresSource({
    connection: { connectionString: database.url },
    slot: database.slot,
    publications: database.publications,
    epoch: 1,
    history: new RelationHistory(),
    instance: 'hoarder',
    bufferBytes: 0,
  });
  const stop = new AbortController();
  const hoard: { release?(): void; count: number }[] = [];
  let count = 0;
  const reading = (async () => {
    for await (const batch of source.batches(stop.signal)) {
      hoard.push(batch);
      count += batch.count;
    }
  })();
  await waitFor('the memory to be used up', () => hoard.length >= 2);
  const [{ n } = { n: '' }] = await database.sql(
    `SELECT pg_sleep(2.5), active_pid::text AS n FROM pg_replication_slots WHERE slot_name = '${database.slot}'`,
  );
  expect(count).toBeLessThan(30_000);
  expect([source.facts.role, source.facts.reconnects, n === '']).toEqual(['leader', 0, false]);
  await waitFor('the rest', () => {
    for (const batch of hoard.splice(0)) batch.release?.();
    return count === 30_000;
  });
  stop.abort();
  await reading;
  await source.close();
});

test('a second process waits as standby and takes over', async () => {
  const roles: string[] = [];
  const leader = read();
  await waitFor('the leader', () => leader.source.facts.role === 'leader');
  const standby = read({ observer: { onRole: (role) => roles.push(role) }, random: () => 0 });
  await waitFor('the standby', () => roles.includes('standby'));
  await insert(1);
  await leader.records(1);
  await leader.stop();
  await insert(2);
  expect(brief(await standby.records(1))).toEqual(['I t id=2,v=v']);
  expect(roles).toEqual(['standby', 'leader']);
});

test('close says what is confirmed and leaves the slot free', async () => {
  const reader = read({ statusIntervalMs: 60_000 });
  await insert(1);
  await reader.records(1);
  await reader.stop();
  expect(parseLsn(await database.confirmedFlush())).toBeGreaterThanOrEqual(reader.checkpoints[0]!.endLsn);
  const rows = await database.sql(
    `SELECT active::text FROM pg_replication_slots WHERE slot_name = '${database.slot}'`,
  );
  expect(rows).toEqual([{ active: 'false' }]);
  await reader.source.close();
});

test('shapes are persisted before their LSN is told to the server', async () => {
  const reader = read();
  let open = nothing;
  reader.history.gate = new Promise((resolve) => {
    open = resolve;
  });
  reader.history.pending = true;
  const before = await database.confirmedFlush();
  await insert(1);
  await reader.records(1);
  const { bytes } = reader.source.facts;
  await insert(2);
  await waitFor('more of the stream', () => reader.source.facts.bytes > bytes);
  expect(await database.confirmedFlush()).toBe(before);
  open();
  await waitFor('the confirmation', async () => (await database.confirmedFlush()) !== before);
  expect(reader.history.checkpoints.length).toBeGreaterThan(0);
});

test('a witness stands in front of the row that revealed it, once; rows of schema_log become schema records', async () => {
  await database.sql(`CREATE SCHEMA pgstream; CREATE TABLE pgstream.schema_log(id int PRIMARY KEY, schema_name text, schema text);
                      CREATE TABLE pgstream.state(id int PRIMARY KEY)`);
  const reader = read();
  reader.history.witnessFor = 't';
  await database.sql(`BEGIN; INSERT INTO pgstream.state VALUES (1); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);
    INSERT INTO pgstream.schema_log VALUES (1, 'app', NULL); UPDATE pgstream.schema_log SET schema = ''; COMMIT`);
  const seen = await reader.records(4);
  expect(seen.map(({ record }) => [record.action, record.position.seq, record.position.sub])).toEqual([
    ['M', 1, 0],
    ['I', 1, 1],
    ['I', 2, 1],
    ['M', 3, 1],
  ]);
  expect(seen[3]!.record.message?.prefix).toBe('pgstream.ddl');
  expect(reader.history.witnessedAt).toMatchObject([{ seq: 1, sub: 0 }]);
  expect([...reader.history.logRows[0]!.row]).toEqual([
    ['id', '1'],
    ['schema_name', 'app'],
    ['schema', null],
  ]);
});

test.each([
  ['a missing slot', 'PG_SLOT_MISSING', { slot: 'nowhere' }],
  ['a missing publication', 'PG_PUBLICATION_MISSING', { publications: ['mixed case'] }],
  ['a missing database', 'PG_DATABASE_MISSING', { path: '/nowhere' }],
  ['a wrong role', 'PG_AUTH_FAILED', { user: 'nobody_here' }],
] as const)('%s ends it with %s', async (_name, code, change) => {
  const url = new URL(database.url);
  if ('path' in change) url.pathname = change.path;
  if ('user' in change) url.username = change.user;
  const reader = read({
    connection: { connectionString: url.href },
    ...('slot' in change || 'publications' in change ? change : {}),
  });
  expect(await reader.ended()).toMatchObject({ code, disposition: 'halt', exitCode: 78 });
});

test('a role without REPLICATION is told so', async () => {
  const role = uniqueName('plain');
  await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
  const url = new URL(database.url);
  url.username = role;
  url.password = 'x';
  const reader = read({ connection: { connectionString: url.href } });
  expect(await reader.ended()).toMatchObject({ code: 'PG_PRIVILEGE_MISSING', exitCode: 78 });
  await database.sql(`DROP ROLE ${role}`);
});

test('a server that is not there is tried again until told to stop', async () => {
  const errors: string[] = [];
  const reader = read({
    connection: { host: '127.0.0.1', port: 1 },
    observer: { onReconnect: ({ code }) => errors.push(code) },
  });
  await waitFor('a second attempt', () => errors.length > 2);
  expect(new Set(errors)).toEqual(new Set(['PG_UNREACHABLE']));
  await reader.stop();
  expect(reader.failure).toBeUndefined();
});
