import { createKafka, createTopic, KafkaDeadLetterStore, listDeadLetters } from '@pgstream/kafka-client';
import type { PipelineError } from '@pgstream/failure';
import { uniqueName, waitFor } from '@pgstream/test-kit';
import { DDL_PREFIX, type SchemaChange, type ShapeChange } from '@pgstream/wal-event';
import { forgetfulBroker } from './forgetful-broker.ts';
import { batchOf, Bench, connection, idColumn, idOf, put, rows, table, type LogRecord } from './support.ts';

const bench = new Bench();
afterAll(async () => await bench.close());

const data = (records: readonly LogRecord[]) => records.filter(({ kind }) => kind !== 'heartbeat');

async function written(): Promise<string> {
  const topic = bench.topic();
  const sink = await bench.open(topic);
  await put(sink, batchOf(rows(1, 10)));
  await sink.close();
  return topic;
}

describe('a start is refused', () => {
  test('when the routing changed and the log holds what the slot has not confirmed', async () => {
    const topic = await written();
    await expect(bench.open(topic, { keying: 'table', routing: { tables: 'app.*' } })).rejects.toMatchObject({
      code: 'KAFKA_ROUTING_CHANGED',
      exitCode: 78,
      detail: 'Changed: tables (was *, is app.*); keying (was schema, is table).',
    });
    const asked: unknown[] = [];
    const isConfirmed = (epoch: number, commitLsn: bigint) => asked.push({ epoch, commitLsn }) > 0;
    const sink = await bench.open(topic, { keying: 'table', isConfirmed });
    expect(asked).toEqual([{ epoch: 1, commitLsn: 0x1_0000_0050n }]);
    await put(sink, batchOf(rows(11, 1)));
  });

  test('also when every partition ends with data, its heartbeat far behind', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic, { partitions: 1 });
    for (let id = 1; id <= 20; id += 1) await put(sink, batchOf(rows(id, 1)));
    await sink.close();
    const changed = bench.open(topic, { partitions: 1, routing: { tables: 'app.*' } });
    await expect(changed).rejects.toMatchObject({ code: 'KAFKA_ROUTING_CHANGED' });
    const foreign = bench.open(topic, { partitions: 1, sourceId: 'source-2' });
    await expect(foreign).rejects.toMatchObject({ code: 'KAFKA_TOPIC_FOREIGN' });
  });

  test('when partitions were added meanwhile', async () => {
    const topic = await written();
    const admin = await bench.admin();
    await admin.createPartitions({ topicPartitions: [{ topic, count: 6 }] });
    await expect(bench.open(topic)).rejects.toMatchObject({
      code: 'KAFKA_ROUTING_CHANGED',
      detail: 'Changed: partitions (was 4, is 6).',
    });
  });

  test('when the topic belongs to another source, whose producer goes on', async () => {
    const topic = bench.topic();
    const owner = await bench.open(topic);
    await put(owner, batchOf(rows(1, 10)));
    const other = bench.open(topic, { sourceId: 'source-2' });
    await expect(other).rejects.toMatchObject({ code: 'KAFKA_TOPIC_FOREIGN', exitCode: 78 });
    await put(owner, batchOf(rows(11, 10)));
  });

  test('when the topic holds records of something else', async () => {
    const topic = bench.topic();
    await createTopic(await bench.admin(), { topic, numPartitions: 4 });
    const producer = createKafka(connection, () => undefined).producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: '{"hello":1}' }] });
    await producer.disconnect();
    await expect(bench.open(topic)).rejects.toMatchObject({ code: 'KAFKA_TOPIC_FOREIGN' });
  });

  test('when the topic is missing, too small, or not the one of before', async () => {
    await expect(bench.open(bench.topic(), { autoCreate: false })).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_MISSING',
      exitCode: 78,
    });
    const topic = await written();
    await expect(bench.open(topic, { partitions: 5 })).rejects.toMatchObject({ code: 'KAFKA_TOPIC_UNFIT' });
    await expect(bench.open(topic, { expectedTopicId: '0'.repeat(32) })).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_REPLACED',
    });
  });

  test('for now, when a broker does not know the topic yet', async () => {
    const topic = await written();
    await using broker = await forgetfulBroker(connection.brokers[0] ?? '', topic);
    const own = { ...connection, brokers: [broker.address] };
    await expect(bench.open(topic, { connection: own })).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      disposition: 'retry',
    });
    broker.isForgetful = false;
    await put(await bench.open(topic, { connection: own }), batchOf(rows(11, 1)));
  });

  test('when no broker answers', async () => {
    const nowhere = { ...connection, brokers: ['127.0.0.1:1'], connectionTimeoutMs: 1000 };
    await expect(bench.open(bench.topic(), { connection: nowhere })).rejects.toMatchObject({
      code: 'KAFKA_UNREACHABLE',
      disposition: 'retry',
    });
  });
});

