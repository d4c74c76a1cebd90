import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { PipelineError } from '@pgstream/failure';

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** What a connection URL says, decoded. Certificates are read from their files. */
export interface ConnectionSettings {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Absent: `pg` looks at PGPASSWORD and .pgpass. */
  readonly password?: string;
  readonly database: string;
  readonly sslMode: SslMode;
  /** PEM texts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly applicationName?: string;
  /** Startup parameter `options`, such as `-c search_path=app`. */
  readonly options?: string;
  /** 0: no limit. */
  readonly connectTimeoutMs: number;
}

/** Parameters of other clients that change nothing here. */
const IGNORED = new Set([
  'channel_binding',
  'client_encoding',
  'fallback_application_name',
  'gssencmode',
  'keepalives',
  'keepalives_count',
  'keepalives_idle',
  'keepalives_interval',
  'pool_max_conns',
  'pool_min_conns',
  'sslcompression',
  'sslsni',
  'target_session_attrs',
]);

const PARAMETERS = new Set([
  'host',
  'port',
  'user',
  'password',
  'dbname',
  'sslmode',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'application_name',
  'options',
  'connect_timeout',
]);

const DEFAULT_CONNECT_TIMEOUT_S = 10;

/**
 * Reads a `postgres://` or `postgresql://` URL as libpq does: every part may be missing, `?host=` overrides, the database is
 * named after the user by default, sslmode defaults to `prefer`.
 * @param setting name of the setting it came from, for the message.
 * @throws {PipelineError} CONFIG_INVALID naming the setting and the part, never the password.
 */
export function parseConnectionUrl(url: string, setting: string): ConnectionSettings {
  const fail = (what: string): never => {
    throw new PipelineError('CONFIG_INVALID', { detail: `${setting}: ${what}.` });
  };
  const parts = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^?#/@]*))?(?:\?([^#]*))?$/.exec(
    url.trim(),
  );
  if (parts === null) {
    return fail(
      'not a URL of the form postgres://user:password@host:port/database?sslmode=… ' +
        '(characters such as @ / : # ? % in user or password must be percent-encoded)',
    );
  }
  const [, userInfoPart = '', hostPart = '', databasePart = '', query = ''] = parts;
  const decode = (text: string, what: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      return fail(`${what} has a % that is not followed by two hex digits (write %25 for a percent sign)`);
    }
  };
  const [userPart, passwordPart] = splitAtFirst(userInfoPart, ':');
  const [hostText, portText] = splitPort(hostPart);
  const parameters = readParameters(query, decode, fail);
  // libpq: a parameter wins over the part of the URL.
  const pick = (name: string, part: string, fallback: string) =>
    parameters.get(name) ?? (decode(part, name) || fallback);
  const user = pick('user', userPart, userInfo().username);
  const password = pick('password', passwordPart, '');
  return {
    host: pick('host', hostText, 'localhost'),
    port: readPort(pick('port', portText, '5432'), fail),
    user,
    ...(password === '' ? {} : { password }),
    database: pick('dbname', databasePart, user),
    sslMode: readSslMode(parameters.get('sslmode'), fail),
    connectTimeoutMs: readConnectTimeout(parameters.get('connect_timeout'), fail),
    ...readFiles(parameters, fail),
    ...optional('applicationName', parameters.get('application_name')),
    ...optional('options', parameters.get('options')),
  };
}

type Fail = (what: string) => never;

function readParameters(query: string, decode: (text: string, what: string) => string, fail: Fail) {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((part) => part !== '')) {
    const [name, value] = splitAtFirst(pair, '=');
    if (IGNORED.has(name)) continue;
    if (!PARAMETERS.has(name)) fail(`unknown parameter "${name}" (known: ${[...PARAMETERS].join(', ')})`);
    parameters.set(name, decode(value, `parameter ${name}`));
  }
  return parameters;
}

function splitAtFirst(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** `host`, `host:port`, `[::1]:port`. */
function splitPort(text: string): [string, string] {
  const [, bracketed, host, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(text) ?? [];
  return [bracketed ?? host ?? text, port ?? ''];
}

function readPort(text: string, fail: Fail): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) fail(`port must be a number from 1 to 65535`);
  return port;
}

function readSslMode(text: string | undefined, fail: Fail): SslMode {
  const mode = SSL_MODES.find((known) => known === (text ?? 'prefer'));
  return mode ?? fail(`sslmode must be one of ${SSL_MODES.join(', ')}`);
}

function readConnectTimeout(text: string | undefined, fail: Fail): number {
  if (text !== undefined && !/^\d{1,6}$/.test(text)) fail('connect_timeout must be a number of seconds');
  return Number(text ?? DEFAULT_CONNECT_TIMEOUT_S) * 1000;
}

function readFiles(parameters: ReadonlyMap<string, string>, fail: Fail) {
  const read = (name: string): string | undefined => {
    const path = parameters.get(name);
    // libpq: "system" means the certificates of the operating system.
    if (path === undefined || path === 'system') return undefined;
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return fail(`${name} names a file that cannot be read: ${path}`);
    }
  };
  return {
    ...optional('ca', read('sslrootcert')),
    ...optional('cert', read('sslcert')),
    ...optional('key', read('sslkey')),
  };
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [name in K]?: string } {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a computed key of a generic type widens to string
  return (value === undefined ? {} : { [key]: value }) as { readonly [name in K]?: string };
}
