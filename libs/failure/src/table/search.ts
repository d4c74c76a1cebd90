import type { ErrorSpec } from '../error-spec.ts';

export const SEARCH_ERRORS = {
  SEARCH_UNREACHABLE: {
    disposition: 'retry',
    summary: 'The search store refused or dropped the connection, or answered 429 or 5xx.',
    action: 'None: the sink retries with backoff. If it persists, look at the health of the cluster.',
  },
  SEARCH_ANSWER_INVALID: {
    disposition: 'retry',
    summary:
      'What answered is not the search store, or its answer was cut: the text is none that its API gives.',
    action:
      'None: the sink retries with backoff, and takes nothing as written. If it persists, see whether the URL is that of the search store, and what proxies answer in its place.',
  },
  SEARCH_FORBIDDEN: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The search store refused the credentials, or the user lacks a privilege.',
    action:
      'Correct user and password in the URL of the store, or grant the user index, mapping, alias and monitor rights on the indices that the message names.',
  },
  SEARCH_TLS_INVALID: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The TLS connection to the search store could not be trusted or set up.',
    action:
      'Correct PGSTREAM_SEARCH_TLS_CA_CERT_FILE and the client certificate, or the host name in the URL.',
  },
  SEARCH_INDEX_FOREIGN: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'An index or alias of this name exists and was not made by pgstream for this table.',
    action: 'Rename or delete the index named in the message, or choose another index name or template.',
  },
  SEARCH_INDEX_OF_EARLIER_EPOCH: {
    disposition: 'halt',
    exitCode: 78,
    summary:
      'A shared index holds rows of before the positions of the source started over: what is written now would be taken for older than them.',
    action:
      'Choose a new index name (--opensearch-index), or delete the index named in the message, and read the tables again.',
  },
  SEARCH_DELETE_INCOMPLETE: {
    disposition: 'retry',
    summary: 'Documents that a TRUNCATE or DROP TABLE removes are still found, again and again.',
    action:
      'None: the sink tries again. If it persists, see whether something else writes to the index, or has switched its refresh off.',
  },
  SEARCH_MAPPING_CLASH: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'A field exists in the index with another type than the column needs.',
    action:
      'Let the tables use indices of their own (drop --opensearch-index), or exclude one of the tables.',
  },
  SEARCH_FEATURE_MISSING: {
    disposition: 'halt',
    exitCode: 78,
    summary: 'The search store lacks a feature that this change needs.',
    action:
      'Install the module that the message names on the search store and start again; nothing was skipped.',
  },
  SEARCH_REQUEST_REFUSED: {
    disposition: 'halt',
    summary: 'The search store refused a request that should be valid.',
    action: 'Read the reason in the message; the process stopped before confirming anything after it.',
  },
  SEARCH_BULK_TOO_LARGE: {
    disposition: 'park',
    summary: 'The search store refuses requests of this size (413).',
    action:
      'None: the sink splits the bulk; a single document that is too large parks its key. See http.max_content_length.',
  },
  SEARCH_DOCUMENT_REFUSED: {
    disposition: 'park',
    summary: 'The search store refuses this document for good.',
    action:
      'Its key is parked. Read the reason (`pgstream dead-letters show`), correct mapping, settings or row, then `pgstream dead-letters retry`.',
  },
} as const satisfies Record<string, ErrorSpec>;
