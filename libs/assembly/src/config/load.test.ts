import { PipelineError } from '@pgstream/failure';
import { flatten } from '@pgstream/service-runtime';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { slotNameOf } from './postgres-urls.ts';
import { loadPgstreamConfig } from './load.ts';
import { retryPolicy } from './retry-policy.ts';
import { routeOf, searchUrlOf } from './route.ts';
import { SETTINGS } from './settings.ts';
import { selects, selectsOneTable, tableSelection } from './table-filter.ts';

const PG = 'postgres://replicador:Pass_Stream_2026@10.0.1.10:5432/ecommerce_db';

function routed(env: NodeJS.ProcessEnv, flags: Record<string, string> = {}) {
  return loadPgstreamConfig({ env, flags: new Map(Object.entries(flags)), need: 'route' });
}

function faultsOf(env: NodeJS.ProcessEnv, flags: Record<string, string> = {}): string {
  try {
    routed(env, flags);
  } catch (error) {
    if (error instanceof PipelineError) return `${error.exitCode} ${error.message}`;
  }
  throw new Error('accepted');
}

describe('the command lines of the seeds', () => {
  test('the lab', () => {
    const { config } = routed(
      {},
      {
        '--postgres-url': PG,
        '--sink-type': 'opensearch',
        '--opensearch-url': 'http://10.0.1.30:9200',
        '--opensearch-index': 'productos_idx',
        '--handle-ddl': 'true',
      },
    );
    expect(routeOf(config)).toEqual({ source: 'postgres', target: 'opensearch' });
    expect(config.search).toMatchObject({ index: 'productos_idx', handleDdl: true });
  });

  test('--pgurl, --source-url and --target-url', () => {
    expect(routed({}, { '--pgurl': PG, '--target': 'stdout' }).config.postgres.url).toBe(PG);
    const { config } = routed(
      {},
      { '--source': 'kafka', '--source-url': 'kafka://a:1', '--target-url': 'http://b:2' },
    );
    expect([config.kafka.readerServers, config.search.opensearchUrl]).toEqual([['a:1'], 'http://b:2']);
  });

  test('v0 names: PGSTREAM_KAFKA_SERVERS serves both ends, PGSTREAM_SEARCH_STORE_URL is OpenSearch', () => {
    const producer = routed({ PGSTREAM_POSTGRES_LISTENER_URL: PG, PGSTREAM_KAFKA_SERVERS: 'localhost:9092' });
    expect(routeOf(producer.config)).toEqual({ source: 'postgres', target: 'kafka' });
    const indexer = routed({
      PGSTREAM_KAFKA_SERVERS: 'localhost:9092',
      PGSTREAM_SEARCH_STORE_URL: 'http://s:9200',
    });
    expect(routeOf(indexer.config)).toEqual({ source: 'kafka', target: 'opensearch' });
  });
});

test('nothing configured names what to set', () => {
  const message = faultsOf({});
  expect(message).toMatch(/^78 CONFIG_INVALID/);
  expect(message).toContain('no source is configured: set PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url)');
  expect(message).toContain('no target is configured: set PGSTREAM_OPENSEARCH_STORE_URL (--opensearch-url)');
});

test.each<[string, NodeJS.ProcessEnv]>([
  ['modifiers of data', { PGSTREAM_TRANSFORMER_RULES_FILE: 'rules.yaml' }],
  ['snapshots', { PGSTREAM_POSTGRES_SNAPSHOT_TABLES: '*.*' }],
  ['NATS', { PGSTREAM_NATS_URL: 'nats://x' }],
  ['OTLP metrics', { PGSTREAM_METRICS_ENDPOINT: 'localhost:4317' }],
  ['OTLP traces', { PGSTREAM_TRACES_ENDPOINT: 'localhost:4317' }],
  ['the Postgres target', { PGSTREAM_POSTGRES_WRITER_TARGET_URL: PG }],
])('%s: refused by name, never ignored', (_what, env) => {
  const message = faultsOf({
    PGSTREAM_POSTGRES_LISTENER_URL: PG,
    PGSTREAM_STDOUT_WRITER_ENABLED: 'true',
    ...env,
  });
  expect(message).toMatch(/^78 FEATURE_NOT_AVAILABLE/);
  expect(message).toContain(Object.keys(env)[0]);
});

test.each<[string, NodeJS.ProcessEnv, string]>([
  [
    'errors are not ignored',
    { PGSTREAM_KAFKA_WRITER_BATCH_IGNORE_SEND_ERRORS: 'true' },
    'would lose records',
  ],
  [
    'two targets',
    { PGSTREAM_OPENSEARCH_STORE_URL: 'http://s:1' },
    'several targets are configured (opensearch, stdout)',
  ],
  [
    'webhooks without a store',
    { PGSTREAM_TARGET: 'webhooks' },
    'PGSTREAM_WEBHOOK_SUBSCRIPTION_STORE_URL is needed',
  ],
  ['a key that is none', { PGSTREAM_WEBHOOK_SECRET_KEY: 'short' }, 'PGSTREAM_WEBHOOK_SECRET_KEY'],
  ['another database', { PGSTREAM_INJECTOR_STORE_POSTGRES_URL: 'postgres://h/other' }, 'names "other"'],
  ['half a client certificate', { PGSTREAM_KAFKA_TLS_CLIENT_KEY_FILE: __filename }, 'belong together'],
  ['a missing file', { PGSTREAM_SEARCH_TLS_CA_CERT_FILE: '/no/such.pem' }, 'there is no file /no/such.pem'],
  ['half of SASL', { PGSTREAM_KAFKA_SASL_USER: 'u' }, 'PGSTREAM_KAFKA_SASL_MECHANISM'],
  ['a target that does not exist yet', { PGSTREAM_TARGET: 'postgres' }, 'postgres is not available'],
  [
    'two forms of index',
    { PGSTREAM_SEARCH_INDEX: 'a', PGSTREAM_SEARCH_LAYOUT: 'pgstream' },
    'exclude each other',
  ],
  ['waits upside down', { PGSTREAM_SEARCH_STORE_EXP_BACKOFF_MAX_INTERVAL: '10ms' }, 'is above'],
  ['a malformed slot', { PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: 'Bad-Slot' }, 'lower-case letters'],
  ['a URL with an unknown parameter', { PGSTREAM_POSTGRES_ADMIN_URL: `${PG}?sslmod=x` }, 'unknown parameter'],
  ['a misspelt name', { PGSTREAM_POSTGRES_LISTENER_URI: PG }, 'did you mean PGSTREAM_POSTGRES_LISTENER_URL?'],
])('%s: refused', (_what, env, words) => {
  const message = faultsOf({
    PGSTREAM_POSTGRES_LISTENER_URL: PG,
    PGSTREAM_STDOUT_WRITER_ENABLED: 'true',
    ...env,
  });
  expect(message).toContain(words);
  expect(message).not.toContain('Pass_Stream_2026');
});

