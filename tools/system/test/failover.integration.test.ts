import { rmSync } from 'node:fs';
import {
  copyCluster,
  type PostgresServer,
  promote,
  readLog,
  removeCluster,
  startPostgres,
  startStandby,
  stopPostgres,
  untilCaughtUp,
  waitFor,
} from '@pgstream/test-kit';
import { openSql } from '../../product/sql.ts';
import type { Product, RunningService } from '../../product/product.ts';
import { sharedServers, System, urlOf } from '../system.ts';

let system: System;
const servers: PostgresServer[] = [];
const running: RunningService[] = [];

afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map((service) => service.exited));
  // Its database goes with the server, if the server is ours
  await (servers.length === 0 ? system.close() : system.abandon());
  await Promise.all(servers.map((server) => stopPostgres(server, 'SIGQUIT')));
  for (const server of servers.splice(0)) removeCluster(server);
}, 120_000);

async function openOn(server: PostgresServer): Promise<string> {
  servers.push(server);
  system = await System.open({ ...sharedServers(), postgresUrl: server.url }, 'failover');
  const table = `${system.prefix}_s.t`;
  await system.sql.query(`CREATE SCHEMA ${system.prefix}_s; CREATE TABLE ${table} (id integer PRIMARY KEY)`);
  return table;
}

/** The product with the database of another server. */
function productOn(server: PostgresServer): Product {
  return system.product.withEnvironment({
    PGSTREAM_POSTGRES_LISTENER_URL: urlOf(server.url, system.prefix),
  });
}

async function start(product: Product, name: string): Promise<RunningService> {
  const service = await product.launch('wal-producer', name);
  running.push(service);
  return service;
}

async function kill(service: RunningService): Promise<void> {
  service.child.kill('SIGKILL');
  await service.exited;
}

/** Ids of the inserts in the log, in its order. */
async function published(): Promise<number[]> {
  const log = await readLog(system.connection, system.topic);
  return log.flatMap(({ record }) => {
    const [id] = record.action === 'I' ? (record.columns ?? []) : [];
    return typeof id?.value === 'object' && id.value !== null ? [Number(id.value.raw)] : [];
  });
}

async function untilPublished(id: number): Promise<void> {
  await waitFor(`row ${id} in the log`, async () => (await published()).includes(id), 60_000);
}

/** What it said when it refused to go on. */
async function refusal(service: RunningService): Promise<string> {
  expect(await service.exited).toBe(78);
  return system.logOf(service.name, 6);
}

