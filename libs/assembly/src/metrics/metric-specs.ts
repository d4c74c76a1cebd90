import type { MetricTable } from '@pgstream/service-runtime';
import { WEBHOOK_METRICS } from './webhook-metrics.ts';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Every process. */
export const PROCESS_METRICS = {
  pgstream_build_info: {
    type: 'gauge',
    help: 'Always 1; the labels say what runs.',
    labels: ['version', 'source', 'target'],
  },
  pgstream_pipeline_batches_in_flight: {
    type: 'gauge',
    help: 'Batches that were written and have not settled.',
    labels: [],
  },
  pgstream_pipeline_bytes_in_flight: {
    type: 'gauge',
    help: 'Bytes of records that were written and have not settled.',
    labels: [],
  },
  pgstream_pipeline_records_total: {
    type: 'counter',
    help: 'Records that settled: durable in the target, or parked.',
    labels: ['target'],
  },
  pgstream_pipeline_settle_seconds: {
    type: 'histogram',
    help: 'Time from handing a batch to the target until it settled.',
    labels: ['target'],
    buckets: SECONDS,
  },
  pgstream_sink_last_commit_timestamp: {
    type: 'gauge',
    help: 'Commit time of the newest record that settled, seconds since 1970; now minus this is the freshness of the target.',
    labels: ['target'],
  },
  pgstream_dlq_records_total: {
    type: 'counter',
    help: 'Records parked as dead letters.',
    labels: ['sink', 'code'],
  },
  pgstream_retries_total: {
    type: 'counter',
    help: 'Attempts that failed with something time can heal.',
    labels: ['part', 'code'],
  },
} as const satisfies MetricTable;

/** Processes that read PostgreSQL. */
export const PRODUCER_METRICS = {
  pgstream_producer_leader: {
    type: 'gauge',
    help: '1 while this process holds the slot, 0 while it waits as standby.',
    labels: [],
  },
  pgstream_producer_last_ack_timestamp: {
    type: 'gauge',
    help: 'When a position was last confirmed to PostgreSQL, seconds since 1970.',
    labels: [],
  },
  pgstream_source_last_commit_timestamp: {
    type: 'gauge',
    help: 'Commit time of the newest transaction read, seconds since 1970.',
    labels: [],
  },
  pgstream_source_records_total: {
    type: 'counter',
    help: 'Records read from the slot, after the filters.',
    labels: [],
  },
  pgstream_source_transactions_total: {
    type: 'counter',
    help: 'Transactions read from the slot.',
    labels: [],
  },
  pgstream_source_bytes_total: { type: 'counter', help: 'Bytes of the replication stream.', labels: [] },
  pgstream_source_reconnects_total: {
    type: 'counter',
    help: 'Replication connections that were lost.',
    labels: [],
  },
  pgstream_source_filtered_total: {
    type: 'counter',
    help: 'Changes of tables that the filters leave out.',
    labels: [],
  },
  pgstream_source_gaps: {
    type: 'gauge',
    help: 'Tables with rows written before the publication had them.',
    labels: [],
  },
  pgstream_slot_retained_wal_bytes: {
    type: 'gauge',
    help: 'WAL that PostgreSQL keeps on disk for the slot. Alert on it.',
    labels: ['slot'],
  },
  pgstream_slot_max_wal_bytes: {
    type: 'gauge',
    help: 'max_slot_wal_keep_size in bytes; -1 is no limit.',
    labels: ['slot'],
  },
  pgstream_slot_safe_wal_size_bytes: {
    type: 'gauge',
    help: 'WAL that may still be written before the slot is lost.',
    labels: ['slot'],
  },
  pgstream_slot_confirmed_flush_lag_bytes: {
    type: 'gauge',
    help: 'WAL between what is confirmed and the newest position.',
    labels: ['slot'],
  },
  pgstream_slot_active: {
    type: 'gauge',
    help: '1 while some process streams from the slot.',
    labels: ['slot'],
  },
  pgstream_slot_wal_status: {
    type: 'gauge',
    help: '1 for the present status of the slot: reserved, extended, unreserved, lost.',
    labels: ['slot', 'status'],
  },
  pgstream_wal_bytes_total: {
    type: 'gauge',
    help: 'Newest position of the log as a byte offset; its rate is the write rate of the server.',
    labels: [],
  },
} as const satisfies MetricTable;

/** Processes that write Kafka. */
export const KAFKA_SINK_METRICS = {
  pgstream_kafka_produced_records_total: {
    type: 'counter',
    help: 'Records that all in-sync replicas have.',
    labels: ['topic'],
  },
  pgstream_kafka_produced_bytes_total: {
    type: 'counter',
    help: 'Bytes of values before compression.',
    labels: ['topic'],
  },
  pgstream_kafka_skipped_records_total: {
    type: 'counter',
    help: 'Records that were in the log already after a restart.',
    labels: ['topic'],
  },
  pgstream_kafka_rounds_total: { type: 'counter', help: 'Rounds of produce requests.', labels: ['topic'] },
  pgstream_kafka_heartbeats_total: { type: 'counter', help: 'Heartbeat records written.', labels: ['topic'] },
} as const satisfies MetricTable;

