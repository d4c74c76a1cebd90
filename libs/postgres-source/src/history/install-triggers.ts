import type { Sql } from '../sql.ts';

/**
 * Creates the event triggers where they are missing; changes nothing where they are there.
 * @returns false where this role may not, or where the functions of schema pgstream belong to another role: they run with
 * their owner's rights, so a superuser's trigger must not call what somebody else can rewrite.
 */
export async function installTriggers(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query('SELECT pgstream.install_triggers() AS installed');
  return rows[0]?.['installed'] === true;
}
