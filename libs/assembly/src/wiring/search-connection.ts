import { readFileSync } from 'node:fs';
import { PipelineError } from '@pgstream/failure';
import { SearchStore, type SearchConnection } from '@pgstream/search-store';
import { searchUrlOf } from '../config/route.ts';
import type { PgstreamConfig } from '../config/settings.ts';

/** @throws {PipelineError} CONFIG_INVALID where no cluster is named. */
export function searchConnection(config: PgstreamConfig): SearchConnection {
  const url = searchUrlOf(config);
  if (url === null)
    throw new PipelineError('CONFIG_INVALID', { detail: 'PGSTREAM_OPENSEARCH_STORE_URL is needed.' });
  const { user, password, tls } = config.search;
  const read = (file: string | null) => (file === null ? undefined : readFileSync(file, 'utf8'));
  const [ca, clientCert, clientKey] = [read(tls.caFile), read(tls.certFile), read(tls.keyFile)];
  const secured = tls.enabled || tls.insecureSkipVerify || ca !== undefined || clientCert !== undefined;
  return {
    urls: [url],
    ...(user === null || password === null ? {} : { username: user, password }),
    ...(secured
      ? {
          tls: {
            insecureSkipVerify: tls.insecureSkipVerify,
            ...(ca === undefined ? {} : { ca }),
            ...(clientCert === undefined ? {} : { clientCert }),
            ...(clientKey === undefined ? {} : { clientKey }),
          },
        }
      : {}),
  };
}

export function openSearchStore(config: PgstreamConfig): SearchStore {
  return new SearchStore(searchConnection(config));
}
