import { slotFacts, type PostgresSource, type SlotFacts, type Sql } from '@pgstream/postgres-source';
import { createMetrics, type Metrics } from '@pgstream/service-runtime';
import { PRODUCER_METRICS } from '../metrics/metric-specs.ts';
import { followCounter } from '../runtime/follow-counter.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { repeat } from './repeat.ts';

type ProducerMetrics = Metrics<typeof PRODUCER_METRICS>;
const made = new WeakMap<RunContext['registry'], ProducerMetrics>();

export function producerMetrics({ registry }: RunContext): ProducerMetrics {
  const known = made.get(registry) ?? createMetrics(PRODUCER_METRICS, registry);
  made.set(registry, known);
  return known;
}

/** What the source knows about itself, read before each scrape. */
export function exportSource(context: RunContext, source: PostgresSource): void {
  const metrics = producerMetrics(context);
  const follow = [
    followCounter(metrics.pgstream_source_records_total, {}, () => source.facts.records),
    followCounter(metrics.pgstream_source_transactions_total, {}, () => source.facts.transactions),
    followCounter(metrics.pgstream_source_bytes_total, {}, () => source.facts.bytes),
    followCounter(metrics.pgstream_source_reconnects_total, {}, () => source.facts.reconnects),
    followCounter(metrics.pgstream_source_filtered_total, {}, () => source.facts.filtered),
  ];
  let confirmed = source.facts.confirmedLsn;
  context.onScrape(() => {
    const { role, lastCommitTimeMs, confirmedLsn } = source.facts;
    for (const bring of follow) bring();
    metrics.pgstream_producer_leader.set(role === 'leader' ? 1 : 0);
    if (lastCommitTimeMs > 0) metrics.pgstream_source_last_commit_timestamp.set(lastCommitTimeMs / 1000);
    if (confirmedLsn !== confirmed) metrics.pgstream_producer_last_ack_timestamp.set(Date.now() / 1000);
    confirmed = confirmedLsn;
  });
}

const WAL_STATUSES = ['reserved', 'extended', 'unreserved', 'lost'];

const WAL = `
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::text AS wal,
  CASE setting WHEN '-1' THEN '-1' ELSE (setting::bigint * 1048576)::text END AS keep,
  (SELECT (pg_current_wal_lsn() - confirmed_flush_lsn)::text FROM pg_replication_slots WHERE slot_name = $1) AS lag,
  (SELECT count(*)::text FROM pgstream.gaps WHERE slot = $1) AS gaps
FROM pg_settings WHERE name = 'max_slot_wal_keep_size'`;

/** The slot as the server shows it: on an ordinary connection, so that a standby sees it as well. */
export function pollSlot(
  context: RunContext,
  { sql, slot, source }: { sql: Sql; slot: string; source: PostgresSource },
): void {
  const metrics = producerMetrics(context);
  repeat(
    context,
    context.config.postgres.slotPollIntervalMs,
    async () => {
      const { rows } = await sql.query(WAL, [slot]);
      const number = (name: string) => Number(rows[0]?.[name] ?? Number.NaN);
      metrics.pgstream_wal_bytes_total.set(number('wal'));
      metrics.pgstream_slot_max_wal_bytes.set({ slot }, number('keep'));
      metrics.pgstream_source_gaps.set(number('gaps'));
      metrics.pgstream_slot_confirmed_flush_lag_bytes.set({ slot }, number('lag'));
      setSlot(metrics, slot, await slotFacts(sql, slot));
    },
    (error) => {
      source.refused(error);
      context.log.debug({ code: error.code }, 'the slot could not be read');
    },
  );
}

/** A slot that is gone is as good as lost. */
const GONE = { active: false, retainedBytes: null, safeBytes: null, walStatus: 'lost' } as const;

function setSlot(metrics: ProducerMetrics, slot: string, facts: SlotFacts | null): void {
  const { active, retainedBytes, safeBytes, walStatus } = facts ?? GONE;
  metrics.pgstream_slot_active.set({ slot }, Number(active));
  if (retainedBytes !== null) metrics.pgstream_slot_retained_wal_bytes.set({ slot }, retainedBytes);
  if (safeBytes !== null) metrics.pgstream_slot_safe_wal_size_bytes.set({ slot }, safeBytes);
  for (const status of WAL_STATUSES) {
    metrics.pgstream_slot_wal_status.set({ slot, status }, Number(status === walStatus));
  }
}
