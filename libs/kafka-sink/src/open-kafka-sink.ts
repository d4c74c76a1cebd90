import {
  Cluster,
  ensureTopic,
  IdempotentProducer,
  LogReader,
  type BatchCodec,
  type KafkaConnectionOptions,
  type KafkaLogLine,
  type TopicFacts,
} from '@pgstream/kafka-client';
import { failpoint, PipelineError, systemClock } from '@pgstream/failure';
import type { DeadLetterStore, Lsn } from '@pgstream/wal-event';
import { KafkaSink } from './kafka-sink.ts';
import type { Keying } from './key.ts';
import { PartitionQueue } from './partition-queue.ts';
import { SpareWriters } from './spare-writers.ts';
import { checkRouting, findHeartbeats, readTails, type PartitionTail } from './recovery.ts';
import { heartbeatBatch } from './round.ts';
import { Sender } from './sender.ts';

export interface KafkaSinkOptions {
  readonly connection: KafkaConnectionOptions;
  readonly topic: string;
  /** Of a topic that is created here. */
  readonly partitions: number;
  /** What an existing topic must have at least; `partitions` when absent. */
  readonly minPartitions?: number;
  readonly autoCreate: boolean;
  readonly replicationFactor: number;
  readonly maxMessageBytes: number;
  readonly keying: Keying;
  /** Identity of the source, the same for ever: a topic belongs to one. */
  readonly sourceId: string;
  /** Names the fence: one producer per slot. */
  readonly slotName: string;
  /** Of the records that will be written. */
  readonly epoch: number;
  /** Settings of the source that decide which records there are, by name: filters, publications. */
  readonly routing: Readonly<Record<string, string>>;
  /** Whether the slot has confirmed the transaction that committed at `commitLsn`. */
  readonly isConfirmed: (epoch: number, commitLsn: Lsn) => boolean | Promise<boolean>;
  /** The topic that this source wrote to before, where that is known. */
  readonly expectedTopicId?: string;
  readonly deadLetters: DeadLetterStore;
  readonly onEvent: (event: KafkaSinkEvent) => void;
  /** The open sink has failed for good, also while nothing is written: somebody replaced the topic, or took the fence. */
  readonly onFailure?: (failure: PipelineError) => void;
  readonly compression?: BatchCodec;
  /** Of one batch of one partition, before compression. */
  readonly maxBatchBytes?: number;
  readonly maxBatchRecords?: number;
  /** Accepted and not acknowledged, all partitions together. */
  readonly maxQueueBytes?: number;
  readonly deliveryTimeoutMs?: number;
  readonly heartbeatIntervalMs?: number;
  readonly renewIntervalMs?: number;
  /** Ends an opening that waits for a predecessor; afterwards `close` does. */
  readonly signal?: AbortSignal;
}

export type KafkaSinkEvent =
  | { readonly kind: 'log'; readonly line: KafkaLogLine }
  | { readonly kind: 'topic_created'; readonly topic: string }
  /** The fence did not reach a producer that wrote before: it is given time to end. */
  | { readonly kind: 'waiting_for_predecessor'; readonly waitMs: number }
  | { readonly kind: 'recovered'; readonly tails: readonly PartitionTail[]; readonly producerEpoch: number };

export const KAFKA_SINK_DEFAULTS = {
  compression: 'zstd',
  // Of 1 MiB, a broker was waited for more often: up to 20 % of the rate of wide rows. More of both is more memory.
  maxBatchBytes: 2 * 1024 * 1024,
  maxBatchRecords: 100_000,
  maxQueueBytes: 5 * 1024 * 1024,
  deliveryTimeoutMs: 120_000,
  heartbeatIntervalMs: 600_000,
  renewIntervalMs: 3_600_000,
} as const;

type Settings = KafkaSinkOptions & Required<Pick<KafkaSinkOptions, keyof typeof KAFKA_SINK_DEFAULTS>>;

interface Opening {
  readonly settings: Settings;
  readonly facts: TopicFacts;
  readonly routing: Readonly<Record<string, string>>;
  readonly cluster: Cluster;
  readonly producer: IdempotentProducer;
  readonly log: LogReader;
  /** Nobody wants the sink any more. */
  readonly ending: AbortController;
}

