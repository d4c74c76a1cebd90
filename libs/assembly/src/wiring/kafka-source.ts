import { ChangeConsumer, type ChangeConsumerOptions } from '@pgstream/change-consumer';
import { LagReader } from '@pgstream/kafka-client';
import { createMetrics } from '@pgstream/service-runtime';
import type { DeadLetterStore } from '@pgstream/wal-event';
import { CONSUMER_METRICS } from '../metrics/metric-specs.ts';
import { followCounter } from '../runtime/follow-counter.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { lagOptions } from './group-lag.ts';
import { kafkaConnection, kafkaLog } from './kafka-connection.ts';
import { repeat } from './repeat.ts';

/**
 * A member of the consumer group. It joins when the pipeline asks for the first batch.
 * @param own what a target needs otherwise than the settings say.
 */
export function kafkaSource(
  context: RunContext,
  deadLetters: DeadLetterStore,
  own: Partial<ChangeConsumerOptions> = {},
): ChangeConsumer {
  const { config, log } = context;
  const source = new ChangeConsumer({
    connection: kafkaConnection(config, 'reader'),
    groupId: config.kafka.consumer.groupId,
    topic: config.kafka.topic.name,
    startFrom: config.kafka.consumer.startOffset,
    deadLetters,
    maxInFlightBytes: config.route.memoryBytes,
    sessionTimeoutMs: config.kafka.consumer.sessionTimeoutMs,
    drainTimeoutMs: Math.min(DRAIN_TIMEOUT_MS, config.kafka.consumer.sessionTimeoutMs / 2),
    topicWaitMs: TOPIC_WAIT_MS,
    onLog: kafkaLog(log),
    ...own,
  });
  exportConsumer(context, source);
  return source;
}

const LAG_INTERVAL_MS = 5000;
/** What a rebalance may wait for; a worker that waits longer than its session would be thrown out. */
const DRAIN_TIMEOUT_MS = 10_000;
/** Producer and workers are often started together: the topic may be made a moment later. */
const TOPIC_WAIT_MS = 30_000;

function exportConsumer(context: RunContext, source: ChangeConsumer): void {
  const { config, registry, log } = context;
  const metrics = createMetrics(CONSUMER_METRICS, registry);
  const group = config.kafka.consumer.groupId;
  const topic = config.kafka.topic.name;
  const follow = [
    followCounter(
      metrics.pgstream_consumer_skipped_records_total,
      { group, topic },
      () => source.counts.duplicates,
    ),
    followCounter(
      metrics.pgstream_consumer_read_records_total,
      { group, topic },
      () => source.counts.records,
    ),
    followCounter(metrics.pgstream_consumer_commits_total, { group, topic }, () => source.counts.commits),
    followCounter(metrics.pgstream_rebalances_total, { group }, () => source.counts.assignments),
  ];
  context.onScrape(() => {
    for (const bring of follow) bring();
    metrics.pgstream_consumer_assigned_partitions.set({ group, topic }, source.lanes.length);
  });
  const lag = new LagReader(lagOptions(config));
  context.defer('lag reader', () => lag.close());
  repeat(
    context,
    LAG_INTERVAL_MS,
    async () => {
      const rows = await lag.read();
      const mine = new Set(source.lanes);
      // Partitions of others would be counted twice over all workers.
      for (const gauge of [metrics.pgstream_consumer_lag_records, metrics.pgstream_consumer_lag_seconds])
        gauge.reset();
      for (const { partition, lagRecords, lagSeconds, committed } of rows.filter((row) =>
        mine.has(row.partition),
      )) {
        const labels = { group, topic, partition: String(partition) };
        metrics.pgstream_consumer_lag_records.set(labels, lagRecords);
        metrics.pgstream_consumer_lag_seconds.set(labels, lagSeconds ?? 0);
        if (committed !== null) metrics.pgstream_consumer_committed_offset.set(labels, committed);
      }
    },
    (error) => log.debug({ code: error.code }, 'the lag could not be read'),
  );
}
