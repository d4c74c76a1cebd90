import { migrationStatus, type MigrationStatus } from '@pgstream/postgres-client';
import {
  status,
  tearDown,
  type SourceStatus,
  type TearDownOptions,
  type TearDownResult,
} from '@pgstream/postgres-source';
import { slotNameOf } from '../config/postgres-urls.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { withAdmin, withDatabase } from '../database.ts';

export interface DatabaseStatus extends SourceStatus {
  readonly migrations: MigrationStatus;
  /** Whether `run` could start. */
  readonly ready: boolean;
}

/** What there is in the source database. Reads only. */
export async function databaseStatus(config: PgstreamConfig, migrationsDir: string): Promise<DatabaseStatus> {
  return await withDatabase(config, 'status', async ({ pool }) => {
    const found = await status(pool, slotNameOf(config));
    const migrations = await migrationStatus(pool, migrationsDir);
    const published = found.publications.length > 0 && found.publications.every(({ exists }) => exists);
    const initialised = found.state !== null && found.state.consistentPoint !== null;
    const ready = found.schemaExists && found.slot !== null && initialised && published;
    return { ...found, migrations, ready };
  });
}

/** Takes back what init made, with a superuser's rights where there are some. @returns the statements. */
export async function tearDownDatabase(
  config: PgstreamConfig,
  options: Omit<TearDownOptions, 'slot'>,
): Promise<TearDownResult> {
  const slot = slotNameOf(config);
  return await withDatabase(config, 'tear-down', ({ pool }) =>
    withAdmin(config, (admin) => tearDown(admin ?? pool, { ...options, slot })),
  );
}
