import pg from 'pg';
import { copyCluster } from '../primary-and-standby.ts';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'postgres';

const SLOTS = 'pg_replication_slots WHERE database = current_database()';

async function terminateWalSender({ system }: Scene): Promise<void> {
  await system.sql.query(`SELECT pg_terminate_backend(active_pid) FROM ${SLOTS} AND active`);
}

/** Does something to the slot, which nobody may be using meanwhile: the producer comes back at once. */
async function withFreeSlot(scene: Scene, statement: string): Promise<void> {
  await scene.freezeProgress();
  await scene.until('the slot to be free', async () => {
    await terminateWalSender(scene);
    await scene.system.sql.query(statement);
    return true;
  });
}

const DROP_SLOT = `SELECT pg_drop_replication_slot(slot_name) FROM ${SLOTS}`;

async function only(scene: Scene, statement: string, column: string): Promise<string> {
  const { rows } = await scene.system.sql.query(statement);
  const [row] = rows;
  if (rows.length !== 1) throw new Error(`${statement}: ${rows.length} rows`);
  return String(row?.[column]);
}

/** What happens to the source. */
export const POSTGRES_FAULTS: readonly Fault[] = [
  {
    name: 'pg-backend-terminated',
    group,
    summary: 'An administrator terminates the backend of the replication connection, three times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 3; i++) {
        await terminateWalSender(scene);
        await scene.untilIndexed(5);
      }
    },
  },
  {
    name: 'pg-all-backends-terminated',
    group,
    summary:
      'Every connection of the producer to the database is terminated, again and again for two seconds.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 10; i++) {
        await scene.system.sql.query(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'pgstream%'`,
        );
        await scene.linger(200);
      }
    },
  },
  {
    name: 'pg-walsender-asleep',
    group,
    summary: 'The walsender stands still (SIGSTOP) for six seconds, and goes on.',
    expects: resumes,
    async run(scene) {
      const pid = Number(await only(scene, `SELECT active_pid FROM ${SLOTS} AND active`, 'active_pid'));
      process.kill(pid, 'SIGSTOP');
      await scene.linger(6_000);
      process.kill(pid, 'SIGCONT');
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'pg-immediate-stop',
    group,
    summary: 'PostgreSQL is stopped at once (SIGQUIT), recovers from its WAL and comes back.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      await own.stopPostgres('SIGQUIT');
      await scene.linger(1_000);
      await own.startPostgres();
    },
  },
  {
    name: 'pg-fast-restart',
    group,
    summary: 'PostgreSQL is restarted in the orderly way (SIGINT), which waits for its walsenders.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      await own.stopPostgres('SIGINT');
      await own.startPostgres();
    },
  },
  {
    name: 'pg-large-transaction',
    group,
    summary: 'The producer is killed, twice, while a transaction of 20,000 rows is on its way.',
    expects: resumes,
    async run(scene) {
      const { sql } = scene.system;
      const table = `${scene.load.schemas[0]}.short_lived`;
      await sql.query(`INSERT INTO ${table} SELECT i, 1 FROM generate_series(100000, 120000) i`);
      for (let i = 0; i < 2; i++) {
        await scene.linger(scene.random.int(50, 700));
        await scene.kill('producer');
      }
    },
  },
  {
    name: 'pg-two-phase',
    group,
    summary: 'A prepared transaction is committed after the producer was killed in between.',
    expects: resumes,
    async run(scene) {
      const table = `${scene.load.schemas[0]}.short_lived`;
      const { sql, prefix } = scene.system;
      const insert = `INSERT INTO ${table} SELECT i, 1 FROM generate_series(200000, 200200) i`;
      await sql.withClient(async (client) => {
        await client.query(`BEGIN; ${insert}; PREPARE TRANSACTION '${prefix}'`);
      });
      await scene.kill('producer');
      await scene.untilIndexed(5);
      await sql.query(`COMMIT PREPARED '${prefix}'`);
    },
  },
  {
    name: 'pg-long-transaction',
    group,
    summary: 'A transaction stays open while the producer is killed, and commits last.',
    expects: resumes,
    async run(scene) {
      const table = `${scene.load.schemas[1]}.short_lived`;
      await scene.system.sql.transaction(async (client) => {
        await client.query(`INSERT INTO ${table} SELECT i, 1 FROM generate_series(300000, 300500) i`);
        await scene.untilIndexed(5);
        await scene.kill('producer');
        await scene.untilIndexed(10);
        await client.query(`UPDATE ${table} SET version = version + 1 WHERE id >= 300000`);
      });
    },
  },
  {
    name: 'pg-slot-taken',
    group,
    summary: 'Somebody else reads from the slot for four seconds, without confirming anything.',
    expects: resumes,
    async run(scene) {
      const slot = await only(scene, `SELECT slot_name FROM ${SLOTS}`, 'slot_name');
      const thief = new pg.Client({ connectionString: scene.system.url, ...REPLICATION });
      thief.on('error', () => undefined);
      await thief.connect();
      const publication = await only(scene, 'SELECT pubname FROM pg_publication', 'pubname');
      const start = `START_REPLICATION SLOT ${slot} LOGICAL 0/0 (proto_version '1', publication_names '"${publication}"')`;
      await scene.until('the slot to be taken', async () => {
        await terminateWalSender(scene);
        // it answers only when it fails: what it sends afterwards is a stream
        const refused = thief.query(start).then(
          () => true,
          () => true,
        );
        return !(await Promise.race([refused, scene.linger(300).then(() => false)]));
      });
      await scene.linger(4_000);
      await thief.end();
    },
  },
  {
    name: 'pg-slot-dropped',
    group,
    summary: 'Somebody drops the replication slot.',
    expects: { kind: 'stops', code: 'PG_SLOT_MISSING', exitCode: 78, who: 'producer' },
    async run(scene) {
      await withFreeSlot(scene, DROP_SLOT);
      await scene.untilCommitted(20);
    },
  },
  {
    name: 'pg-slot-recreated',
    group,
    summary: 'Somebody drops the replication slot and makes another of its name.',
    expects: { kind: 'stops', code: 'PG_SLOT_ADVANCED', exitCode: 78, who: 'producer' },
    async run(scene) {
      const slot = await only(scene, `SELECT slot_name FROM ${SLOTS}`, 'slot_name');
      await withFreeSlot(
        scene,
        `${DROP_SLOT}; SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`,
      );
      await scene.untilCommitted(20);
    },
  },
  {
    name: 'pg-slot-advanced',
    group,
    summary: 'Somebody moves the replication slot forward while the producer is away.',
    expects: { kind: 'stops', code: 'PG_SLOT_ADVANCED', exitCode: 78, who: 'producer' },
    async run(scene) {
      await scene.crew.stop('producer');
      await scene.untilCommitted(20);
      await withFreeSlot(
        scene,
        `SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM ${SLOTS}`,
      );
      await scene.untilCommitted(5);
      await scene.launch('producer');
    },
  },
  {
    name: 'pg-publication-dropped',
    group,
    summary: 'Somebody drops the publication.',
    expects: { kind: 'stops', code: 'PG_PUBLICATION_MISSING', exitCode: 78, who: 'producer' },
    async run(scene) {
      const name = await only(scene, 'SELECT pubname FROM pg_publication', 'pubname');
      await scene.system.sql.query(`DROP PUBLICATION "${name}"`);
      await scene.untilCommitted(20);
    },
  },
  {
    name: 'pg-publication-recreated',
    group,
    summary: 'Somebody drops the publication, writes go on, and makes it again.',
    expects: { kind: 'stops', code: 'PG_PUBLICATION_MISSING', exitCode: 78, who: 'producer' },
    async run(scene) {
      const name = await only(scene, 'SELECT pubname FROM pg_publication', 'pubname');
      const { sql } = scene.system;
      await sql.query(`DROP PUBLICATION "${name}"`);
      await scene.untilCommitted(20);
      await sql.query(`CREATE PUBLICATION "${name}" FOR ALL TABLES WITH (publish_via_partition_root = true)`);
      await scene.untilCommitted(20);
    },
  },
  {
    name: 'pg-failover-without-slot',
    group,
    summary: 'The primary dies and a standby is promoted that has no slot.',
    expects: { kind: 'stops', code: 'PG_SLOT_MISSING', exitCode: 78, who: 'producer' },
    servers: 'standby',
    async run(scene) {
      const { pair } = scene.arena;
      await scene.load.stop();
      await pair.untilReplayed();
      await pair.failOver();
      scene.links.postgres.retarget(`127.0.0.1:${pair.standby.port}`);
    },
  },
  {
    name: 'pg-older-base',
    group,
    summary:
      'The database is restored from an older copy, and new writes take the WAL positions of lost ones.',
    expects: { kind: 'stops', code: 'PG_POSITION_AHEAD', exitCode: 78, who: 'producer' },
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      const copy = `${own.dataDir}-older`;
      await scene.crew.stop('producer');
      await own.stopPostgres('SIGINT');
      copyCluster(own.dataDir, copy);
      await own.startPostgres();
      await scene.launch('producer');
      await scene.untilIndexed(30);
      await scene.load.stop();
      await scene.system.untilIndexed();
      await scene.crew.stop('producer');
      await scene.freezeProgress();
      await own.stopPostgres('SIGQUIT');
      own.restoreFrom(copy);
      await own.startPostgres();
      await scene.launch('producer');
    },
  },
  {
    name: 'pg-wal-removed',
    group,
    summary: 'PostgreSQL removes WAL that the slot still needs (max_slot_wal_keep_size).',
    expects: { kind: 'stops', code: 'PG_PREFLIGHT_FAILED', exitCode: 78, who: 'producer' },
    servers: 'own',
    async run(scene) {
      const { sql } = scene.system;
      await scene.crew.stop('producer');
      await scene.untilCommitted(10);
      await sql.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`);
      await sql.query('SELECT pg_reload_conf()');
      await scene.until('the slot to be lost', async () => {
        await sql.query('SELECT pg_switch_wal()');
        await sql.query(`CREATE TABLE IF NOT EXISTS public.filler (t text)`);
        await sql.query(`INSERT INTO public.filler SELECT repeat('x', 1000) FROM generate_series(1, 2000)`);
        await sql.query('CHECKPOINT');
        return (await only(scene, `SELECT wal_status FROM ${SLOTS}`, 'wal_status')) === 'lost';
      });
      await sql.query('ALTER SYSTEM RESET max_slot_wal_keep_size');
      await sql.query('SELECT pg_reload_conf()');
      await scene.launch('producer');
    },
  },
];

/** Startup parameters of a replication connection, which the types of `pg` do not know. */
const REPLICATION: object = { replication: 'database' };