/**
 * Opens the topic, locks out every earlier producer of the slot, and reads where each partition ends.
 * @throws {PipelineError} exit 78 for a topic that is missing, too small, foreign, replaced, or routed otherwise.
 */
export async function openKafkaSink(options: KafkaSinkOptions): Promise<KafkaSink> {
  const settings: Settings = { ...KAFKA_SINK_DEFAULTS, ...options };
  const { connection, topic, onEvent, deliveryTimeoutMs } = settings;
  const facts = await ensureTopic(connection, settings, (line) => onEvent({ kind: 'log', line }));
  if (facts.created) onEvent({ kind: 'topic_created', topic });
  const cluster = new Cluster(connection, topic);
  const routing = { ...settings.routing, keying: settings.keying, partitions: String(facts.partitions) };
  const producer = new IdempotentProducer({
    cluster,
    transactionalId: `pgstream-${settings.slotName}`,
    requestTimeoutMs: connection.requestTimeoutMs,
    deliveryTimeoutMs,
    stallLimitMs: timing(settings, facts).stallLimitMs,
  });
  const log = new LogReader(cluster, deliveryTimeoutMs);
  const ending = new AbortController();
  const onAbort = () => ending.abort(settings.signal?.reason);
  if (settings.signal?.aborted === true) onAbort();
  settings.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await open({ settings, facts, routing, cluster, producer, log, ending });
  } catch (cause) {
    cluster.close();
    throw cause;
  } finally {
    settings.signal?.removeEventListener('abort', onAbort);
  }
}

async function open(opening: Opening): Promise<KafkaSink> {
  const { settings, facts, routing, cluster, producer, log, ending } = opening;
  await cluster.refresh(true);
  if (settings.expectedTopicId !== undefined && settings.expectedTopicId !== cluster.topicId) {
    throw new PipelineError('KAFKA_TOPIC_REPLACED', { detail: `Topic ${settings.topic}.` });
  }
  const tails = await recover(opening);
  settings.onEvent({ kind: 'recovered', tails, producerEpoch: producer.producerEpoch });
  const maxBatchBytes = Math.min(settings.maxBatchBytes, Math.floor(facts.maxMessageBytes * 0.9));
  const { maxBatchRecords, compression: codec } = settings;
  const limits = { maxBatchBytes, maxBatchRecords, codec, writers: new SpareWriters() };
  const queues = tails.map((tail) => new PartitionQueue(tail.partition, limits, tail));
  const sender = new Sender({
    cluster,
    producer,
    log,
    queues,
    routing,
    maxQueueBytes: settings.maxQueueBytes,
    maxMessageBytes: facts.maxMessageBytes,
    sourceId: settings.sourceId,
    deadLetters: settings.deadLetters,
    renew: async () => await renew(opening, queues),
  });
  sender.heartbeat();
  await sender.until(() => sender.isIdle);
  sender.onFailure = settings.onFailure;
  const { heartbeatMs, renewMs, tickMs } = timing(settings, facts);
  const timers = [
    setInterval(() => producer.tick(), tickMs),
    setInterval(() => void beat(cluster, sender), heartbeatMs),
    setInterval(() => sender.renew(), renewMs),
  ];
  for (const timer of timers) timer.unref();
  const release = () => {
    for (const timer of timers) clearInterval(timer);
    const closed = new PipelineError('KAFKA_UNREACHABLE', { detail: 'The sink was closed.' });
    ending.abort(closed);
    sender.end(closed);
    cluster.close();
  };
  const { keying } = settings;
  return new KafkaSink({
    sender,
    keying,
    maxMessageBytes: facts.maxMessageBytes,
    topicId: cluster.topicId,
    release,
  });
}

/**
 * A topic that was deleted and created again between two produce requests takes the next one as if nothing had happened:
 * the brokers are asked which topic it is before each heartbeat.
 */