describe('an open sink that fails while nothing is written says so', () => {
  test('when a heartbeat finds another topic of the name', async () => {
    const topic = bench.topic();
    const failures: PipelineError[] = [];
    const onFailure = (failure: PipelineError) => void failures.push(failure);
    const sink = await bench.open(topic, { heartbeatIntervalMs: 100, onFailure });
    await put(sink, batchOf(rows(1, 10)));
    const admin = await bench.admin();
    await admin.deleteTopics({ topics: [topic] });
    await waitFor('the topic to be gone', async () => !(await admin.listTopics()).includes(topic));
    await createTopic(admin, { topic, numPartitions: 4 });
    await waitFor('the failure', () => failures.length > 0);
    expect(failures).toMatchObject([{ code: 'KAFKA_TOPIC_REPLACED', exitCode: 78 }]);
  });

  test('when a heartbeat is fenced by another producer of the slot', async () => {
    const topic = bench.topic();
    const failures: PipelineError[] = [];
    const onFailure = (failure: PipelineError) => void failures.push(failure);
    await bench.open(topic, { heartbeatIntervalMs: 100, onFailure });
    const successor = await bench.open(topic);
    await waitFor('the failure', () => failures.length > 0);
    expect(failures).toMatchObject([{ code: 'KAFKA_PRODUCER_FENCED' }]);
    await put(successor, batchOf(rows(1, 10)));
  });

  test('and not when it is closed', async () => {
    const failures: PipelineError[] = [];
    const sink = await bench.open(bench.topic(), { onFailure: (failure) => void failures.push(failure) });
    await sink.close();
    expect(failures).toEqual([]);
  });
});

test('a record too large for the topic is parked with its identity; the others go on', async () => {
  const topic = bench.topic();
  const deadLetters = new KafkaDeadLetterStore({
    connection,
    topic,
    autoCreate: true,
    replicationFactor: 1,
    deliveryTimeoutMs: 20_000,
    onLog: () => undefined,
  });
  const sink = await bench.open(topic, { maxMessageBytes: 40_000, deadLetters, compression: 'none' });
  const big = { id: 'c2', name: 'text', type: 'text', value: 'x'.repeat(60_000) };
  const batch = batchOf([{ id: 1 }, { id: 2, columns: [idColumn(2), big] }, { id: 3 }]);
  await put(sink, batch);
  // Parked again after a crash in front of the confirmation.
  const again = await bench.open(topic, { maxMessageBytes: 40_000, deadLetters, compression: 'none' });
  await put(again, batchOf([{ id: 4, columns: [idColumn(4), big] }]));
  await put(
    await bench.open(topic, { deadLetters, compression: 'none' }),
    batchOf([{ id: 4, columns: [idColumn(4), big] }]),
  );
  await deadLetters.close();

  expect((await bench.summary(topic)).ids).toEqual([1, 3]);
  const letters = [];
  for await (const letter of listDeadLetters(connection, topic)) letters.push(letter);
  expect(letters).toHaveLength(2);
  expect(letters[1]).toMatchObject({
    sink: 'kafka',
    code: 'KAFKA_RECORD_TOO_LARGE',
    schema: 'app',
    table: 'orders',
    identity: 'app.orders:2',
    epoch: 1,
    position: { commitLsn: 0x1_0000_0010n, seq: 0, sub: 1 },
  });
  expect(letters[1]!.record?.toString()).toBe(batch.bytes.toString('utf8', batch.starts[1], batch.ends[1]));
});

test('a large record that compresses well enough is written', async () => {
  const topic = bench.topic();
  const sink = await bench.open(topic, { maxMessageBytes: 40_000 });
  const big = { id: 'c2', name: 'text', type: 'text', value: 'x'.repeat(60_000) };
  await put(sink, batchOf([{ id: 1, columns: [idColumn(1), big] }]));
  expect((await bench.summary(topic)).ids).toEqual([1]);
});

describe('keys', () => {
  test('by identity: names and values escaped, a table without a key under its own name', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic, { keying: 'identity' });
    const text = { id: 'c2', name: 'code', type: 'text', value: 'a,b\\c"d' };
    const odd = { ...table('my.app', 'a:b'), keyColumnIds: ['c1', 'c2'] };
    const keyless = { ...table('app', 'log'), keyColumnIds: [] };
    await put(
      sink,
      batchOf([
        { id: 1, ref: odd, columns: [idColumn(1), text] },
        { id: 2, ref: keyless },
        { id: 3, action: 'D', identity: [idColumn(3)] },
      ]),
    );
    const keys = data(await bench.read(topic)).map(({ key }) => key);
    expect(new Set(keys)).toEqual(new Set(['app.log', 'app.orders:3', String.raw`my\.app.a\:b:1,a\,b\\c"d`]));
  });

  test('by table: every row of a table in one partition, its schema changes in all', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic, { keying: 'table' });
    await put(
      sink,
      batchOf([
        ...rows(1, 20, () => table('app', 'a')),
        ddl(21, 'app', []),
        { id: 22, ref: table('app', 'b') },
      ]),
    );
    const records = data(await bench.read(topic));
    expect(new Set(records.filter(({ key }) => key === 'app.a').map(({ partition }) => partition)).size).toBe(
      1,
    );
    const schema = records.filter(({ kind }) => kind === 'schema');
    expect(schema).toHaveLength(4);
    expect(new Set(schema.map(({ partition }) => partition)).size).toBe(4);
    expect(schema.every(({ key, after }) => key === 'app' && after === null)).toBe(true);
  });

  test('a logical message of somebody else has the empty key', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic);
    await put(sink, batchOf([{ id: 1, action: 'M', message: { prefix: 'audit', content: 'who' } }]));
    expect(data(await bench.read(topic))).toMatchObject([{ key: '', kind: null }]);
  });
});

