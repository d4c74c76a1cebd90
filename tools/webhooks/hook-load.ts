import { setTimeout as pause } from 'node:timers/promises';
import { createKafka, createTopic, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import type { Random } from '@pgstream/test-kit';
import { encodeRecord, eventId, type ChangeRecord, type Lsn, type RecordColumn } from '@pgstream/wal-event';

/** One record of the log, as its receivers should see it. */
export interface SentEvent {
  /** The webhook-id. */
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
  readonly operation: 'insert' | 'update';
  /** Of the row; each row stays in one partition. */
  readonly key: number;
  /** Of the row, rising in the order of the log. */
  readonly version: number;
}

export interface HookLoadOptions {
  readonly connection: KafkaConnectionOptions;
  readonly topic: string;
  readonly partitions: number;
  readonly random: Random;
  /** Between two rounds of events, each of one to eight. */
  readonly pauseMs: number;
  /** Rows that the events are of; default 8, so that many wait for one another. */
  readonly rowsPerPartition?: number | undefined;
}

const ROWS_PER_PARTITION = 8;
const MAX_ROWS = 1_000_000;
const MAX_BATCH = 8;

/** Writes changes of rows into a topic that nobody else writes, and knows what it wrote. */
export class HookLoad {
  /** In the order of writing; an event is here before it is sent. */
  readonly sent: SentEvent[] = [];
  readonly byId = new Map<string, SentEvent>();
  readonly #options: HookLoadOptions;
  readonly #offsets: number[];
  readonly #versions = new Map<number, number>();
  readonly #producer;
  readonly #admin;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: HookLoadOptions) {
    this.#options = options;
    const kafka = createKafka(options.connection, () => {});
    this.#producer = kafka.producer({ allowAutoTopicCreation: false });
    this.#admin = kafka.admin();
    this.#offsets = Array.from({ length: options.partitions }, () => 0);
  }

  /** Makes the topic. */
  async open(): Promise<void> {
    const { topic, partitions: numPartitions } = this.#options;
    await Promise.all([this.#admin.connect(), this.#producer.connect()]);
    await createTopic(this.#admin, { topic, numPartitions });
  }

  start(): void {
    this.#running = this.#write();
  }

  /** Resolves when the last event is in the log. @throws what writing failed with. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** One round of events, at once. @param note what rows hold beside key and version. */
  async send(partition: number, count: number, note = ''): Promise<void> {
    const events = Array.from({ length: count }, () => this.#next(partition));
    const messages = events.map((event) => ({ partition, value: encodeRecord(recordOf(event, note)) }));
    await this.#producer.send({ topic: this.#options.topic, messages });
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
    await this.#admin.deleteTopics({ topics: [this.#options.topic] });
    await this.#admin.disconnect();
  }

  async #write(): Promise<void> {
    const { random, partitions, pauseMs } = this.#options;
    while (!this.#stop.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- one writer, so that offsets are known
      await this.send(random.int(0, partitions - 1), random.int(1, MAX_BATCH));
      // oxlint-disable-next-line no-await-in-loop -- the rate
      await pause(pauseMs);
    }
  }

  #next(partition: number): SentEvent {
    const { random, rowsPerPartition = ROWS_PER_PARTITION } = this.#options;
    const key = partition * MAX_ROWS + random.int(0, rowsPerPartition - 1);
    const version = (this.#versions.get(key) ?? 0) + 1;
    const offset = this.#offsets[partition] ?? 0;
    this.#versions.set(key, version);
    this.#offsets[partition] = offset + 1;
    const id = `msg_${eventId(partition + 1, positionAt(offset))}`;
    const event = {
      id,
      partition,
      offset,
      key,
      version,
      operation: version === 1 ? 'insert' : 'update',
    } as const;
    this.sent.push(event);
    this.byId.set(id, event);
    return event;
  }
}

function positionAt(offset: number): ChangeRecord['position'] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made up
  return { commitLsn: BigInt((offset + 1) * 8) as Lsn, seq: 0, sub: 1 };
}

function recordOf({ partition, offset, key, version, operation }: SentEvent, note: string): ChangeRecord {
  const position = positionAt(offset);
  const columns: RecordColumn[] = [
    { id: 't-1', name: 'id', type: 'bigint', value: { raw: String(key) } },
    { id: 't-2', name: 'version', type: 'bigint', value: { raw: String(version) } },
    { id: 't-3', name: 'note', type: 'text', value: note },
  ];
  return {
    action: operation === 'insert' ? 'I' : 'U',
    timestamp: new Date().toISOString().replace('T', ' ').replace('Z', '+00'),
    position,
    // Another one per partition, or positions would name several events.
    epoch: partition + 1,
    xid: offset,
    lsn: position.commitLsn,
    schema: 'app',
    table: 'orders',
    columns,
    identity: null,
    tableId: 't',
    keyColumnIds: ['t-1'],
    unchanged: [],
    snapshot: false,
  };
}