async function on<T>(server: PostgresServer, work: (sql: System['sql']) => Promise<T>): Promise<T> {
  const sql = await openSql(urlOf(server.url, system.prefix), 'system-test');
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

async function lsnOn(server: PostgresServer): Promise<string> {
  return await on(server, async (sql) => {
    const { rows } = await sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
    return String(rows[0]?.['lsn']);
  });
}

test('a promoted standby without the slot: stops with the gap and the command, which records it and goes on', async () => {
  const primary = await startPostgres({ major: 15 });
  const table = await openOn(primary);
  const producer = await start(system.product, 'producer');
  await system.sql.query(`INSERT INTO ${table} VALUES (1)`);
  await untilPublished(1);
  const standby = await startStandby(primary);
  servers.push(standby);
  await system.sql.query(`INSERT INTO ${table} VALUES (2)`);
  await untilPublished(2);
  await untilCaughtUp(primary, standby);
  await kill(producer);
  await stopPostgres(primary, 'SIGQUIT');
  await promote(standby);
  await on(standby, (sql) => sql.query(`INSERT INTO ${table} VALUES (3)`));
  const missed = await lsnOn(standby);

  const product = productOn(standby);
  const refused = await refusal(await start(product, 'after'));
  expect(refused).toContain('PG_SLOT_MISSING');
  expect(refused).toContain('from timeline 1 to 2');
  expect(refused).toContain('nothing that was published is missing there');
  const [, command = ''] = /The command: pgstream ([^"]*?)\./.exec(refused) ?? [];
  product.command(...command.split(' '));
  const gaps = await on(standby, (sql) =>
    sql.query(`SELECT reason, from_lsn < $1::pg_lsn AND to_lsn >= $1::pg_lsn AS holds FROM pgstream.gaps`, [
      missed,
    ]),
  );
  expect(gaps.rows).toEqual([{ reason: 'PG_SLOT_MISSING', holds: true }]);
  await start(product, 'again');
  await on(standby, (sql) => sql.query(`INSERT INTO ${table} VALUES (4)`));
  await untilPublished(4);
  expect(await published()).toEqual([1, 2, 4]);
}, 180_000);

test('a standby that lacks what was published: the rows it never had are listed, by table and position', async () => {
  const primary = await startPostgres({ major: 15 });
  const table = await openOn(primary);
  const producer = await start(system.product, 'producer');
  const standby = await startStandby(primary);
  servers.push(standby);
  await system.sql.query(`INSERT INTO ${table} VALUES (1)`);
  await untilPublished(1);
  await untilCaughtUp(primary, standby);
  await stopPostgres(standby, 'SIGINT');
  await system.sql.query(`INSERT INTO ${table} VALUES (2), (3)`);
  await untilPublished(3);
  await kill(producer);
  await stopPostgres(primary, 'SIGQUIT');
  const { major, dataDir } = standby;
  const alone = await startPostgres({ major, dataDir });
  servers.push(alone);
  await promote(alone);
  await on(alone, (sql) => sql.query(`INSERT INTO ${table} VALUES (20)`));

  const product = productOn(alone);
  const refused = await refusal(await start(product, 'after'));
  expect(refused).toContain('PG_TIMELINE_CHANGED');
  expect(refused).toContain(`"table":"${table}","records":2`);
  const [, command = ''] = /The command: pgstream ([^"]*?)\./.exec(refused) ?? [];
  expect(command).toContain('--new-epoch');
  product.command(...command.split(' '));
  await start(product, 'again');
  await on(alone, (sql) => sql.query(`INSERT INTO ${table} VALUES (4)`));
  await untilPublished(4);
  expect(await published()).toEqual([1, 2, 3, 4]);
}, 180_000);

test('a failover slot of PostgreSQL 17: the stream goes on exactly where it was', async () => {
  const primary = await startPostgres({ major: 17 });
  const table = await openOn(primary);
  system.product.command('init', '--failover');
  const producer = await start(system.product, 'producer');
  const standby = await startStandby(primary);
  servers.push(standby);
  await system.sql.query(`INSERT INTO ${table} VALUES (1)`);
  await untilPublished(1);
  await waitFor(
    'the slot on the standby',
    () =>
      on(standby, async (sql) => {
        const { rows } = await sql.query(
          'SELECT synced AND NOT temporary AS ready FROM pg_replication_slots WHERE database = current_database()',
        );
        return rows[0]?.['ready'] === true;
      }),
    60_000,
  );
  await system.sql.query(`INSERT INTO ${table} VALUES (2)`);
  await untilPublished(2);
  await system.sql.query(`INSERT INTO ${table} VALUES (3)`);
  await kill(producer);
  await untilCaughtUp(primary, standby);
  await stopPostgres(primary, 'SIGQUIT');
  await promote(standby);
  await on(standby, (sql) => sql.query(`INSERT INTO ${table} VALUES (4)`));
  const after = await start(productOn(standby), 'after');
  await untilPublished(4);
  expect(await published()).toEqual([1, 2, 3, 4]);
  expect(system.logOf('after', 40)).toContain('nothing is missing, the stream goes on');
  await kill(after);
  await start(productOn(standby), 'once more');
  await on(standby, (sql) => sql.query(`INSERT INTO ${table} VALUES (5)`));
  await untilPublished(5);
  expect(await published()).toEqual([1, 2, 3, 4, 5]);
}, 180_000);

test('an older base is restored, slot and all: noticed before and after its WAL has passed what was published', async () => {
  let server = await startPostgres({ major: 17 });
  const table = await openOn(server);
  await start(system.product, 'producer');
  await system.sql.query(`INSERT INTO ${table} VALUES (1)`);
  await untilPublished(1);
  const restart = async () => {
    const { major, dataDir, port } = server;
    server = await startPostgres({ major, dataDir, port });
  };
  await stopPostgres(server);
  const base = `${server.dataDir}-base`;
  copyCluster(server.dataDir, base);
  await restart();
  await system.sql.query(`INSERT INTO ${table} VALUES (2)`);
  await untilPublished(2);
  await kill(running[0]!);
  await stopPostgres(server);
  copyCluster(base, server.dataDir);
  rmSync(base, { recursive: true });
  await restart();
  servers.splice(0, servers.length, server);

  const ahead = await refusal(await start(system.product, 'ahead'));
  expect(ahead).toContain('PG_POSITION_AHEAD');
  expect(ahead).toContain(`"table":"${table}","records":1`);
  await system.sql.query(`INSERT INTO ${table} SELECT generate_series(100, 1099)`);
  const other = await refusal(await start(system.product, 'other'));
  expect(other).toContain('PG_HISTORY_CHANGED');
  const log = await published();
  expect(log).toEqual([1, 2]);
}, 180_000);

test('a slot dropped, and one made anew under our name: the gap is told, from where to where', async () => {
  system = await System.open(sharedServers(), 'slotless');
  const { sql, prefix, product } = system;
  const table = `${prefix}_s.t`;
  await sql.query(`CREATE SCHEMA ${prefix}_s; CREATE TABLE ${table} (id integer PRIMARY KEY)`);
  const producer = await start(product, 'producer');
  await sql.query(`INSERT INTO ${table} VALUES (1)`);
  await untilPublished(1);
  producer.child.kill('SIGTERM');
  expect(await producer.exited).toBe(0);
  const { rows } = await sql.query(
    'SELECT slot_name AS slot, confirmed_flush_lsn::text AS stood FROM pg_replication_slots WHERE database = current_database()',
  );
  const { slot, stood } = rows[0] ?? {};
  await sql.query('SELECT pg_drop_replication_slot($1)', [slot]);
  const missing = await refusal(await start(product, 'missing'));
  expect(missing).toContain('PG_SLOT_MISSING');
  expect(missing).toContain(`"gapFrom":"${String(stood)}"`);
  await sql.query(`INSERT INTO ${table} VALUES (2)`);
  await sql.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
  const anew = await refusal(await start(product, 'anew'));
  expect(anew).toContain('PG_SLOT_ADVANCED');
  expect(anew).toContain(`"gapFrom":"${String(stood)}"`);
  product.command('init', '--slot-only', '--accept-gap');
  await start(product, 'again');
  await sql.query(`INSERT INTO ${table} VALUES (3)`);
  await untilPublished(3);
  expect(await published()).toEqual([1, 3]);
}, 120_000);
