import type { Buffer } from 'node:buffer';
import { createKafka, createTopic } from '@pgstream/kafka-client';
import { uniqueName, waitFor } from '@pgstream/test-kit';
import {
  type DeadLetter,
  type DeadLetterStore,
  encodeRecord,
  type Lsn,
  type RecordBatch,
  valueAt,
} from '@pgstream/wal-event';
import { ChangeConsumer, type ChangeConsumerOptions, type KafkaCheckpoint } from '../src/index.ts';
import { connection } from './kafka-connection.ts';

const kafka = createKafka(connection, () => {});

function lsn(n: number): Lsn {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made up
  return BigInt(n * 8) as Lsn;
}

/** The record of row `n` of transaction `n`. */
export function record(n: number): Buffer {
  return encodeRecord({
    action: 'I',
    timestamp: '2026-11-21 09:14:10.325235+00',
    position: { commitLsn: lsn(n), seq: 0, sub: 1 },
    epoch: 1,
    xid: n,
    lsn: lsn(n),
    schema: 'app',
    table: 'orders',
    columns: [{ id: 't-1', name: 'id', type: 'bigint', value: { raw: String(n) } }],
    identity: null,
    tableId: 't',
    keyColumnIds: ['t-1'],
    unchanged: [],
    snapshot: false,
  });
}

export interface Message {
  readonly value: Buffer | null;
  readonly partition: number;
  readonly headers?: Record<string, string>;
}

/** A topic of its own, dropped with its groups at the end. */
export class TestTopic {
  readonly name: string;
  readonly groupId: string;
  readonly #producer = kafka.producer({ allowAutoTopicCreation: false });
  readonly #admin = kafka.admin();

  private constructor() {
    this.name = uniqueName('consume');
    this.groupId = `${this.name}-group`;
  }

  static async create(partitions: number): Promise<TestTopic> {
    const topic = new TestTopic();
    await Promise.all([topic.#admin.connect(), topic.#producer.connect()]);
    await createTopic(topic.#admin, { topic: topic.name, numPartitions: partitions });
    return topic;
  }

  async send(messages: readonly Message[]): Promise<void> {
    await this.#producer.send({ topic: this.name, messages: messages.map((message) => ({ ...message })) });
  }

  /** Rows `from` up to `to`, that one included, into one partition. */
  async sendRows(partition: number, from: number, to: number): Promise<void> {
    const messages: Message[] = [];
    for (let n = from; n <= to; n++) messages.push({ value: record(n), partition });
    await this.send(messages);
  }

  /** The group's committed offset of a partition, -1 without one. */
  async committed(partition: number, groupId = this.groupId): Promise<number> {
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [this.name] });
    return Number(found?.partitions.find((entry) => entry.partition === partition)?.offset ?? -1);
  }

  async setOffset(partition: number, offset: number): Promise<void> {
    await this.#admin.setOffsets({
      groupId: this.groupId,
      topic: this.name,
      partitions: [{ partition, offset: String(offset) }],
    });
  }

  async deleteRecordsBefore(partition: number, offset: number): Promise<void> {
    await this.#admin.deleteTopicRecords({
      topic: this.name,
      partitions: [{ partition, offset: String(offset) }],
    });
  }

  async drop(): Promise<void> {
    await this.#admin.deleteTopics({ topics: [this.name] });
    await this.#admin.deleteGroups([this.groupId]).catch(() => {}); // gone with its last member, or never made
    await Promise.all([this.#admin.disconnect(), this.#producer.disconnect()]);
  }
}

interface Consumed {
  readonly batch: RecordBatch<KafkaCheckpoint>;
  readonly checkpoint: KafkaCheckpoint;
}

/** Runs a consumer and notes what it hands out; confirms at once unless told to hold. */
export class Running {
  readonly source: ChangeConsumer;
  /** Row numbers by lane, in the order they came. */
  readonly rows = new Map<number, number[]>();
  readonly held: Consumed[] = [];
  readonly letters: DeadLetter[] = [];
  readonly log: string[] = [];
  failure: unknown;
  readonly #abort = new AbortController();
  readonly #ended: Promise<void>;
  #hold: (lane: number) => boolean;

  constructor(
    topic: TestTopic,
    options: Partial<ChangeConsumerOptions> & { hold?: (lane: number) => boolean } = {},
  ) {
    const { hold = () => false, ...rest } = options;
    this.#hold = hold;
    const deadLetters: DeadLetterStore = {
      park: async (letters) => {
        this.letters.push(...letters);
      },
    };
    this.source = new ChangeConsumer({
      connection,
      groupId: topic.groupId,
      topic: topic.name,
      startFrom: 'earliest',
      heartbeatIntervalMs: 300,
      commitIntervalMs: 50,
      deadLetters,
      onLog: (line) => this.log.push(`${line.level} ${line.message} ${JSON.stringify(line.extra)}`),
      ...rest,
    });
    this.#ended = this.#run().catch((cause: unknown) => {
      this.failure = cause;
    });
  }

  async #run(): Promise<void> {
    for await (const batch of this.source.batches(this.#abort.signal)) this.#take(batch);
  }

  #take(batch: RecordBatch<KafkaCheckpoint>): void {
    const rows = this.rows.get(batch.lane) ?? [];
    this.rows.set(batch.lane, rows);
    for (let i = 0; i < batch.count; i++) {
      const value: { xid: number } = JSON.parse(valueAt(batch, i).toString());
      rows.push(value.xid);
    }
    const { checkpoint } = batch;
    if (checkpoint === undefined) throw new Error('a batch without a checkpoint');
    if (this.#hold(batch.lane)) this.held.push({ batch, checkpoint });
    else this.#settle({ batch, checkpoint });
  }

  #settle({ batch, checkpoint }: Consumed): void {
    batch.release?.();
    void this.source.confirm(batch.lane, checkpoint);
  }

  release(): void {
    this.#hold = () => false;
    for (const consumed of this.held.splice(0)) this.#settle(consumed);
  }

  count(): number {
    return [...this.rows.values()].reduce((sum, rows) => sum + rows.length, 0);
  }

  async until(count: number): Promise<void> {
    await waitFor(`${count} rows, have ${this.count()}`, () => {
      if (this.failure !== undefined) throw new Error('the consumer failed', { cause: this.failure });
      return this.count() >= count;
    });
  }

  /** As `until`, for one lane. */
  async rowsOf(lane: number, count: number): Promise<number[]> {
    return await waitFor(`${count} rows of lane ${lane}`, () => {
      const rows = this.rows.get(lane) ?? [];
      return rows.length >= count ? rows : undefined;
    });
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#ended;
    await this.source.close();
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}
