import { setTimeout as delay } from 'node:timers/promises';
import { PipelineError } from '@pgstream/failure';
import type { Admin, ITopicConfig } from 'kafkajs';
import { kafkaErrorType } from './error-type.ts';

export interface LeaderWait {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

const LEADER_WAIT: LeaderWait = { intervalMs: 50, timeoutMs: 15_000 };

/** What a broker says of a topic that the controller has made and that it has not heard of yet. */
const NOT_YET = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/**
 * Makes a topic and waits until every partition has a leader; `false`, at once, when there was one of the name.
 * The library's own `waitForLeaders` fails at a broker that has not heard of the topic yet: the controller answers
 * before the brokers have read its log (KIP-631), by seconds on a loaded machine.
 * @throws what the library refuses the topic with; {PipelineError} `KAFKA_UNREACHABLE` without leaders in time.
 */
export async function createTopic(
  admin: Pick<Admin, 'createTopics' | 'fetchTopicMetadata'>,
  topic: ITopicConfig,
  wait: LeaderWait = LEADER_WAIT,
): Promise<boolean> {
  if (!(await admin.createTopics({ topics: [topic], waitForLeaders: false }))) return false;
  const untilMs = performance.now() + wait.timeoutMs;
  while (!(await hasLeaders(admin, topic.topic))) {
    if (performance.now() > untilMs) {
      const detail = `Topic ${topic.topic} has partitions without a leader ${wait.timeoutMs} ms after it was made.`;
      throw new PipelineError('KAFKA_UNREACHABLE', { detail });
    }
    await delay(wait.intervalMs);
  }
  return true;
}

async function hasLeaders(admin: Pick<Admin, 'fetchTopicMetadata'>, topic: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    return partitions.length > 0 && partitions.every(({ leader }) => leader >= 0);
  } catch (cause) {
    if (NOT_YET.has(kafkaErrorType(cause))) return false;
    throw cause;
  }
}
