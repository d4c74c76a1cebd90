import type { Scene } from './scene.ts';

/** Of the database that a scene is in. */
export const SLOTS = 'pg_replication_slots WHERE database = current_database()';

export async function terminateWalSender({ system }: Scene): Promise<void> {
  await system.sql.query(`SELECT pg_terminate_backend(active_pid) FROM ${SLOTS} AND active`);
}

/** The single value that a statement answers. */
export async function only(scene: Scene, statement: string, column: string): Promise<string> {
  const { rows } = await scene.system.sql.query(statement);
  const [row] = rows;
  if (rows.length !== 1) throw new Error(`${statement}: ${rows.length} rows`);
  return String(row?.[column]);
}
