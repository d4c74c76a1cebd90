import { PipelineError } from '@pgstream/failure';
import { SearchStore, type SearchConnection, type SearchTls } from '@pgstream/search-store';
import { searchUrlOf } from '../config/route.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { pem } from './pem.ts';

/** @throws {PipelineError} CONFIG_INVALID where no cluster is named. */
export function searchConnection(config: PgstreamConfig): SearchConnection {
  const url = searchUrlOf(config);
  if (url === null)
    throw new PipelineError('CONFIG_INVALID', { detail: 'PGSTREAM_OPENSEARCH_STORE_URL is needed.' });
  const { user, password } = config.search;
  const tls = tlsOf(config.search.tls);
  return {
    urls: [url],
    ...(user === null || password === null ? {} : { username: user, password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

function tlsOf(settings: PgstreamConfig['search']['tls']): SearchTls | undefined {
  const { enabled, caFile, certFile, keyFile, insecureSkipVerify } = settings;
  if (!enabled && !insecureSkipVerify && caFile === null && certFile === null) return undefined;
  return {
    insecureSkipVerify,
    ...pem('ca', caFile),
    ...pem('clientCert', certFile),
    ...pem('clientKey', keyFile),
  };
}

export function openSearchStore(config: PgstreamConfig): SearchStore {
  return new SearchStore(searchConnection(config));
}