/** Processes that read Kafka. */
export const CONSUMER_METRICS = {
  pgstream_consumer_lag_records: {
    type: 'gauge',
    help: 'Records behind the end of the partition.',
    labels: ['group', 'topic', 'partition'],
  },
  pgstream_consumer_lag_seconds: {
    type: 'gauge',
    help: 'Now minus the commit time of the first uncommitted record; 0 when caught up.',
    labels: ['group', 'topic', 'partition'],
  },
  pgstream_consumer_assigned_partitions: {
    type: 'gauge',
    help: 'Partitions that this worker owns.',
    labels: ['group', 'topic'],
  },
  pgstream_consumer_committed_offset: {
    type: 'gauge',
    help: 'Next offset to read, as committed by this worker.',
    labels: ['group', 'topic', 'partition'],
  },
  pgstream_consumer_skipped_records_total: {
    type: 'counter',
    help: 'Records at or below a position that was seen.',
    labels: ['group', 'topic'],
  },
  pgstream_consumer_read_records_total: {
    type: 'counter',
    help: 'Records read, without heartbeats and records seen before.',
    labels: ['group', 'topic'],
  },
  pgstream_consumer_commits_total: { type: 'counter', help: 'Offset commits.', labels: ['group', 'topic'] },
  pgstream_rebalances_total: {
    type: 'counter',
    help: 'Rebalances that this worker lived through.',
    labels: ['group'],
  },
} as const satisfies MetricTable;

/** Processes that index. */
export const SEARCH_SINK_METRICS = {
  pgstream_search_documents_total: {
    type: 'counter',
    help: 'Items of bulks by what became of them.',
    labels: ['outcome'],
  },
  pgstream_search_conflicts_total: {
    type: 'counter',
    help: 'Items older than the document: replays, which change nothing.',
    labels: [],
  },
  pgstream_search_parked_total: {
    type: 'counter',
    help: 'Documents and records that were newly parked.',
    labels: ['code'],
  },
  pgstream_search_parked_keys: {
    type: 'gauge',
    help: 'Keys that are parked, of all tables and workers: every worker shows all of them. Alert on it.',
    labels: [],
  },
  pgstream_search_coalesced_total: {
    type: 'counter',
    help: 'Changes that came behind a parked key and wait with it.',
    labels: [],
  },
  pgstream_search_unparked_total: {
    type: 'counter',
    help: 'Keys that flow again: `released` (a schema change, a new version), `resolved` (the row was deleted), `gone` (seen to by another process: retry or discard).',
    labels: ['how'],
  },
  pgstream_search_bulk_seconds: {
    type: 'histogram',
    help: 'Duration of a bulk.',
    labels: [],
    buckets: SECONDS,
  },
  pgstream_search_bulk_bytes_total: { type: 'counter', help: 'Bytes of bulk bodies.', labels: [] },
  pgstream_search_refresh_seconds: {
    type: 'histogram',
    help: 'Duration of a refresh, or of the bulk that carried it.',
    labels: [],
    buckets: SECONDS,
  },
  pgstream_search_bulk_retries_total: {
    type: 'counter',
    help: 'Items sent again after 429 or 5xx.',
    labels: ['code'],
  },
  pgstream_search_incomplete_documents_total: {
    type: 'counter',
    help: 'Documents indexed without values that were not in the stream.',
    labels: [],
  },
  pgstream_search_ignored_values_total: {
    type: 'counter',
    help: 'Values that the field type cannot hold, indexed as null with a note.',
    labels: [],
  },
  pgstream_search_skipped_total: {
    type: 'counter',
    help: 'Changes that are not indexed, by reason: `keyless` (table without a key), `late` (row of a dropped table).',
    labels: ['reason'],
  },
  pgstream_search_stale_tables: {
    type: 'gauge',
    help: 'Tables whose rows changed without row events; read them again.',
    labels: [],
  },
} as const satisfies MetricTable;

/** Every series of the product, in the order of the documentation. */
export const METRIC_TABLES: Readonly<Record<string, MetricTable>> = {
  'Every process': PROCESS_METRICS,
  'PostgreSQL source': PRODUCER_METRICS,
  'Kafka target': KAFKA_SINK_METRICS,
  'Kafka source': CONSUMER_METRICS,
  'Search target': SEARCH_SINK_METRICS,
  'Webhook target': WEBHOOK_METRICS,
};
