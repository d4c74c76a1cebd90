import { Client, Serializer } from '@opensearch-project/opensearch';
import { NotingHttpAgent, NotingHttpsAgent, type ErrorCodes } from './noting-agent.ts';

export interface SearchTls {
  /** PEM. Replaces the system's authorities. */
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  /** Trusts any certificate. */
  readonly insecureSkipVerify?: boolean;
}

export interface SearchConnection {
  /** One or several nodes: `http://user:password@host:9200`. Credentials of the first URL that has some count. */
  readonly urls: readonly string[];
  readonly username?: string;
  readonly password?: string;
  readonly tls?: SearchTls;
  /** Longest silence of the server on one request, unless the request says otherwise. Default 30,000. */
  readonly requestTimeoutMs?: number;
}

/** Hands responses through as text: numbers keep their digits, and a clean bulk response is never parsed. */
class TextSerializer extends Serializer {
  override deserialize(json: string): unknown {
    return json;
  }
}

/** @throws {TypeError} when a URL is malformed. */
export function createClient(connection: SearchConnection, codes: ErrorCodes): Client {
  const urls = connection.urls.map((url) => new URL(url));
  const named = urls.find((url) => url.username !== '');
  const username =
    connection.username ?? (named === undefined ? undefined : decodeURIComponent(named.username));
  const password = connection.password ?? (named === undefined ? '' : decodeURIComponent(named.password));
  for (const url of urls) {
    url.username = '';
    url.password = '';
  }
  return new Client({
    nodes: urls.map((url) => url.href),
    // Retries are decided here, with backoff and jitter: the client's own are immediate.
    maxRetries: 0,
    requestTimeout: connection.requestTimeoutMs ?? 30_000,
    Serializer: TextSerializer,
    ...(username === undefined ? {} : { auth: { username, password } }),
    agent: ({ url }: { url?: URL } = {}) =>
      url?.protocol === 'https:'
        ? new NotingHttpsAgent(codes, sslOf(connection.tls ?? {}))
        : new NotingHttpAgent(codes),
  });
}

function sslOf(tls: SearchTls) {
  return {
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.clientCert === undefined ? {} : { cert: tls.clientCert }),
    ...(tls.clientKey === undefined ? {} : { key: tls.clientKey }),
    rejectUnauthorized: tls.insecureSkipVerify !== true,
  };
}
