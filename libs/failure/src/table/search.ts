import type { ErrorSpec } from '../error-spec.ts';

export const SEARCH_ERRORS = {
  SEARCH_UNREACHABLE: {
    disposition: 'retry',
    summary: 'The search store refused or dropped the connection, or answered 429 or 5xx.',
    action: 'None: the sink retries with backoff. If it persists, look at the health of the cluster.',
  },
} as const satisfies Record<string, ErrorSpec>;
