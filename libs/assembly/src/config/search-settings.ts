import {
  BOOLEAN,
  BYTES,
  choice,
  count,
  DURATION_MS,
  matching,
  optional,
  refusedWhenTrue,
  setting,
  TEXT,
  url,
} from '@pgstream/service-runtime';

const HTTP = url('http', 'https');
const INDEXER = 'PGSTREAM_SEARCH_INDEXER';
const STORE = 'PGSTREAM_SEARCH_STORE';

export const searchSettings = {
  opensearchUrl: optional(HTTP, {
    env: 'PGSTREAM_OPENSEARCH_STORE_URL',
    aliases: ['PGSTREAM_SEARCH_STORE_URL'],
    flags: ['--opensearch-url'],
    yaml: ['target.search.url'],
    doc: 'The OpenSearch cluster; user and password may stand in the URL.',
    sensitive: true,
  }),
  elasticsearchUrl: optional(HTTP, {
    env: 'PGSTREAM_ELASTICSEARCH_STORE_URL',
    flags: ['--elasticsearch-url'],
    doc: 'The Elasticsearch cluster, in place of OpenSearch.',
    sensitive: true,
  }),
  engine: setting(choice('opensearch', 'elasticsearch'), {
    env: 'PGSTREAM_SEARCH_ENGINE',
    yaml: ['target.search.engine'],
    default: 'opensearch',
    doc: 'What answers at the URL; both are spoken to in the same way.',
  }),
  user: optional(TEXT, {
    env: 'PGSTREAM_SEARCH_USER',
    aliases: ['PGSTREAM_SEARCH_USERNAME'],
    doc: 'User name, where it is not in the URL.',
  }),
  password: optional(TEXT, {
    env: 'PGSTREAM_SEARCH_PASSWORD',
    doc: 'Password, where it is not in the URL.',
    sensitive: true,
  }),
  index: optional(
    matching(
      /^(?![-_+.])[^\sA-Z\\/*?"<>|,#:]{1,200}$/,
      'a name in lower case without space and \\ / * ? " < > | , # :',
    ),
    {
      env: 'PGSTREAM_SEARCH_INDEX',
      flags: ['--opensearch-index', '--elasticsearch-index'],
      doc: 'One index for everything, in place of an index per table. Ids begin with `schema.table:` unless exactly one table is selected.',
    },
  ),
  layout: setting(choice('table', 'pgstream'), {
    env: 'PGSTREAM_SEARCH_LAYOUT',
    flags: ['--search-layout'],
    default: 'table',
    doc: "`table`: an index per table with column names as fields. `pgstream`: the original's index per schema with column ids as fields.",
  }),
  indexTemplate: setting(
    matching(/^[^\sA-Z\\/*?"<>|,#:]+$/, 'an index name with {schema} and {table} in it'),
    {
      env: 'PGSTREAM_SEARCH_INDEX_TEMPLATE',
      default: '{schema}.{table}',
      doc: "Name of the alias of a table's index in layout `table`.",
    },
  ),
  systemIndex: setting(matching(/^[a-z][a-z0-9_-]{0,99}$/, 'a name of a-z 0-9 _ -'), {
    env: 'PGSTREAM_SEARCH_SYSTEM_INDEX',
    default: 'pgstream',
    doc: 'Index of the schema history, and beginning of the names of our other indices: `pgstream-tables`, `pgstream-parked`.',
  }),
  shards: setting(count(1, 1024), {
    env: 'PGSTREAM_SEARCH_INDEX_SHARDS',
    default: 1,
    doc: 'Primary shards of an index that is created here.',
  }),
  replicas: setting(count(0, 32), {
    env: 'PGSTREAM_SEARCH_INDEX_REPLICAS',
    default: 1,
    doc: 'Copies of each shard of an index that is created here.',
  }),
  gcDeletesMs: setting(DURATION_MS, {
    env: 'PGSTREAM_SEARCH_INDEX_GC_DELETES',
    default: 3_600_000,
    doc: 'How long an index remembers deletes, which is how long a paused worker may sleep and still do no harm.',
  }),
  refresh: setting(choice('adaptive', 'none'), {
    env: 'PGSTREAM_SEARCH_REFRESH',
    default: 'adaptive',
    doc: "`adaptive`: changes are searchable at once while we are caught up. `none`: by the index's own refresh interval.",
  }),
  handleDdl: setting(BOOLEAN, {
    env: 'PGSTREAM_HANDLE_DDL',
    flags: ['--handle-ddl'],
    default: true,
    doc: '`false`: mappings are never changed and indices never dropped; values of new columns stay in `_source` only and are counted.',
  }),
  hashDocIds: setting(BOOLEAN, {
    env: `${INDEXER}_HASH_DOC_IDS`,
    yaml: ['target.search.hash_doc_ids'],
    default: false,
    doc: 'Hash every document id; otherwise only those above 512 bytes.',
  }),
  batchTimeoutMs: optional(DURATION_MS, {
    env: `${INDEXER}_BATCH_TIMEOUT`,
    yaml: ['target.search.batch.timeout'],
    doc: 'Upper bound of the time that a change waits for others. Unset: none waits.',
  }),
  batchItems: optional(count(1), {
    env: `${INDEXER}_BATCH_SIZE`,
    yaml: ['target.search.batch.size'],
    doc: 'Upper bound of the items of a bulk. Unset: adaptive.',
  }),
  batchBytes: optional(BYTES, {
    env: `${INDEXER}_BATCH_BYTES`,
    yaml: ['target.search.batch.max_bytes'],
    doc: 'Upper bound of the bytes of a bulk. Unset: adaptive.',
  }),
  maxQueueBytes: setting(BYTES, {
    env: `${INDEXER}_MAX_QUEUE_BYTES`,
    yaml: ['target.search.batch.max_queue_bytes'],
    default: 100 * 2 ** 20,
    doc: 'Upper bound of the bytes that are accepted and not yet answered.',
  }),
  ignoreSendErrors: setting(refusedWhenTrue('it would lose changes without a word'), {
    env: `${INDEXER}_BATCH_IGNORE_SEND_ERRORS`,
    yaml: ['target.search.batch.ignore_send_errors'],
    default: false,
    doc: 'Known from the original; `true` is refused.',
  }),
  retry: {
    initialMs: setting(DURATION_MS, {
      env: `${STORE}_EXP_BACKOFF_INITIAL_INTERVAL`,
      yaml: ['target.search.backoff.exponential.initial_interval'],
      default: 1000,
      doc: 'First wait before a request, or the items that were refused with 429 or 5xx, are sent again.',
    }),
    maxMs: setting(DURATION_MS, {
      env: `${STORE}_EXP_BACKOFF_MAX_INTERVAL`,
      yaml: ['target.search.backoff.exponential.max_interval'],
      default: 60_000,
      doc: 'Longest wait between two attempts.',
    }),
    maxRetries: setting(count(0), {
      env: `${STORE}_EXP_BACKOFF_MAX_RETRIES`,
      yaml: ['target.search.backoff.exponential.max_retries'],
      default: 0,
      doc: 'Attempts before the process gives up with exit code 1; 0 is no limit.',
    }),
    constantMs: setting(DURATION_MS, {
      env: `${STORE}_BACKOFF_INTERVAL`,
      yaml: ['target.search.backoff.constant.interval'],
      default: 0,
      doc: 'In place of the growing waits: always this wait. 0: growing waits.',
    }),
    constantMaxRetries: setting(count(0), {
      env: `${STORE}_BACKOFF_MAX_RETRIES`,
      yaml: ['target.search.backoff.constant.max_retries'],
      default: 0,
      doc: 'The limit of attempts with the constant wait; 0 is no limit.',
    }),
    disabled: setting(BOOLEAN, {
      env: `${STORE}_DISABLE_RETRIES`,
      yaml: ['target.search.backoff.disable_retries'],
      default: false,
      doc: 'Stop with exit code 1 at the first failure.',
    }),
  },
  tls: {
    enabled: setting(BOOLEAN, {
      env: 'PGSTREAM_SEARCH_TLS_ENABLED',
      yaml: ['target.search.tls.enabled'],
      default: false,
      doc: 'Use the files below; an https URL is TLS in any case.',
    }),
    caFile: optional(TEXT, {
      env: 'PGSTREAM_SEARCH_TLS_CA_CERT_FILE',
      yaml: ['target.search.tls.ca_cert'],
      doc: "PEM file of the authority that signed the cluster's certificate.",
    }),
    certFile: optional(TEXT, {
      env: 'PGSTREAM_SEARCH_TLS_CLIENT_CERT_FILE',
      yaml: ['target.search.tls.client_cert'],
      doc: 'PEM file of our own certificate.',
    }),
    keyFile: optional(TEXT, {
      env: 'PGSTREAM_SEARCH_TLS_CLIENT_KEY_FILE',
      yaml: ['target.search.tls.client_key'],
      doc: 'PEM file of the key of our own certificate.',
    }),
    insecureSkipVerify: setting(BOOLEAN, {
      env: 'PGSTREAM_SEARCH_TLS_INSECURE_SKIP_VERIFY',
      yaml: ['target.search.tls.insecure_skip_verify'],
      default: false,
      doc: 'Accept any certificate.',
    }),
  },
};
