import { createPool, parseConnectionUrl, sessionConfig, type PostgresPool } from '@pgstream/postgres-client';

/** A pool of sessions with pinned settings: values have the text that the stream carries. */
export async function openSql(url: string, applicationName: string): Promise<PostgresPool> {
  const config = await sessionConfig(parseConnectionUrl(url, 'the URL of the local server'), {
    applicationName,
  });
  return createPool(config, { maxConnections: 4 });
}
