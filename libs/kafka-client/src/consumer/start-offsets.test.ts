import type { Cluster } from 'kafkajs';
import { requireTopic } from './start-offsets.ts';

test('where no broker answered, the topic is not missing: it is asked for again', async () => {
  // What the library answers when every connection broke: see its BrokerPool.withBroker.
  const nobody = { connect: () => Promise.resolve(), metadata: () => Promise.resolve(null) };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is called of it
  const cluster = nobody as unknown as Cluster;
  await expect(requireTopic(cluster, 'orders', 0, new AbortController().signal)).rejects.toMatchObject({
    code: 'KAFKA_UNREACHABLE',
    disposition: 'retry',
  });
});
