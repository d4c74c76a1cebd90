import { PipelineError } from '@pgstream/failure';
import { parseConnectionUrl, type ConnectionSettings } from '@pgstream/postgres-client';
import { defaultSlotName } from '@pgstream/postgres-source';
import type { PgstreamConfig } from './settings.ts';

/** Names of the settings that hold URLs of the source database, for messages. */
export const URL_SETTINGS = {
  url: 'PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url)',
  adminUrl: 'PGSTREAM_POSTGRES_ADMIN_URL (--admin-url)',
  schemaLogUrl: 'PGSTREAM_INJECTOR_STORE_POSTGRES_URL',
} as const;

/** @throws {PipelineError} CONFIG_INVALID where it is not set. */
export function sourceConnection({ postgres }: PgstreamConfig): ConnectionSettings {
  if (postgres.url === null)
    throw new PipelineError('CONFIG_INVALID', { detail: `${URL_SETTINGS.url} is needed.` });
  return parseConnectionUrl(postgres.url, URL_SETTINGS.url);
}

/** The configured slot, or the original's name for it. */
export function slotNameOf(config: PgstreamConfig): string {
  return config.postgres.slotName ?? defaultSlotName(sourceConnection(config).database);
}

/** What is wrong with the URLs by themselves, and among each other. */
export function urlFaults({ postgres }: PgstreamConfig): readonly string[] {
  const faults: string[] = [];
  const parsed = new Map<keyof typeof URL_SETTINGS, ConnectionSettings>();
  for (const name of ['url', 'adminUrl', 'schemaLogUrl'] as const) {
    const url = postgres[name];
    if (url === null) continue;
    try {
      parsed.set(name, parseConnectionUrl(url, URL_SETTINGS[name]));
    } catch (error) {
      if (!(error instanceof PipelineError)) throw error;
      faults.push(error.detail ?? error.message);
    }
  }
  const own = parsed.get('url');
  for (const name of ['adminUrl', 'schemaLogUrl'] as const) {
    const other = parsed.get(name);
    if (own === undefined || other === undefined || other.database === own.database) continue;
    faults.push(
      `${URL_SETTINGS[name]} must name the database of PGSTREAM_POSTGRES_LISTENER_URL, "${own.database}", and names "${other.database}"`,
    );
  }
  return faults;
}
