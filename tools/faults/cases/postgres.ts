import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'postgres';

async function terminateWalSender({ system }: Scene): Promise<void> {
  await system.sql.query(
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
      WHERE database = current_database() AND active`,
  );
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
    name: 'pg-slot-dropped',
    group,
    summary: 'Somebody drops the replication slot.',
    expects: { kind: 'stops', code: 'PG_SLOT_MISSING', exitCode: 78, who: 'producer' },
    async run(scene) {
      const { sql } = scene.system;
      await scene.until('the slot to be dropped', async () => {
        await terminateWalSender(scene);
        await sql.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()',
        );
        return true;
      });
      await scene.untilCommitted(20);
    },
  },
];
