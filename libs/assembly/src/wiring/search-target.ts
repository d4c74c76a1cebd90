import { SearchSink, type SearchNotice, type SearchObserver } from '@pgstream/search-sink';
import type { SearchStore } from '@pgstream/search-store';
import { createMetrics } from '@pgstream/service-runtime';
import type { DeadLetterStore } from '@pgstream/wal-event';
import { retryPolicy } from '../config/retry-policy.ts';
import { searchSettingOf } from '../config/route.ts';
import { selectsOneTable, tableSelection } from '../config/table-filter.ts';
import { SEARCH_SINK_METRICS } from '../metrics/metric-specs.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { parked } from './parked.ts';
import { repeat } from './repeat.ts';
import { startWithRetry } from '../runtime/start-with-retry.ts';

/** @throws {PipelineError} what time cannot heal: wrong password, TLS, a store that is none. */
export async function searchTarget(
  context: RunContext,
  store: SearchStore,
  deadLetters: DeadLetterStore,
  /** For sources that can lose what they handed over to another process. */
  mayWrite?: () => Promise<boolean>,
): Promise<SearchSink> {
  const { config, log } = context;
  const policy = retryPolicy(config.search.retry);
  const setting = searchSettingOf(config);
  const info = await startWithRetry(context, { part: 'search', policy, setting }, () => store.info());
  log.info({ distribution: info.distribution, version: info.version }, 'search cluster found');
  const { search } = config;
  const sink = new SearchSink({
    store,
    deadLetters,
    layout: search.layout,
    indexTemplate: search.indexTemplate,
    singleTable: selectsOneTable(tableSelection(config)),
    hashDocIds: search.hashDocIds,
    handleDdl: search.handleDdl,
    systemPrefix: search.systemIndex,
    indexSettings: {
      number_of_shards: search.shards,
      number_of_replicas: search.replicas,
      gc_deletes: `${search.gcDeletesMs}ms`,
    },
    bulkTimeoutMs: Math.min(BULK_TIMEOUT_MS, Math.floor((config.kafka.consumer.sessionTimeoutMs * 2) / 3)),
    maxUnsettledBytes: Math.min(search.maxQueueBytes, config.route.memoryBytes),
    backoff: { initialMs: policy.initialMs, maxMs: policy.maxMs },
    productVersion: context.version,
    observer: searchObserver(context),
    ...(mayWrite === undefined ? {} : { mayWrite }),
    ...(search.index === null ? {} : { pinnedIndex: search.index }),
    ...(search.batchBytes === null ? {} : { maxBulkBytes: search.batchBytes }),
    ...(search.batchItems === null ? {} : { maxBulkDocuments: search.batchItems }),
    ...(search.refresh === 'none' ? { refreshIntervalMs: 0 } : {}),
  });
  // What others release or park is known at the latest by then, and when a key is touched.
  repeat(
    context,
    PARKED_INTERVAL_MS,
    () => sink.readParked(),
    (error) => log.debug({ code: error.code }, 'parked keys could not be read'),
  );
  return sink;
}

const PARKED_INTERVAL_MS = 15_000;

/** Below the session of the worker, so that a bulk ends before another worker may own the partition. */
const BULK_TIMEOUT_MS = 20_000;

const WARNINGS: ReadonlySet<SearchNotice> = new Set<SearchNotice>([
  'index_missing',
  'table_state_missing',
  'schema_change_ignored',
  'columns_not_mapped',
  'table_keyless',
  'table_stale',
  'late_rows',
  'document_refused',
  'keys_parked',
  'keys_released',
  'retrying',
]);

function searchObserver(context: RunContext): SearchObserver {
  const { registry, log, metrics: process, peerAway } = context;
  const metrics = createMetrics(SEARCH_SINK_METRICS, registry);
  return {
    indexed: (count) => metrics.pgstream_search_documents_total.inc({ outcome: 'indexed' }, count),
    deleted: (count) => metrics.pgstream_search_documents_total.inc({ outcome: 'deleted' }, count),
    conflicts: (count) => metrics.pgstream_search_conflicts_total.inc(count),
    parked: (code, count) => metrics.pgstream_search_parked_total.inc({ code }, count),
    keyParked: (letter) => parked(context, letter),
    coalesced: (changes) => metrics.pgstream_search_coalesced_total.inc(changes),
    unparked: (how, keys) => metrics.pgstream_search_unparked_total.inc({ how }, keys),
    parkedKeys: (count) => metrics.pgstream_search_parked_keys.set(count),
    incomplete: (columns) => metrics.pgstream_search_incomplete_documents_total.inc(columns),
    ignored: (values) => metrics.pgstream_search_ignored_values_total.inc(values),
    keyless: (rows) => metrics.pgstream_search_skipped_total.inc({ reason: 'keyless' }, rows),
    late: (rows) => metrics.pgstream_search_skipped_total.inc({ reason: 'late' }, rows),
    bulk: ({ bytes, durationMs }) => {
      metrics.pgstream_search_bulk_seconds.observe(durationMs / 1000);
      metrics.pgstream_search_bulk_bytes_total.inc(bytes);
    },
    retried: (code, items) => {
      peerAway();
      metrics.pgstream_search_bulk_retries_total.inc({ code }, items);
      process.pgstream_retries_total.inc({ part: 'search', code });
    },
    refreshed: ({ durationMs }) => metrics.pgstream_search_refresh_seconds.observe(durationMs / 1000),
    staleTables: (count) => metrics.pgstream_search_stale_tables.set(count),
    notice: (event, facts) => {
      if (event === 'retrying') peerAway();
      log[WARNINGS.has(event) ? 'warn' : 'info']({ event, ...facts }, NOTICES[event]);
    },
  };
}

const NOTICES: Readonly<Record<SearchNotice, string>> = {
  index_created: 'index created',
  index_missing: 'an index is gone and is made again',
  table_state_missing: 'what is known of a table was removed from the search store and is written again',
  index_generation: 'the source is another cluster: a new generation of the index',
  schema_change_applied: 'schema change applied',
  schema_change_ignored: 'schema change not applied',
  columns_not_mapped: 'new columns stay in _source only',
  table_keyless: 'table has no key and is not indexed',
  table_stale: 'rows changed without row events: read the table again',
  table_dropped: 'table dropped, index removed',
  late_rows: 'rows of a dropped table were skipped',
  document_refused: 'document refused',
  keys_parked: 'keys are parked: see pgstream dead-letters ls',
  keys_released: 'parked keys were tried again',
  retrying: 'the search store is away or busy, trying again',
};
