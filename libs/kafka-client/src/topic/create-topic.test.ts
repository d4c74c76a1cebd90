import kafkajs, { type Admin } from 'kafkajs';
import { createTopic } from './create-topic.ts';

type Answer = Awaited<ReturnType<Admin['fetchTopicMetadata']>> | Error;

let isNew = true;
beforeEach(() => (isNew = true));

/** A broker that answers one after the other what it is asked of a topic, the last of them for ever. */
function brokerOf(...answers: readonly Answer[]) {
  let asked = 0;
  return {
    createTopics: async () => await Promise.resolve(isNew),
    fetchTopicMetadata: async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      if (answer instanceof Error) return await Promise.reject(answer);
      return await Promise.resolve(answer);
    },
    asked: () => asked,
  };
}

const wait = { intervalMs: 1, timeoutMs: 200 };
const led = (...leaders: readonly number[]): Answer => ({
  topics: [
    {
      name: 't',
      partitions: leaders.map((leader, partitionId) => ({
        partitionErrorCode: 0,
        partitionId,
        leader,
        replicas: [],
        isr: [],
      })),
    },
  ],
});
const refusal = (type: string, message: string): Error =>
  Object.assign(new kafkajs.KafkaJSError(message), { type });
const unheardOf = refusal('UNKNOWN_TOPIC_OR_PARTITION', 'This server does not host this topic-partition');

test('a broker that has not heard of the topic yet is asked again', async () => {
  const wrapped = new Error('retries exhausted', { cause: refusal('LEADER_NOT_AVAILABLE', 'no leader') });
  const broker = brokerOf(unheardOf, wrapped, led(1, -1), led(1, 1));
  expect(await createTopic(broker, { topic: 't' }, wait)).toBe(true);
  expect(broker.asked()).toBe(4);
});

test('one that somebody else has made is not waited for', async () => {
  isNew = false;
  const broker = brokerOf(led(-1));
  expect([await createTopic(broker, { topic: 't' }, wait), broker.asked()]).toEqual([false, 0]);
});

test('any other refusal is what it fails with', async () => {
  const broker = brokerOf(refusal('TOPIC_AUTHORIZATION_FAILED', 'not yours'));
  await expect(createTopic(broker, { topic: 't' }, wait)).rejects.toThrow('not yours');
});

test('a topic without leaders fails in time, and says which', async () => {
  const failure = createTopic(brokerOf(led(1, -1)), { topic: 't' }, wait);
  await expect(failure).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' });
  await expect(failure).rejects.toThrow('Topic t has partitions without a leader');
});
