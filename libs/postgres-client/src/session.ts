import type { ClientConfig } from 'pg';
import type { ConnectionSettings } from './connection-url.ts';
import { resolveTls } from './tls.ts';

/**
 * Settings of role or database (ALTER ROLE … SET) change the text of values. A session that reads values pins them, so that
 * a row reads the same in every session: https://www.postgresql.org/docs/current/runtime-config-client.html
 */
export const PINNED_GUCS: Readonly<Record<string, string>> = {
  datestyle: 'ISO',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
};

export interface SessionOptions {
  /** `application_name` where the URL has none: product, slot and instance. */
  readonly applicationName: string;
  /** More settings for the session, after the pins; they win over those of the URL. */
  readonly gucs?: Readonly<Record<string, string>>;
}

/** Startup parameter `options`: the URL's own first, so that the pins win. Blanks and backslashes are escaped as libpq asks. */
export function startupOptions(own: string | undefined, gucs: Readonly<Record<string, string>>): string {
  const pins = Object.entries(gucs).map(
    ([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, String.raw`\$&`)}`,
  );
  return [...(own === undefined ? [] : [own]), ...pins].join(' ');
}

/**
 * The configuration for `pg` of a session with pinned settings; serves ordinary and replication connections alike. Asks the
 * server whether it offers TLS where sslmode leaves that open.
 * @throws {PipelineError} PG_UNREACHABLE, PG_TLS_FAILED.
 */
export async function sessionConfig(
  settings: ConnectionSettings,
  options: SessionOptions,
): Promise<ClientConfig> {
  return {
    host: settings.host,
    port: settings.port,
    user: settings.user,
    password: settings.password,
    database: settings.database,
    ssl: await resolveTls(settings),
    application_name: settings.applicationName ?? options.applicationName,
    client_encoding: 'UTF8',
    connectionTimeoutMillis: settings.connectTimeoutMs,
    keepAlive: true,
    options: startupOptions(settings.options, { ...PINNED_GUCS, ...options.gucs }),
  };
}
