import type { ClientConfig } from 'pg';

export interface SessionConfigOptions {
  readonly applicationName: string;
  /** A PostgreSQL size, such as `256MB`: memory of the *source*, in which it keeps transactions until their commit. */
  readonly decodingWorkMem: string;
}

/**
 * Settings of role or database (ALTER ROLE … SET) reach a replication connection and change the text of values.
 * @see https://www.postgresql.org/docs/current/runtime-config-client.html
 */
const PINS = [
  ['datestyle', 'ISO'],
  ['intervalstyle', 'postgres'],
  ['timezone', 'UTC'],
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['lc_monetary', 'C'],
  // Not about text: START_REPLICATION is one long statement
  ['statement_timeout', '0'],
  ['lock_timeout', '0'],
] as const;

const KEEPALIVE_AFTER_MS = 10_000;
const CONNECT_TIMEOUT_MS = 30_000;

/** `base` with what the stream needs pinned, last, so that it wins over options of the URL. */
export function sessionConfig(base: ClientConfig, options: SessionConfigOptions): ClientConfig {
  const { connectionString, ...rest } = base;
  const url = connectionString === undefined ? undefined : new URL(connectionString);
  const own = [rest.options ?? url?.searchParams.get('options') ?? ''];
  // pg lets parameters of the URL win over members of the object
  for (const name of ['options', 'application_name', 'client_encoding']) url?.searchParams.delete(name);
  const pins = PINS.map(([name, value]) => `-c ${name}=${value}`);
  const all = [
    ...own,
    ...pins,
    `-c logical_decoding_work_mem=${options.decodingWorkMem.replaceAll(' ', '')}`,
  ];
  return {
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...rest,
    ...(url === undefined ? {} : { connectionString: url.href }),
    options: all.filter((part) => part !== '').join(' '),
    client_encoding: 'UTF8',
    application_name: options.applicationName,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_AFTER_MS,
  };
}
