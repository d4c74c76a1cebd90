import type { MetricTable } from '@pgstream/service-runtime';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** The label is the id of the subscription, never its URL. */
export const WEBHOOK_METRICS = {
  pgstream_webhook_attempts_total: {
    type: 'counter',
    help: 'Requests to endpoints: `delivered` (2xx), `event` (it answered and refused this one), `endpoint` (no answer, or busy).',
    labels: ['subscription', 'outcome'],
  },
  pgstream_webhook_retried_total: {
    type: 'counter',
    help: 'Attempts that were not the first of their event.',
    labels: ['subscription'],
  },
  pgstream_webhook_parked_total: {
    type: 'counter',
    help: 'Events that were put aside, to be delivered later.',
    labels: ['subscription'],
  },
  pgstream_webhook_dead_lettered_total: {
    type: 'counter',
    help: 'Events that were given up and kept as dead letters.',
    labels: ['subscription'],
  },
  pgstream_webhook_gaps_total: {
    type: 'counter',
    help: 'Stretches of the log that retention took before they were delivered. Each is a loss.',
    labels: ['subscription'],
  },
  pgstream_webhook_attempt_seconds: {
    type: 'histogram',
    help: 'Duration of a request to an endpoint.',
    labels: [],
    buckets: SECONDS,
  },
  pgstream_webhook_delivery_seconds: {
    type: 'histogram',
    help: 'From the commit of a change to the answer with 2xx.',
    labels: [],
    buckets: SECONDS,
  },
  pgstream_webhook_lag_records: {
    type: 'gauge',
    help: 'Offsets between the cursors of this worker and where it has read to. Without Kafka: bytes of WAL.',
    labels: ['subscription'],
  },
  pgstream_webhook_lag_seconds: {
    type: 'gauge',
    help: 'Age of the oldest event that is read and not settled.',
    labels: ['subscription'],
  },
  pgstream_webhook_lanes: {
    type: 'gauge',
    help: 'Partitions by what this worker does in them: `attached`, `catching_up`, `detached`.',
    labels: ['subscription', 'state'],
  },
  pgstream_webhook_parked_events: {
    type: 'gauge',
    help: 'Events that wait outside the log, of the partitions of this worker.',
    labels: ['subscription'],
  },
  pgstream_webhook_held_bytes: {
    type: 'gauge',
    help: 'Bytes of events that are read and not settled, over all subscriptions.',
    labels: [],
  },
  pgstream_webhook_kept_bytes: {
    type: 'gauge',
    help: 'Without Kafka: bytes of records in the store that subscriptions which are behind have not had yet.',
    labels: [],
  },
  pgstream_webhook_requests_in_flight: {
    type: 'gauge',
    help: 'Requests to endpoints that were not answered yet.',
    labels: [],
  },
} as const satisfies MetricTable;
