import { KafkaDeadLetterStore } from '@pgstream/kafka-client';
import {
  openKafkaSink,
  type KafkaSink,
  type KafkaSinkEvent,
  type KafkaSinkOptions,
} from '@pgstream/kafka-sink';
import { observedDeadLetters } from '@pgstream/pipeline';
import { saveRouting } from '@pgstream/postgres-source';
import { createMetrics } from '@pgstream/service-runtime';
import type { DeadLetterStore } from '@pgstream/wal-event';
import { HAS_ZSTD } from '../config/check-config.ts';
import { retryPolicy } from '../config/retry-policy.ts';
import { KAFKA_SINK_METRICS } from '../metrics/metric-specs.ts';
import { followCounter } from '../runtime/follow-counter.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { startWithRetry } from '../runtime/start-with-retry.ts';
import { kafkaConnection, kafkaLog } from './kafka-connection.ts';
import { LazySink } from './lazy-sink.ts';
import { parked } from './parked.ts';
import type { PostgresEnd } from './postgres-end.ts';
import { sourceIdOf } from './start-check.ts';

const DEFAULT_PARTITIONS = 12;

/** Kafka behind the slot of `postgres`. It is opened when this process becomes the leader. */
export function kafkaTarget(context: RunContext, postgres: PostgresEnd): LazySink {
  const { config, defer } = context;
  const letters = kafkaDeadLetters(context, 'writer');
  defer('dead letters', () => letters.store.close());
  return new LazySink('kafka', async () => {
    const sink = await startWithRetry(
      context,
      {
        part: 'kafka',
        policy: retryPolicy(config.postgres.retry),
        setting: 'PGSTREAM_KAFKA_WRITER_SERVERS, PGSTREAM_KAFKA_TOPIC_NAME',
      },
      () => openKafkaSink(sinkOptions(context, postgres, letters.observed)),
    );
    await rememberTopic(postgres, config.kafka.topic.name, sink.topicId);
    exportKafkaSink(context, sink);
    return sink;
  });
}

export function kafkaDeadLetters(
  context: RunContext,
  end: 'reader' | 'writer',
): { readonly store: KafkaDeadLetterStore; readonly observed: DeadLetterStore } {
  const { config, log } = context;
  const store = new KafkaDeadLetterStore({
    connection: kafkaConnection(config, end),
    topic: config.kafka.topic.name,
    // Letters must never be lost for want of a topic, so this one is always created.
    autoCreate: true,
    replicationFactor: config.kafka.topic.replicationFactor,
    deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
    onLog: kafkaLog(log),
  });
  return { store, observed: observedDeadLetters(store, (letter) => parked(context, letter)) };
}

/** An outage of the brokers up to this long is waited out; after a longer one the process ends with 1 and starts over. */
const DELIVERY_TIMEOUT_MS = 300_000;

function sinkOptions(
  context: RunContext,
  postgres: PostgresEnd,
  deadLetters: DeadLetterStore,
): KafkaSinkOptions {
  const { config, log, signal } = context;
  const { topic, writer } = config.kafka;
  const { state } = postgres.start;
  return {
    connection: kafkaConnection(config, 'writer'),
    topic: topic.name,
    // Unset: whatever an existing topic has, and the default where it is created.
    partitions: topic.partitions ?? (topic.autoCreate ? DEFAULT_PARTITIONS : 1),
    minPartitions: topic.partitions ?? 1,
    deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
    autoCreate: topic.autoCreate,
    replicationFactor: topic.replicationFactor,
    maxMessageBytes: topic.maxMessageBytes,
    keying: topic.keyMode,
    sourceId: sourceIdOf(state.systemId, postgres.database, postgres.slot),
    slotName: postgres.slot,
    epoch: state.epoch,
    routing: {
      include: (config.filter.include ?? []).join(','),
      exclude: (config.filter.exclude ?? []).join(','),
      publications: state.publications.join(','),
    },
    isConfirmed: postgres.isConfirmed,
    ...knownTopic(postgres, topic.name),
    deadLetters,
    onEvent: (event) => logEvent(log, event),
    onFailure: context.fail,
    signal,
    compression: writer.compression ?? (HAS_ZSTD ? 'zstd' : 'none'),
    heartbeatIntervalMs: writer.heartbeatIntervalMs,
    ...limitsOf(writer),
  };
}

function limitsOf(
  writer: RunContext['config']['kafka']['writer'],
): Pick<KafkaSinkOptions, 'maxQueueBytes' | 'maxBatchBytes' | 'maxBatchRecords'> {
  return {
    ...(writer.maxQueueBytes === null ? {} : { maxQueueBytes: writer.maxQueueBytes }),
    ...(writer.batchBytes === null ? {} : { maxBatchBytes: writer.batchBytes }),
    ...(writer.batchRecords === null ? {} : { maxBatchRecords: writer.batchRecords }),
  };
}

/** What is written down of the topic: positions in the slot and in the topic belong together. */
interface KnownTopic {
  readonly topic: string;
  readonly topicId: string;
  /** Where the slot began; a slot that was made anew owes nothing to the old topic. */
  readonly slotFrom: string | null;
}

function knownTopic({ start }: PostgresEnd, topic: string): { readonly expectedTopicId?: string } {
  const { routingHash, consistentPoint } = start.state;
  if (routingHash === null) return {};
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by rememberTopic alone
  const known = JSON.parse(routingHash) as KnownTopic;
  return known.topic === topic && known.slotFrom === consistentPoint
    ? { expectedTopicId: known.topicId }
    : {};
}

async function rememberTopic(
  { database, slot, start }: PostgresEnd,
  topic: string,
  topicId: string,
): Promise<void> {
  const known: KnownTopic = { topic, topicId, slotFrom: start.state.consistentPoint };
  const text = JSON.stringify(known);
  if (text !== start.state.routingHash) await saveRouting(database.pool, slot, text);
}

function logEvent(log: RunContext['log'], event: KafkaSinkEvent): void {
  switch (event.kind) {
    case 'log':
      kafkaLog(log)(event.line);
      break;
    case 'topic_created':
      log.info({ topic: event.topic }, 'topic created');
      break;
    case 'waiting_for_predecessor':
      log.warn({ waitMs: event.waitMs }, 'waiting until requests of an earlier producer have ended');
      break;
    case 'recovered':
      log.info(
        { partitions: event.tails.length, producerEpoch: event.producerEpoch },
        'positions read from the topic',
      );
      break;
    default:
      break;
  }
}

function exportKafkaSink(context: RunContext, sink: KafkaSink): void {
  const metrics = createMetrics(KAFKA_SINK_METRICS, context.registry);
  const topic = { topic: context.config.kafka.topic.name };
  const follow = [
    followCounter(metrics.pgstream_kafka_produced_records_total, topic, () => sink.stats.records),
    followCounter(metrics.pgstream_kafka_produced_bytes_total, topic, () => sink.stats.bytes),
    followCounter(metrics.pgstream_kafka_skipped_records_total, topic, () => sink.stats.known),
    followCounter(metrics.pgstream_kafka_rounds_total, topic, () => sink.stats.rounds),
    followCounter(metrics.pgstream_kafka_heartbeats_total, topic, () => sink.stats.heartbeats),
  ];
  context.onScrape(() => {
    for (const bring of follow) bring();
  });
}