describe('hand-off', () => {
  const renamed: ShapeChange = { kind: 'schema_renamed', schema: 'new', from: 'old' };

  test('a schema that gets another partition: old copy first, new copy waits for it', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic);
    const from = uniqueName('old');
    const to = uniqueName('new');
    const change = ddl(11, to, [{ ...renamed, schema: to, from }]);
    const next = { id: 12, ref: table(to) };
    await put(sink, batchOf([...rows(1, 10, () => table(from)), change, next]));
    // The same again, as after a crash: the edge would be the same.
    await put(sink, batchOf([change, next]));
    const copies = data(await bench.read(topic)).filter(({ kind }) => kind === 'schema');
    const old = copies.find(({ after }) => after === null)!;
    const waits = copies.filter(({ after }) => after !== null);
    // Two names share a partition one time in four: then there is nothing to hand off.
    expect(copies).toHaveLength(1 + waits.length);
    for (const { after } of waits) {
      expect(JSON.parse(after!)).toEqual([{ partition: old.partition, offset: String(old.offset) }]);
    }
  });

  test('a renamed table under keys by identity waits for all that was written before, everywhere', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic, { keying: 'identity' });
    await put(
      sink,
      batchOf([...rows(1, 40), ddl(41, 'new', [renamed]), ...rows(42, 10, () => table('new'))]),
    );
    const records = data(await bench.read(topic));
    for (const copy of records.filter(({ kind }) => kind === 'schema')) {
      const edges: { partition: number; offset: string }[] = JSON.parse(copy.after!);
      const others = records.filter(
        ({ partition, key }) => partition !== copy.partition && key!.startsWith('app.'),
      );
      for (const { partition, offset } of others) {
        const edge = edges.find((candidate) => candidate.partition === partition)!;
        expect(Number(edge.offset)).toBeGreaterThanOrEqual(offset);
      }
      for (const edge of edges) {
        const target = records.find(
          ({ partition, offset }) => partition === edge.partition && String(offset) === edge.offset,
        )!;
        expect(idOf(target.value)).toBeLessThan(41);
      }
    }
  });

  test('an update that changes the key is written to both partitions, the new one waiting for the old', async () => {
    const topic = bench.topic();
    const sink = await bench.open(topic, { keying: 'identity' });
    const updates = Array.from({ length: 12 }, (_, i) => ({
      id: 100 + i,
      action: 'U' as const,
      identity: [idColumn(i + 1)],
    }));
    await put(sink, batchOf([...rows(1, 12), ...updates]));
    const records = data(await bench.read(topic));
    const moved = records.filter(({ after }) => after !== null);
    expect(moved.length).toBeGreaterThan(0);
    for (const { value, after, key } of moved) {
      expect(key).toBe(`app.orders:${idOf(value)}`);
      const [edge]: { partition: number; offset: string }[] = JSON.parse(after!);
      const old = records.find(
        ({ partition, offset }) => partition === edge!.partition && String(offset) === edge!.offset,
      )!;
      expect(old).toMatchObject({ value, key: `app.orders:${idOf(value) - 99}` });
    }
  });
});

function ddl(id: number, schemaName: string, changes: readonly ShapeChange[]) {
  const change: SchemaChange = {
    ddl: '',
    schema_name: schemaName,
    command_tag: 'ALTER TABLE',
    objects: [],
    schema_log: null,
    source: 'trigger',
    changes,
  };
  return { id, action: 'M' as const, message: { prefix: DDL_PREFIX, content: JSON.stringify(change) } };
}

test('a stop ends the wait for requests of an earlier producer', async () => {
  const topic = await written();
  const stop = new AbortController();
  const opening = bench.open(topic, {
    slotName: uniqueName('slot'),
    deliveryTimeoutMs: 600_000,
    signal: stop.signal,
    onEvent: ({ kind }) => {
      if (kind === 'waiting_for_predecessor') setImmediate(() => stop.abort(new Error('stopped')));
    },
  });
  await expect(opening).rejects.toThrow('stopped');
});
