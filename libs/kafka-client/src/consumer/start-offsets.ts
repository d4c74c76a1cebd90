import { setTimeout as sleep } from 'node:timers/promises';
import { PipelineError } from '@pgstream/failure';
import type { Cluster } from 'kafkajs';
import type { KafkaLogLine } from '../connection/kafka-connection.ts';
import { classifyConsumerFailure } from './kafka-rules.ts';

export interface AssignedPartition {
  readonly partition: number;
  /** The next offset to read. */
  readonly offset: number;
  /** What the last commit carried beside the offset; `''` without one. */
  readonly metadata: string;
}

interface StartOptions {
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly startFrom: 'earliest' | 'latest';
  readonly onOffsetsLost: 'halt' | 'start-of-log';
  readonly onLog: (line: KafkaLogLine) => void;
}

/**
 * Where to begin with each partition: the committed offset, if the log still holds it.
 * @throws {PipelineError} KAFKA_OFFSETS_LOST, KAFKA_TOPIC_RECREATED
 */
export async function startOffsets(
  cluster: Cluster,
  committed: ReadonlyMap<number, { readonly offset: number; readonly metadata: string }>,
  options: StartOptions,
): Promise<AssignedPartition[]> {
  const { topic, partitions, startFrom } = options;
  if (partitions.length === 0) return [];
  const [starts, ends] = await Promise.all([
    logOffsets(cluster, topic, partitions, 'start'),
    logOffsets(cluster, topic, partitions, 'end'),
  ]);
  return partitions.map((partition) => {
    const start = starts.get(partition) ?? 0;
    const end = ends.get(partition) ?? 0;
    const known = committed.get(partition);
    if (known === undefined)
      return { partition, offset: startFrom === 'earliest' ? start : end, metadata: '' };
    const offset = within(known.offset, { start, end }, { ...options, partition });
    if (offset instanceof PipelineError) throw offset;
    return { partition, offset, metadata: known.metadata };
  });
}

/** After the broker refused `offset`: where to go on, or why that cannot be. */
export async function whyOutOfRange(
  cluster: Cluster,
  options: Omit<StartOptions, 'partitions' | 'startFrom'> & {
    readonly partition: number;
    readonly offset: number;
  },
): Promise<number | PipelineError> {
  const { topic, partition, offset } = options;
  const start = (await logOffsets(cluster, topic, [partition], 'start')).get(partition) ?? 0;
  const end = (await logOffsets(cluster, topic, [partition], 'end')).get(partition) ?? 0;
  return within(offset, { start, end }, options);
}

function within(
  offset: number,
  log: { readonly start: number; readonly end: number },
  options: Omit<StartOptions, 'partitions' | 'startFrom'> & { readonly partition: number },
): number | PipelineError {
  const { topic, partition, onOffsetsLost, onLog } = options;
  const { start, end } = log;
  if (offset >= start && offset <= end) return offset;
  if (offset > end) {
    return new PipelineError('KAFKA_TOPIC_RECREATED', {
      facts: { topic, partition, offset, end },
      detail: `Topic "${topic}", partition ${partition}: the group is at offset ${offset}, the log ends at ${end}.`,
    });
  }
  if (onOffsetsLost === 'start-of-log') {
    const extra = {
      code: 'KAFKA_OFFSETS_LOST',
      topic,
      partition,
      from: offset,
      to: start,
      records: start - offset,
    };
    onLog({
      level: 'error',
      message: 'records were lost to retention; going on from the start of the log',
      extra,
    });
    return start;
  }
  return new PipelineError('KAFKA_OFFSETS_LOST', {
    facts: { topic, partition, from: offset, to: start },
    detail: `Topic "${topic}", partition ${partition}: offsets ${offset} to ${start - 1} are gone.`,
  });
}

/** First or next offset of partitions, from their leaders. */
export async function logOffsets(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  which: 'start' | 'end',
): Promise<Map<number, number>> {
  const asked = partitions.map((partition) => ({ partition }));
  const request = { topic, partitions: asked, fromBeginning: which === 'start' };
  const found = await cluster.fetchTopicsOffset([request]).catch(async (cause: unknown) => {
    // asked of one that leads no more: kafkajs would ask it again, until its metadata is five minutes old
    await cluster.refreshMetadata().catch(() => {});
    throw cause;
  });
  return new Map(found.flatMap((entry) => entry.partitions.map((p) => [p.partition, Number(p.offset)])));
}

/**
 * Resolves once the topic exists, waiting for it up to `waitMs`.
 * @throws {PipelineError} KAFKA_TOPIC_MISSING; KAFKA_UNREACHABLE and others of the connection
 */
export async function requireTopic(
  cluster: Cluster,
  topic: string,
  waitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = performance.now() + waitMs;
  for (;;) {
    if (await exists(cluster, topic)) return;
    if (performance.now() >= giveUpAt) {
      throw new PipelineError('KAFKA_TOPIC_MISSING', { facts: { topic }, detail: `No topic "${topic}".` });
    }
    await sleep(500, undefined, { signal });
  }
}

async function exists(cluster: Cluster, topic: string): Promise<boolean> {
  try {
    await cluster.connect();
    return await isListed(cluster, topic);
  } catch (cause) {
    throw classifyConsumerFailure(cause);
  }
}

/** The library asks one broker after the other and, where none of them answers, answers `null`, whatever its types say. */
async function isListed(cluster: Pick<Cluster, 'metadata'>, topic: string): Promise<boolean> {
  const answer: Awaited<ReturnType<Cluster['metadata']>> | null = await cluster.metadata();
  if (answer === null)
    throw new PipelineError('KAFKA_UNREACHABLE', { detail: 'No broker said which topics there are.' });
  return answer.topicMetadata.some((entry) => entry.topic === topic);
}
