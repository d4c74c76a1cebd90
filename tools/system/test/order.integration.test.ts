import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endpoints, waitFor } from '@pgstream/test-kit';
import { Product, samplesOf } from '../../product/product.ts';
import { openSql } from '../../product/sql.ts';
import { DirectPath } from '../direct-path.ts';

const { postgresUrl, searchUrl } = endpoints();
const MIB = 1024 * 1024;

let path: DirectPath;
const sql = (text: string) => path.sql.query(text);

beforeAll(async () => {
  path = await DirectPath.start('order', { environment: { PGSTREAM_FILTER_EXCLUDE_TABLES: 'public.noise' } });
  await sql('CREATE TABLE t (id int PRIMARY KEY, v int, who text); CREATE TABLE noise (v text)');
});

afterAll(async () => {
  await path.close();
});

test('interleaved transactions take effect in the order of their commits', async () => {
  const writers = ['a', 'b', 'c', 'd'];
  await sql(`INSERT INTO t SELECT g, 0, '' FROM generate_series(1, 400) g`);
  await Promise.all(
    writers.map(async (who, w) => {
      for (let round = 0; round < 12; round++) {
        await path.sql.transaction(async (one) => {
          // rows of its own, then rows that every writer wants, always in the same order of locks
          await one.query(
            `UPDATE t SET v = v + 1, who = '${who}' WHERE id BETWEEN ${w * 50 + 1} AND ${w * 50 + 50}`,
          );
          await one.query(`UPDATE t SET v = v + 1, who = who || '${who}' WHERE id = ${201 + (round % 7)}`);
          await one.query(`DELETE FROM t WHERE id = 300`);
          await one.query(
            `INSERT INTO t VALUES (300, ${round}, '${who}') ON CONFLICT (id) DO UPDATE SET v = -${round}`,
          );
        });
      }
    }),
  );
  await path.settled();
  expect(await path.differences('t')).toEqual([]);
});

test('empty, aborted, partly rolled back, two-phase and COPY transactions, with messages between', async () => {
  await sql('BEGIN; COMMIT');
  await sql('BEGIN; UPDATE t SET v = -99; DELETE FROM t; ROLLBACK');
  await sql(`BEGIN; UPDATE t SET v = 1000 WHERE id = 1; SAVEPOINT a; DELETE FROM t WHERE id < 50; SAVEPOINT b; TRUNCATE t;
    ROLLBACK TO b; INSERT INTO t VALUES (900, 1, 'b'); ROLLBACK TO a; UPDATE t SET v = v + 1 WHERE id = 1; RELEASE a; COMMIT`);
  await path.sql.withClient(async (one) => {
    await one.query(`BEGIN; UPDATE t SET v = 1, who = 'prepared' WHERE id IN (2, 3)`);
    await one.query(`PREPARE TRANSACTION '${path.name}'`);
    await sql(
      `UPDATE t SET v = 2, who = 'between' WHERE id = 4; SELECT pg_logical_emit_message(true, 'm', 'x'), pg_logical_emit_message(false, 'n', '')`,
    );
    await one.query(`COMMIT PREPARED '${path.name}'`);
    await one.query(`BEGIN; UPDATE t SET v = -1 WHERE id = 5`);
    await one.query(`PREPARE TRANSACTION '${path.name}'`);
    await one.query(`ROLLBACK PREPARED '${path.name}'`);
  });
  await sql(`UPDATE t SET v = v + 1 WHERE id IN (2, 3)`);
  await sql(`COPY t (id) FROM PROGRAM 'seq 2000 2999'`);
  await sql(`DELETE FROM t WHERE id % 3 = 0; UPDATE t SET v = id WHERE id > 2500`);
  await path.settled();
  expect(await path.differences('t')).toEqual([]);
  expect(await path.documents('t')).toEqual(
    expect.arrayContaining(['id=1 v=1001 who="a"', 'id=2 v=2 who="prepared"']),
  );
});

