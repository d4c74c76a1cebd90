import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import {
  BatchConsumer,
  consumerLag,
  createKafka,
  createTopic,
  describeGroup,
  LagReader,
  listGroups,
} from '../src/index.ts';

const connection = {
  brokers: endpoints().kafkaBrokers,
  clientId: 'consumer-lag-test',
  connectionTimeoutMs: 5_000,
  requestTimeoutMs: 30_000,
};
const kafka = createKafka(connection, () => {});
const admin = kafka.admin();
let producer: ReturnType<typeof kafka.producer>;
let topic: string;
let groupId: string;

beforeAll(async () => {
  await admin.connect();
});

afterAll(async () => {
  await admin.disconnect();
});

beforeEach(async () => {
  topic = uniqueName('lag');
  groupId = `${topic}-group`;
  await createTopic(admin, { topic, numPartitions: 3 });
  producer = kafka.producer({ allowAutoTopicCreation: false });
  await producer.connect();
});

afterEach(async () => {
  await producer.disconnect();
  await admin.deleteTopics({ topics: [topic] });
});

async function send(partition: number, timestamp: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => ({
    partition,
    value: 'v',
    timestamp: String(timestamp),
  }));
  await producer.send({ topic, messages, compression: 4 });
}

function member(): BatchConsumer {
  const events = { assigned: () => {}, release: async () => {}, lost: () => {} };
  return new BatchConsumer({ connection, groupId, topic, startFrom: 'earliest', onLog: () => {} }, events);
}

test('lag is counted from the first record that is not committed; none is 0, not unknown', async () => {
  await send(0, 1_000_000, 5);
  await send(0, 1_060_000, 5);
  await send(1, 1_000_000, 2);
  const lag = new LagReader({ connection, topic, groupId, now: () => 1_100_000 });
  const consumer = member();
  try {
    expect(await lag.read()).toEqual([
      { partition: 0, committed: null, start: 0, end: 10, lagRecords: 10, lagSeconds: 100 },
      { partition: 1, committed: null, start: 0, end: 2, lagRecords: 2, lagSeconds: 100 },
      { partition: 2, committed: null, start: 0, end: 0, lagRecords: 0, lagSeconds: 0 },
    ]);
    await consumer.start(new AbortController().signal);
    await consumer.available(new AbortController().signal);
    const commits = [
      { partition: 0, offset: 7, metadata: '' },
      { partition: 1, offset: 2, metadata: '' },
    ];
    expect(await consumer.commit(commits)).toBe(true);
    expect(await lag.read()).toMatchObject([
      { committed: 7, lagRecords: 3, lagSeconds: 40 },
      { committed: 2, lagRecords: 0, lagSeconds: 0 },
      { committed: null, lagRecords: 0 },
    ]);
  } finally {
    await Promise.all([lag.close(), consumer.close()]);
  }
});

test('a record without a time has a lag in records and an unknown one in seconds', async () => {
  await send(0, 0, 1);
  const [lag] = await consumerLag({ connection, topic, groupId });
  expect(lag).toMatchObject({ lagRecords: 1, lagSeconds: null });
});

test('a missing topic is named', async () => {
  const asked = consumerLag({ connection, topic: `${topic}-none`, groupId });
  await expect(asked).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING' });
});

test('a group shows its members with their partitions, and loses one as soon as it closes', async () => {
  const consumer = member();
  try {
    await consumer.start(new AbortController().signal);
    const group = await waitFor('a stable group', async () => {
      const found = await describeGroup(connection, groupId);
      return found.state === 'Stable' ? found : undefined;
    });
    expect(group.members).toMatchObject([
      { clientId: 'consumer-lag-test', assignment: { [topic]: [0, 1, 2] } },
    ]);
    expect(await listGroups(connection)).toContain(groupId);
  } finally {
    await consumer.close();
  }
  expect((await describeGroup(connection, groupId)).members).toEqual([]);
});
