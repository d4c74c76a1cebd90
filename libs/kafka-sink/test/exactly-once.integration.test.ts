import { waitFor } from '@pgstream/test-kit';
import type { BatchOutcome } from '@pgstream/wal-event';
import { batchOf, Bench, connection, idColumn, never, once, put, rows, table } from './support.ts';
import { CuttingProxy } from './cutting-proxy.ts';

const bench = new Bench();
afterAll(async () => await bench.close());

const SCHEMAS = ['app', 'shop', 'crm', 'billing', 'hr', 'ops'];
const ofSchema = (id: number) => table(SCHEMAS[id % SCHEMAS.length]!);
test('a sink that starts again from an earlier position repeats nothing', async () => {
  const topic = bench.topic();
  const first = await bench.open(topic);
  await put(first, batchOf(rows(1, 100, ofSchema)));
  // A crash: what was accepted may or may not have been sent.
  await first.write(
    batchOf(rows(101, 50, ofSchema)),
    { settled: () => undefined, failed: () => undefined },
    never,
  );
  await first.close();

  const second = await bench.open(topic);
  await put(second, batchOf(rows(40, 200, ofSchema)));
  await put(second, batchOf(rows(100, 200, ofSchema)));

  expect(await bench.summary(topic)).toEqual(once(299));
});

test('answers lost after the broker appended: nothing lost, repeated or reordered', async () => {
  const topic = bench.topic();
  const proxy = new CuttingProxy(connection.brokers[0]!, (produce) => produce > 2 && produce % 3 === 0);
  const brokers = [await proxy.listen()];
  const sink = await bench.open(topic, { connection: { ...connection, brokers } });
  for (let id = 1; id <= 600; id += 60) await put(sink, batchOf(rows(id, 60, ofSchema)));
  await sink.close();
  await proxy.close();

  expect(proxy.cuts).toBeGreaterThanOrEqual(3);
  expect(await bench.summary(topic)).toEqual(once(600));
});

test('a predecessor that wakes after its successor started writes nothing more', async () => {
  const topic = bench.topic();
  const old = await bench.open(topic);
  await put(old, batchOf(rows(1, 10, ofSchema)));
  const successor = await bench.open(topic);
  await put(successor, batchOf(rows(11, 10, ofSchema)));

  await expect(put(old, batchOf(rows(11, 100, ofSchema)))).rejects.toMatchObject({
    code: 'KAFKA_PRODUCER_FENCED',
  });
  await expect(put(old, batchOf(rows(200, 1, ofSchema)))).rejects.toMatchObject({
    code: 'KAFKA_PRODUCER_FENCED',
  });
  await put(successor, batchOf(rows(21, 10, ofSchema)));
  expect(await bench.summary(topic)).toEqual(once(30));
});

test('the position of a partition is found behind any number of heartbeats', async () => {
  const topic = bench.topic();
  const first = await bench.open(topic);
  await put(first, batchOf(rows(1, 20, ofSchema)));
  await first.close();
  for (let start = 0; start < 3; start += 1) await (await bench.open(topic)).close();

  const last = await bench.open(topic);
  await put(last, batchOf(rows(1, 25, ofSchema)));
  expect(last.stats.records).toBe(5);
  expect(await bench.summary(topic)).toEqual(once(25));
});

test('a predecessor that the fence does not reach is waited for, and what it wrote meanwhile counts', async () => {
  const topic = bench.topic();
  const stranger = await bench.open(topic, { slotName: `${topic}-other` });
  await put(stranger, batchOf(rows(1, 10, ofSchema)));
  const late = batchOf(rows(11, 10, ofSchema));
  let lateWrite: Promise<void> | undefined;
  const sink = await bench.open(topic, {
    deliveryTimeoutMs: 1000,
    onEvent: ({ kind }) => {
      if (kind === 'waiting_for_predecessor') lateWrite = put(stranger, late);
    },
  });
  await lateWrite;
  await put(sink, batchOf(rows(1, 30, ofSchema)));
  expect(lateWrite).toBeDefined();
  expect(sink.stats.known).toBe(20);
  expect(await bench.summary(topic)).toEqual(once(30));
});

test('the last record of a partition is found when its batch is larger than a fetch', async () => {
  const topic = bench.topic();
  const options = { partitions: 1, compression: 'none' } as const;
  const big = { id: 'c2', name: 'text', type: 'text', value: 'x'.repeat(700_000) };
  const batch = batchOf([{ id: 1 }, { id: 2, columns: [idColumn(2), big] }]);
  await put(await bench.open(topic, options), batch);
  const again = await bench.open(topic, options);
  await put(again, batch);
  expect(again.stats).toMatchObject({ known: 2, records: 0 });
});

test('a batch settles only when its records are durable, also those that an earlier batch carries', async () => {
  const topic = bench.topic();
  const sink = await bench.open(topic);
  const order: string[] = [];
  const outcome = (name: string): BatchOutcome => ({
    settled: () => order.push(name),
    failed: (cause) => order.push(String(cause)),
  });
  const batch = batchOf(rows(1, 50, ofSchema));
  await sink.write(batch, outcome('first'), never);
  await sink.write(batch, outcome('replay'), never);
  expect(order).toEqual([]);
  await sink.flush(never);
  expect(order).toEqual(['first', 'replay']);
  expect(await bench.summary(topic)).toEqual(once(50));
});

test('a full queue holds the writer back and takes more once it has room', async () => {
  const topic = bench.topic();
  const sink = await bench.open(topic, { maxQueueBytes: 20_000, maxBatchBytes: 4000 });
  let most = 0;
  for (let id = 1; id <= 2000; id += 100) {
    await sink.write(
      batchOf(rows(id, 100, ofSchema)),
      {
        settled: () => undefined,
        failed: (cause) => {
          throw cause;
        },
      },
      never,
    );
    most = Math.max(most, sink.queuedBytes);
  }
  await sink.flush(never);
  expect(most).toBeLessThan(21_000);
  expect(await bench.summary(topic)).toEqual(once(2000));
});

test('the producer id is renewed between rounds without a gap', async () => {
  const topic = bench.topic();
  const sink = await bench.open(topic, { renewIntervalMs: 20, heartbeatIntervalMs: 30 });
  let id = 1;
  await waitFor('several renewals', async () => {
    await put(sink, batchOf(rows(id, 10, ofSchema)));
    id += 10;
    return sink.stats.heartbeats > 30;
  });
  await sink.close();
  expect(await bench.summary(topic)).toEqual(once(id - 1));
});
