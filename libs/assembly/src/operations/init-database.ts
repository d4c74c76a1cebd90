import {
  migrationsScript,
  readMigrations,
  runMigrations,
  type PostgresPool,
} from '@pgstream/postgres-client';
import { init, type InitOptions, type InitResult } from '@pgstream/postgres-source';
import { slotNameOf } from '../config/postgres-urls.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { tableSelection } from '../config/table-filter.ts';
import { withAdmin, withDatabase } from '../database.ts';

export interface InitRequest extends Omit<InitOptions, 'slot' | 'filter' | 'migrationsScript'> {
  readonly migrationsDir: string;
}

/**
 * Prepares the source database. May be repeated.
 * @throws {PipelineError} with the remedy: privileges, tables without a key, foreign publications, a slot of somebody else.
 */
export async function initDatabase(config: PgstreamConfig, request: InitRequest): Promise<InitResult> {
  const { migrationsDir, ...options } = request;
  const slot = slotNameOf(config);
  return await withDatabase(config, 'init', ({ pool, connection }) =>
    withAdmin(config, (admin) =>
      init(
        {
          sql: pool,
          connection,
          migrate: ({ superuser }) => runMigrations(migratorOf(pool, admin), migrationsDir, { superuser }),
          ...(admin === undefined ? {} : { admin }),
        },
        {
          ...options,
          slot,
          filter: tableSelection(config),
          migrationsScript: migrationsScript(readMigrations(migrationsDir)),
        },
      ),
    ),
  );
}

function migratorOf(pool: PostgresPool, admin: PostgresPool | undefined): PostgresPool {
  return admin ?? pool;
}
