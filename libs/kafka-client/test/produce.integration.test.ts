import { Buffer } from 'node:buffer';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import {
  Cluster,
  createKafka,
  ensureTopic,
  IdempotentProducer,
  LogReader,
  RecordBatchWriter,
  type BatchCodec,
  type KafkaConnectionOptions,
  type RecordHeader,
} from '../src/index.ts';

const connection: KafkaConnectionOptions = {
  brokers: endpoints().kafkaBrokers,
  clientId: 'kafka-client-test',
  connectionTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
};
const kafka = createKafka(connection, () => undefined);
const topic = uniqueName('produce');
const cluster = new Cluster(connection, topic);

const options = { topic, partitions: 3, replicationFactor: 1, maxMessageBytes: 4_000_000, autoCreate: true };
const facts = { partitions: 3, maxMessageBytes: 4_000_000 };

beforeAll(async () => {
  await ensureTopic(connection, options, () => undefined);
  await cluster.refresh();
});

afterAll(async () => {
  cluster.close();
  const admin = kafka.admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
});

const newProducer = (transactionalId: string | null) =>
  new IdempotentProducer({ cluster, transactionalId, requestTimeoutMs: 20_000, deliveryTimeoutMs: 20_000 });

test('a topic that exists is described and left as it is', async () => {
  const expiry = { producerIdMs: 86_400_000, transactionalIdMs: 604_800_000 };
  const found = await ensureTopic(connection, options, () => undefined);
  expect(found).toEqual({ ...facts, expiry, created: false });
  expect(cluster.topicId).toMatch(/^[0-9a-f]{32}$/);
});

interface Odd {
  readonly key: Buffer | null;
  readonly value: Buffer;
  readonly headers: readonly RecordHeader[];
  readonly timestamp: number;
}

/** Null, empty and unicode keys; empty, small and 100 KB values; timestamps that go back. */
function oddRecord(i: number): Odd {
  const keys = [null, Buffer.alloc(0), Buffer.from(`schlüssel-😀-${i}`), Buffer.from('k'.repeat(40))];
  const sizes = [0, 7, 63, 64, 300, i % 50 === 0 ? 100_000 : 1];
  const size = sizes[i % sizes.length]!;
  const headers =
    i % 3 === 0
      ? [
          { key: 'ü', value: Buffer.from(String(i)) },
          { key: 'empty', value: Buffer.alloc(0) },
        ]
      : [];
  return {
    key: keys[i % keys.length]!,
    value: Buffer.from(`é${'x'.repeat(size)}`.slice(0, size)),
    headers,
    timestamp: 1_700_000_000_000 + ((i * 7919) % 100_000),
  };
}

test.each<BatchCodec>(['none', 'zstd'])('another client reads the same records, %s', async (codec) => {
  const partition = codec === 'none' ? 0 : 1;
  const producer = newProducer(null);
  await producer.init();
  const records = Array.from({ length: 600 }, (_, i) => oddRecord(i));
  for (let at = 0; at < records.length; at += 150) {
    const writer = new RecordBatchWriter(256);
    for (const { key, value, headers, timestamp } of records.slice(at, at + 150)) {
      writer.add(key, value, 0, value.length, timestamp, ...(headers.length > 0 ? [headers] : []));
    }
    const offsets = await producer.send([{ partition, batch: writer.finish(codec), count: writer.count }]);
    expect(offsets).toEqual([BigInt(at)]);
  }
  const read: unknown[] = [];
  const consumer = kafka.consumer({ groupId: uniqueName('g'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ partition: from, message: { key, value, timestamp, headers } }) => {
      if (from !== partition) return;
      const list = Object.entries(headers ?? {}).map(([name, text]) => ({ key: name, value: text }));
      read.push({ key, value, headers: list, timestamp: Number(timestamp) });
      await Promise.resolve();
    },
  });
  await waitFor('the records', () => read.length >= records.length);
  await consumer.disconnect();
  expect(read).toEqual(records);
});

test('a partition is read backwards, batch by batch', async () => {
  const producer = newProducer(uniqueName('tx'));
  await producer.init();
  for (const text of ['first', 'second', 'third']) {
    const writer = new RecordBatchWriter();
    for (let i = 0; i < 3; i += 1) writer.add(null, Buffer.from(text), 0, text.length, 1000);
    await producer.send([{ partition: 2, batch: writer.finish('zstd'), count: 3 }]);
  }
  const seen: string[] = [];
  for await (const { records, baseOffset } of new LogReader(cluster, 10_000).backwards(2)) {
    seen.push(`${baseOffset}:${records.map(({ value }) => value!.toString()).join()}`);
  }
  expect(seen).toEqual(['6:third,third,third', '3:second,second,second', '0:first,first,first']);
});

test('one outstanding batch per partition is all there can be', async () => {
  const producer = newProducer(null);
  await producer.init();
  const writer = new RecordBatchWriter();
  writer.add(null, Buffer.from('x'), 0, 1, 1000);
  const batch = Buffer.from(writer.finish('none'));
  const first = producer.send([{ partition: 2, batch, count: 1 }]);
  await expect(producer.send([{ partition: 2, batch: Buffer.from(batch), count: 1 }])).rejects.toThrow(
    /outstanding/,
  );
  await first;
});