async function beat(cluster: Cluster, sender: Sender): Promise<void> {
  try {
    await cluster.refresh();
  } catch (cause) {
    if (cause instanceof PipelineError && cause.disposition === 'halt') {
      sender.fail(cause);
      return;
    }
    // brokers that are away are the sender's own affair
  }
  sender.heartbeat();
}

/** Checks before it fences, so that a wrong configuration does not stop the right producer. */
async function recover(opening: Opening): Promise<PartitionTail[]> {
  const { settings, facts, routing, producer, log } = opening;
  const { topic, sourceId, isConfirmed, epoch } = settings;
  const before = await readTails(log, facts.partitions, topic);
  await checkRouting(before, await findHeartbeats(log, before), { topic, sourceId, routing, isConfirmed });
  failpoint?.('kafka.fencing');
  await producer.init();
  failpoint?.('kafka.id-taken');
  const heartbeats = before.map(({ partition, position, dataOffset, ...tail }) => {
    const fence = { sourceId, routing, position, dataOffset, isFence: true };
    return { partition, batch: heartbeatBatch({ ...fence, epoch: Math.max(epoch, tail.epoch) }), count: 1 };
  });
  await producer.send(heartbeats);
  failpoint?.('kafka.fenced');
  const stranger = before.some(({ producerId }) => producerId >= 0n && producerId !== producer.producerId);
  if (stranger) await outlast(opening);
  return await readTails(log, facts.partitions, topic);
}

/**
 * The brokers must not forget us while we run, and what they may have forgotten must not write: an id that was renewed within
 * a third of its time is known for two thirds more, and a process that stands still for a third writes nothing afterwards.
 */
function timing(settings: Settings, { expiry }: TopicFacts) {
  const { transactionalIdMs, producerIdMs } = expiry;
  const stallLimitMs = Math.floor(Math.min(transactionalIdMs, producerIdMs) / 3);
  return {
    stallLimitMs,
    tickMs: Math.min(1000, Math.ceil(stallLimitMs / 4)),
    heartbeatMs: Math.min(settings.heartbeatIntervalMs, Math.floor(producerIdMs / 3)),
    renewMs: Math.min(settings.renewIntervalMs, Math.floor(transactionalIdMs / 3)),
  };
}

/** What a producer that the fence does not reach may have sent has landed or never will. We stay known meanwhile. */
async function outlast({
  settings,
  facts,
  producer,
  ending,
}: Pick<Opening, 'settings' | 'facts' | 'producer' | 'ending'>): Promise<void> {
  const { deliveryTimeoutMs, connection, onEvent } = settings;
  const { stallLimitMs, renewMs, tickMs } = timing(settings, facts);
  const waitMs = Math.min(deliveryTimeoutMs, stallLimitMs + connection.requestTimeoutMs);
  onEvent({ kind: 'waiting_for_predecessor', waitMs });
  const endMs = systemClock.now() + waitMs;
  let renewAtMs = systemClock.now() + renewMs;
  while (systemClock.now() < endMs) {
    // oxlint-disable-next-line no-await-in-loop -- until the time is over
    await systemClock.sleep(Math.min(tickMs, endMs - systemClock.now()), ending.signal);
    producer.tick();
    if (systemClock.now() < renewAtMs) continue;
    renewAtMs += renewMs;
    // oxlint-disable-next-line no-await-in-loop -- see above
    await producer.renew();
  }
}

/** The broker may hand out another producer id after a long idle time; then nobody else may have written meanwhile. */
async function renew(
  { settings, facts, producer, log, ending }: Opening,
  queues: readonly PartitionQueue[],
): Promise<void> {
  const known = producer.producerId;
  await producer.renew();
  if (producer.producerId === known) return;
  await outlast({ settings, facts, producer, ending });
  const tails = await readTails(log, facts.partitions, settings.topic);
  const strange = tails.find(({ dataOffset }, partition) => dataOffset !== queues[partition]?.dataOffset);
  if (strange === undefined) return;
  throw new PipelineError('KAFKA_PRODUCER_FENCED', {
    detail: `Partition ${strange.partition} holds records that this producer did not write.`,
  });
}