test('the slot never passes a row that the index does not have, and passes it once it has', async () => {
  await sql(`CREATE TABLE held (id int PRIMARY KEY)`);
  await path.settled();
  const block = (on: boolean) =>
    fetch(`${searchUrl}/${path.indexOf('held')}/_settings`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      // answered with 429 as on a full disk
      body: JSON.stringify({ 'index.blocks.read_only_allow_delete': on ? true : null }),
    });
  expect((await block(true)).ok).toBe(true);
  await sql(`INSERT INTO held VALUES (1)`);
  const held = await walEnd();
  for (let i = 0; i < 20; i++)
    await sql(`UPDATE t SET v = v + 1 WHERE id = 1; INSERT INTO noise VALUES (repeat('x', 9000))`);
  const seen = await waitFor('the reader to have all of it', async () => {
    const { rows } = await sql(
      `SELECT bool_and(sent_lsn >= '${await walEnd()}') AS sent FROM pg_stat_replication WHERE pid IN
         (SELECT active_pid FROM pg_replication_slots WHERE database = current_database())`,
    );
    return rows[0]?.['sent'] === true;
  });
  expect(seen).toBe(true);
  // nobody else unblocks it but the server itself, when it finds its disk not full
  const passed = await confirmedPast(held);
  const indexed = await path.documents('held');
  expect([passed, passed && indexed.length === 0]).toEqual([passed, false]);
  await block(false);
  await path.settled();
  expect(await path.documents('held')).toEqual(['id=1']);
});

test('the slot moves on when only filtered tables, and other databases, are busy', async () => {
  await path.settled();
  await sql(`INSERT INTO noise SELECT repeat(md5(g::text), 100) FROM generate_series(1, 500) g`);
  const first = await walEnd();
  await waitFor('the slot to let go of the filtered table', () => confirmedPast(first));
  const other = await openSql(postgresUrl, 'system-test');
  await other.query(
    `CREATE TEMPORARY TABLE elsewhere (v text); SELECT pg_logical_emit_message(false, 'x', repeat('x', 1000000))`,
  );
  await other.end();
  const second = await walEnd();
  await waitFor('the slot to let go of the other database', () => confirmedPast(second));
  expect(await path.differences('t')).toEqual([]);
});

test('a transaction of 1,000,000 rows passes in order, whole, and in little memory', async () => {
  const ROWS = 1_000_000;
  const dir = mkdtempSync(join(tmpdir(), 'pgstream-order-'));
  const file = join(dir, 'records.ndjson');
  const slot = `${path.name}_file`;
  await path.init(slot);
  const product = new Product({
    dir,
    environment: {
      PGSTREAM_POSTGRES_LISTENER_URL: path.url,
      PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: slot,
      PGSTREAM_FILTER_INCLUDE_TABLES: 'public.noise',
      PGSTREAM_NDJSON_FILE: file,
    },
  });
  try {
    await sql(`INSERT INTO noise SELECT 'row ' || g FROM generate_series(1, ${ROWS}) g`);
    const end = await walEnd();
    const service = await product.start('cli', 'reader', 'run');
    const peaksMib = new Map<string, number>();
    await waitFor(
      'the slot of the file to pass the transaction',
      async () => {
        for (const metric of ['nodejs_heap_size_used_bytes', 'process_resident_memory_bytes']) {
          const bytes = (await samplesOf(service, metric)).get('') ?? Number.NaN;
          peaksMib.set(metric, Math.max(peaksMib.get(metric) ?? 0, bytes / MIB));
        }
        return await confirmedPast(end, slot);
      },
      180_000,
    );
    expect(await countInOrder(file)).toBe(ROWS);
    for (const [metric, mib] of peaksMib) expect([metric, mib < 256, mib]).toEqual([metric, true, mib]);
  } finally {
    await product.stopAll();
    rmSync(dir, { recursive: true });
  }
}, 240_000);

/** Rows of the one transaction, each in its place. */
async function countInOrder(file: string): Promise<number> {
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(file) })) {
    if (!line.startsWith('{"action":"I"')) continue;
    count += 1;
    if (!line.includes(`"seq":${count - 1},`) || !line.includes(`"value":"row ${count}"`)) return count - 1;
  }
  return count;
}

async function walEnd(): Promise<string> {
  const { rows } = await sql('SELECT pg_current_wal_lsn()::text AS lsn');
  return String(rows[0]?.['lsn']);
}

async function confirmedPast(lsn: string, slot?: string): Promise<boolean> {
  const { rows } = await path.sql.query(
    `SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) AS passed FROM pg_replication_slots
      WHERE database = current_database() AND slot_name = coalesce($2, slot_name)`,
    [lsn, slot ?? null],
  );
  return rows[0]?.['passed'] === true;
}
