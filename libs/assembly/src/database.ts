import {
  createPool,
  parseConnectionUrl,
  sessionConfig,
  type ConnectionSettings,
  type PostgresPool,
} from '@pgstream/postgres-client';
import { sourceConnection, URL_SETTINGS } from './config/postgres-urls.ts';
import type { PgstreamConfig } from './config/settings.ts';
import { withSetting } from './runtime/naming-setting.ts';

export type ClientConfig = Awaited<ReturnType<typeof sessionConfig>>;

export interface Database {
  readonly settings: ConnectionSettings;
  readonly pool: PostgresPool;
  readonly connection: ClientConfig;
}

/** Who we are in pg_stat_activity. */
export function applicationName(part: string): string {
  return `pgstream ${part}`;
}

/** @throws {PipelineError} of the connection; the caller ends the pool. */
export async function openDatabase(config: PgstreamConfig, part: string): Promise<Database> {
  const settings = sourceConnection(config);
  const connection = await withSetting(URL_SETTINGS.url, () =>
    sessionConfig(settings, { applicationName: applicationName(part) }),
  );
  return { settings, connection, pool: createPool(connection) };
}

export async function withDatabase<T>(
  config: PgstreamConfig,
  part: string,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(config, part);
  try {
    // Looks first, so that a wrong URL is told from a failure of the work.
    await withSetting(URL_SETTINGS.url, () => database.pool.query('SELECT 1'));
    return await work(database);
  } finally {
    await database.pool.end();
  }
}

/** The same database with a superuser's rights, where `--admin-url` names one. */
export async function withAdmin<T>(
  { postgres: { adminUrl } }: PgstreamConfig,
  work: (admin: PostgresPool | undefined) => Promise<T>,
): Promise<T> {
  if (adminUrl === null) return await work(undefined);
  const settings = parseConnectionUrl(adminUrl, URL_SETTINGS.adminUrl);
  const pool = createPool(await sessionConfig(settings, { applicationName: applicationName('admin') }));
  try {
    await withSetting(URL_SETTINGS.adminUrl, () => pool.query('SELECT 1'));
    return await work(pool);
  } finally {
    await pool.end();
  }
}