test('settings of the original that mean nothing here are warned about once', () => {
  const { warnings } = routed({
    PGSTREAM_POSTGRES_LISTENER_URL: PG,
    PGSTREAM_STDOUT_WRITER_ENABLED: 'true',
    PGSTREAM_POSTGRES_REPLICATION_PLUGIN_INCLUDE_XIDS: 'true',
    PGSTREAM_SEARCH_INDEXER_CLEANUP_BACKOFF_INTERVAL: '1s',
  });
  expect(warnings).toHaveLength(2);
});

test("the original's YAML", () => {
  const dir = mkdtempSync(join(tmpdir(), 'yaml-'));
  const file = join(dir, 'pg2os.yaml');
  writeFileSync(
    file,
    `source:
  postgres:
    url: "\${DB_URL}"
    mode: replication
    replication:
      replication_slot: my_slot
target:
  search:
    engine: elasticsearch
    url: "http://admin:secret@localhost:9200"
    batch: { timeout: 5000, size: 100, max_bytes: 1572864 }
    backoff: { exponential: { max_retries: 0, initial_interval: 1000, max_interval: 60000 } }
modifiers:
  injector: { enabled: true }
  filter: { exclude_tables: [audit.*] }
logging: { level: trace, format: { type: json, no_color: true } }
`,
  );
  const { config } = loadPgstreamConfig({ env: { DB_URL: PG }, file, need: 'route' });
  rmSync(dir, { recursive: true });
  expect(routeOf(config)).toEqual({ source: 'postgres', target: 'elasticsearch' });
  expect(searchUrlOf(config)).toContain('localhost:9200');
  expect(config).toMatchObject({
    postgres: { url: PG, slotName: 'my_slot' },
    search: { batchTimeoutMs: 5000, batchItems: 100, batchBytes: 1_572_864 },
    filter: { exclude: ['audit.*'] },
    log: { level: 'trace', format: 'json', noColor: true },
  });
});

test('every setting has its own name', () => {
  const names = flatten(SETTINGS).flatMap(({ setting: { env, yaml = [] } }) => [env, ...yaml]);
  expect(new Set(names).size).toBe(names.length);
});

test.each([
  ['postgres://u@h:1/My.App-db', 'pgstream_my_app_db_slot'],
  ['postgres://postgres:postgres@localhost?sslmode=disable', 'pgstream_postgres_slot'],
])('the slot of %s is %s', (url, slot) => {
  expect(slotNameOf(routed({ PGSTREAM_POSTGRES_LISTENER_URL: url, PGSTREAM_TARGET: 'stdout' }).config)).toBe(
    slot,
  );
});

describe('table filters', () => {
  test.each<[string, string, string, boolean]>([
    ['t', '', 'public.t', true],
    ['t', '', 'app.t', false],
    ['app.*', '', 'app.anything', true],
    ['*.*', 'app.secret', 'app.secret', false],
    ['*', 'app.*', 'app.secret', false],
    ['app.secret', 'app.*', 'app.secret', false],
    ['', '', 'any.any', true],
    ['app.order_*', '', 'app.order_2026', true],
    ['app.a+b', '', 'app.aab', false],
  ])('include %j, exclude %j: %s is %j', (include, exclude, name, selected) => {
    const { config } = loadPgstreamConfig({
      env: { PGSTREAM_FILTER_INCLUDE_TABLES: include, PGSTREAM_FILTER_EXCLUDE_TABLES: exclude },
      need: 'none',
    });
    const [schema = '', table = ''] = name.split('.');
    expect(selects(tableSelection(config), schema, table)).toBe(selected);
  });

  test('exactly one table is selected only when it is named', () => {
    const lists = [['productos'], ['public.*'], [], ['a', 'b']];
    expect(lists.map((include) => selectsOneTable({ include, exclude: [] }))).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

test('retry variables become one policy', () => {
  const base = {
    initialMs: 500,
    maxMs: 30_000,
    maxRetries: 0,
    constantMs: 0,
    constantMaxRetries: 0,
    disabled: false,
  };
  expect(retryPolicy(base)).toEqual({ initialMs: 500, maxMs: 30_000, maxRetries: null });
  expect(retryPolicy({ ...base, constantMs: 100, constantMaxRetries: 5 })).toEqual({
    initialMs: 100,
    maxMs: 100,
    maxRetries: 5,
  });
  expect(retryPolicy({ ...base, disabled: true }).maxRetries).toBe(0);
});
