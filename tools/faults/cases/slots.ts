import pg from 'pg';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';
import { only, SLOTS, terminateWalSender } from '../slots.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'postgres';

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

/** Startup parameters of a replication connection, which the types of `pg` do not know. */
const REPLICATION: object = { replication: 'database' };

/** What happens to the slot and to the publication. */
export const SLOT_FAULTS: readonly Fault[] = [
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
];
