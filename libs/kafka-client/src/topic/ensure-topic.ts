import { PipelineError } from '@pgstream/failure';
import kafkajs, { type Admin } from 'kafkajs';
import { Cluster } from '../connection/cluster.ts';
import {
  createKafka,
  type KafkaConnectionOptions,
  type KafkaLogLine,
} from '../connection/kafka-connection.ts';
import { createTopic } from './create-topic.ts';
import { kafkaErrorType } from './error-type.ts';

export interface TopicOptions {
  readonly topic: string;
  /** Of a topic that is created here. */
  readonly partitions: number;
  /** What an existing topic must have at least; `partitions` when absent. A topic that has more keeps them. */
  readonly minPartitions?: number;
  /** Of a topic that is created here. */
  readonly replicationFactor: number;
  /** Of a topic that is created here. */
  readonly maxMessageBytes: number;
  readonly autoCreate: boolean;
  /** Further settings of a topic that is created here: `retention.ms`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TopicFacts {
  readonly partitions: number;
  readonly maxMessageBytes: number;
  readonly created: boolean;
  /** How long the brokers remember a producer that does nothing. */
  readonly expiry: ProducerExpiry;
}

export interface ProducerExpiry {
  /** `transactional.id.expiration.ms`: after that the fence gets another producer id. */
  readonly transactionalIdMs: number;
  /** `producer.id.expiration.ms`: after that a partition takes any epoch. */
  readonly producerIdMs: number;
}

/** What brokers have unless configured; assumed where their configuration may not be read. */
const DEFAULT_EXPIRY: ProducerExpiry = { transactionalIdMs: 604_800_000, producerIdMs: 86_400_000 };

/** What a broker takes where its configuration may not be read. */
const DEFAULT_MAX_MESSAGE_BYTES = 1_048_588;

/**
 * The topic as it is, created first where it may be.
 * @throws {PipelineError} `KAFKA_TOPIC_MISSING`, `KAFKA_TOPIC_UNFIT` (fewer partitions than configured),
 * `KAFKA_AUTH_FAILED`, `KAFKA_UNREACHABLE`.
 */
export async function ensureTopic(
  connection: KafkaConnectionOptions,
  options: TopicOptions,
  onLog: (line: KafkaLogLine) => void,
): Promise<TopicFacts> {
  // Our own connection looks first: it fails at once and says why, where the library retries for seconds.
  const exists = await topicExists(connection, options.topic);
  if (!exists && !options.autoCreate) throw missing(options.topic);
  const admin = createKafka(connection, onLog).admin({ retry: { retries: 3 } });
  try {
    await admin.connect();
    const created = !exists && (await create(admin, options));
    const partitions = await partitionCount(admin, options.topic);
    const wanted = options.minPartitions ?? options.partitions;
    if (partitions < wanted) {
      const detail = `Topic ${options.topic} has ${partitions} partitions, ${wanted} are configured.`;
      throw new PipelineError('KAFKA_TOPIC_UNFIT', { detail });
    }
    const limit = await maxMessageBytes(admin, options.topic);
    return { partitions, created, maxMessageBytes: limit, expiry: await producerExpiry(admin) };
  } catch (cause) {
    throw adminFailure(cause, options.topic);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function topicExists(connection: KafkaConnectionOptions, topic: string): Promise<boolean> {
  const cluster = new Cluster(connection, topic);
  try {
    await cluster.refresh();
    return true;
  } catch (cause) {
    if (cause instanceof PipelineError && cause.code === 'KAFKA_TOPIC_MISSING') return false;
    throw cause;
  } finally {
    cluster.close();
  }
}

async function create(admin: Admin, options: TopicOptions): Promise<boolean> {
  const { topic, partitions, replicationFactor } = options;
  const settings = { 'max.message.bytes': String(options.maxMessageBytes), ...options.settings };
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
  return await createTopic(admin, { topic, numPartitions: partitions, replicationFactor, configEntries });
}

async function partitionCount(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length ?? 0;
}

async function maxMessageBytes(admin: Admin, topic: string): Promise<number> {
  const name = 'max.message.bytes';
  const found = await settingsOf(admin, { type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }, [name]);
  return Number(found.get(name) ?? DEFAULT_MAX_MESSAGE_BYTES);
}

async function producerExpiry(admin: Admin): Promise<ProducerExpiry> {
  const { brokers } = await admin.describeCluster();
  const type = kafkajs.ConfigResourceTypes.BROKER;
  const names = ['transactional.id.expiration.ms', 'producer.id.expiration.ms'] as const;
  const found = await settingsOf(admin, { type, name: String(brokers[0]?.nodeId ?? '') }, names);
  return {
    transactionalIdMs: Number(found.get(names[0]) ?? DEFAULT_EXPIRY.transactionalIdMs),
    producerIdMs: Number(found.get(names[1]) ?? DEFAULT_EXPIRY.producerIdMs),
  };
}

/** Empty where they may not be read: that permission is a separate one. */
async function settingsOf(
  admin: Admin,
  resource: { readonly type: kafkajs.ConfigResourceTypes; readonly name: string },
  configNames: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  try {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ ...resource, configNames: [...configNames] }],
    });
    const entries = resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue]));
  } catch (cause) {
    if (kafkaErrorType(cause).endsWith('AUTHORIZATION_FAILED')) return new Map();
    throw cause;
  }
}

/** A topic that is unknown here was seen or made just before: that broker has not heard of it yet, and time heals it. */
function adminFailure(cause: unknown, topic: string): PipelineError {
  if (cause instanceof PipelineError) return cause;
  const type = kafkaErrorType(cause);
  const detail = `Topic ${topic}: ${cause instanceof Error ? cause.message : String(cause)}.`;
  if (type.endsWith('AUTHORIZATION_FAILED') || isAuthentication(cause)) {
    return new PipelineError('KAFKA_AUTH_FAILED', { cause, detail });
  }
  const isOurFault = [
    'INVALID_REPLICATION_FACTOR',
    'POLICY_VIOLATION',
    'INVALID_CONFIG',
    'INVALID_TOPIC_EXCEPTION',
  ];
  if (isOurFault.includes(type)) return new PipelineError('KAFKA_TOPIC_UNFIT', { cause, detail });
  return new PipelineError('KAFKA_UNREACHABLE', { cause, detail });
}

function missing(topic: string): PipelineError {
  return new PipelineError('KAFKA_TOPIC_MISSING', { detail: `Topic ${topic}.` });
}

function isAuthentication(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  return cause instanceof kafkajs.KafkaJSSASLAuthenticationError || isAuthentication(cause.cause);
}
