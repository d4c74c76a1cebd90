import { copyCluster } from '@pgstream/test-kit';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { only, SLOTS, terminateWalSender } from '../slots.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'postgres';

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
    name: 'pg-failover-without-slot',
    group,
    summary: 'The primary dies and a standby is promoted that has no slot.',
    expects: { kind: 'stops', code: 'PG_SLOT_MISSING', exitCode: 78, who: 'producer' },
    servers: 'standby',
    async run(scene) {
      await scene.load.stop();
      await scene.freezeProgress();
      await scene.arena.pair.failOver();
    },
  },
  {
    name: 'pg-failover-with-slot',
    group,
    summary:
      'The primary dies and a standby is promoted that has the slot (`init --failover`); the producer is restarted.',
    expects: resumes,
    servers: 'standby',
    init: ['--failover'],
    async run(scene) {
      const { pair } = scene.arena;
      await pair.untilSlotSynced(scene.system.prefix);
      await scene.untilIndexed(10);
      await scene.load.stop();
      await scene.crew.stop('producer', 'SIGKILL');
      await pair.failOver();
      await scene.launch('producer');
    },
  },
  {
    name: 'pg-older-base',
    group,
    summary: 'The database is restored from an older copy of its files, and ends before what the log holds.',
    expects: { kind: 'stops', code: 'PG_POSITION_AHEAD', exitCode: 78, who: 'producer' },
    servers: 'own',
    run: async (scene) => {
      await restoreOlder(scene);
      await scene.launch('producer');
    },
  },
  {
    name: 'pg-older-base-overtaken',
    group,
    summary: 'After such a restore, new writes take the positions of lost ones before the producer starts.',
    expects: { kind: 'stops', code: 'PG_HISTORY_CHANGED', exitCode: 78, who: 'producer' },
    servers: 'own',
    run: async (scene) => {
      await restoreOlder(scene);
      await scene.system.sql.query(
        `INSERT INTO ${scene.load.schemas[0]}.short_lived SELECT i, 1 FROM generate_series(400000, 440000) i`,
      );
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

/** The state of some transactions ago, all of which the log holds. */
async function restoreOlder(scene: Scene): Promise<void> {
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
}
