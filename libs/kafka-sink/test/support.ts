import { Buffer } from 'node:buffer';
import { createKafka, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import {
  encodeRecord,
  parseLsn,
  RecordBatchBuilder,
  type ChangeRecord,
  type Lsn,
  type RecordBatch,
  type TableRef,
} from '@pgstream/wal-event';
import { openKafkaSink, type KafkaSink, type KafkaSinkOptions } from '../src/index.ts';

export const connection: KafkaConnectionOptions = {
  brokers: endpoints().kafkaBrokers,
  clientId: 'kafka-sink-test',
  connectionTimeoutMs: 10_000,
  requestTimeoutMs: 20_000,
};

export const never: AbortSignal = new AbortController().signal;

export interface LogRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string;
  readonly kind: string | null;
  readonly after: string | null;
}

/** Topics, sinks and what they leave behind, for one test file. */
export class Bench {
  readonly #topics: string[] = [];
  readonly #sinks: KafkaSink[] = [];
  readonly #connection: KafkaConnectionOptions;
  readonly #admin: ReturnType<ReturnType<typeof createKafka>['admin']>;

  constructor(own: KafkaConnectionOptions = connection) {
    this.#connection = own;
    this.#admin = createKafka(own, () => undefined).admin();
  }

  topic(): string {
    const topic = uniqueName('sink');
    this.#topics.push(topic);
    return topic;
  }

  async open(topic: string, options: Partial<KafkaSinkOptions> = {}): Promise<KafkaSink> {
    const sink = await openKafkaSink({
      connection: this.#connection,
      topic,
      partitions: 4,
      autoCreate: true,
      replicationFactor: 1,
      maxMessageBytes: 1024 * 1024,
      keying: 'schema',
      sourceId: 'source-1',
      slotName: topic,
      epoch: 1,
      routing: { tables: '*' },
      isConfirmed: () => false,
      deadLetters: { park: async () => await Promise.reject(new Error('nothing should be parked')) },
      onEvent: () => undefined,
      deliveryTimeoutMs: 20_000,
      ...options,
    });
    this.#sinks.push(sink);
    return sink;
  }

  async admin(): Promise<ReturnType<ReturnType<typeof createKafka>['admin']>> {
    await this.#admin.connect();
    return this.#admin;
  }

  async close(): Promise<void> {
    for (const sink of this.#sinks) await sink.close();
    const admin = await this.admin();
    const existing = await admin.listTopics();
    const ours = existing.filter((name) => this.#topics.some((topic) => name.startsWith(topic)));
    if (ours.length > 0) await admin.deleteTopics({ topics: ours });
    await admin.disconnect();
  }

  /** Everything in the topic, read by the other client, in offset order per partition. */
  async read(topic: string): Promise<LogRecord[]> {
    const admin = await this.admin();
    const offsets = await admin.fetchTopicOffsets(topic);
    const wanted = offsets.reduce((sum, { high }) => sum + Number(high), 0);
    const consumer = createKafka(this.#connection, () => undefined).consumer({
      groupId: uniqueName('g'),
      maxWaitTimeInMs: 50,
    });
    const records: LogRecord[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ partition, message }) => {
        const header = (name: string) => message.headers?.[name]?.toString() ?? null;
        records.push({
          partition,
          offset: Number(message.offset),
          key: message.key?.toString() ?? null,
          value: message.value!.toString(),
          kind: header('pgstream-kind'),
          after: header('pgstream-after'),
        });
        return await Promise.resolve();
      },
    });
    await waitFor(`${wanted} records of ${topic}`, () => records.length >= wanted);
    await consumer.disconnect();
    return records;
  }

  /** The `id` column of every row, sorted, and whether each partition had them in order. */
  async summary(topic: string): Promise<{ ids: number[]; isInOrder: boolean }> {
    const last = new Map<number, number>();
    const ids: number[] = [];
    let isInOrder = true;
    for (const { partition, value, kind } of await this.read(topic)) {
      if (kind !== null) continue;
      const id = idOf(value);
      isInOrder &&= id > (last.get(partition) ?? 0);
      last.set(partition, id);
      ids.push(id);
    }
    return { ids: ids.toSorted((a, b) => a - b), isInOrder };
  }
}

export function idOf(value: string): number {
  const { columns }: { columns: { value: number }[] } = JSON.parse(value);
  return columns[0]!.value;
}

/** What {@link Bench.summary} finds when ids 1 to `count` are in the log exactly once. */
export const once = (count: number) => ({
  ids: Array.from({ length: count }, (_, i) => i + 1),
  isInOrder: true,
});

export const table = (schema: string, name = 'orders'): TableRef => ({
  schema,
  table: name,
  tableId: `table-of-${schema}`.padEnd(20, '0'),
  keyColumnIds: ['c1'],
});

/** One row or message; `id` is also its position, so that a batch can be replayed. */
export type Change = Partial<Omit<ChangeRecord, 'position'>> & {
  readonly id: number;
  readonly ref?: TableRef;
};

const lsnOf = (id: number): Lsn => parseLsn(`1/${(id * 8).toString(16)}`);

export function batchOf(changes: readonly Change[], epoch = 1): RecordBatch {
  const batch = new RecordBatchBuilder(4096);
  batch.epoch = epoch;
  for (const change of changes) {
    const { id, ref = table('app'), action = 'I' } = change;
    const value = encodeRecord(recordOf(change, ref, epoch));
    batch.reserve(value.length);
    value.copy(batch.bytes, batch.length);
    const entry = {
      commitLsn: lsnOf(id),
      seq: 0,
      sub: 1,
      commitTimeMs: 1_700_000_000_000 + id,
      table: ref,
    } as const;
    batch.push({ action: action.charCodeAt(0), ...entry }, batch.length + value.length);
  }
  return batch;
}

function recordOf({ id, ref: _ref, ...change }: Change, ref: TableRef, epoch: number): ChangeRecord {
  const { action = 'I' } = change;
  const isMessage = action === 'M';
  return {
    action,
    timestamp: '2026-11-21 09:14:10.325235+00',
    position: { commitLsn: lsnOf(id), seq: 0, sub: 1 },
    epoch,
    xid: 7,
    lsn: lsnOf(id),
    schema: isMessage ? '' : ref.schema,
    table: isMessage ? '' : ref.table,
    columns: action === 'I' || action === 'U' ? [idColumn(id)] : null,
    identity: null,
    tableId: isMessage ? '' : ref.tableId,
    keyColumnIds: isMessage ? null : ref.keyColumnIds,
    unchanged: [],
    snapshot: false,
    ...change,
  };
}

export const idColumn = (id: number) => ({
  id: 'c1',
  name: 'id',
  type: 'bigint',
  value: { raw: String(id) },
});

export const rows = (from: number, count: number, ref?: (id: number) => TableRef): Change[] =>
  Array.from({ length: count }, (_, i) => ({
    id: from + i,
    ...(ref === undefined ? {} : { ref: ref(from + i) }),
  }));

/** Resolves when the batch is durable. */
export async function put(sink: KafkaSink, batch: RecordBatch): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    sink.write(batch, { settled: resolve, failed: reject }, never).catch(reject);
  });
}

export const bytes = (text: string): Buffer => Buffer.from(text);
