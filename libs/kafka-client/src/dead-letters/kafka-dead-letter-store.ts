import { Buffer } from 'node:buffer';
import type { DeadLetter, DeadLetterStore } from '@pgstream/wal-event';
import { Cluster } from '../connection/cluster.ts';
import type { KafkaConnectionOptions, KafkaLogLine } from '../connection/kafka-connection.ts';
import { IdempotentProducer } from '../producer/idempotent-producer.ts';
import { RecordBatchWriter } from '../protocol/record-batch-writer.ts';
import { ensureTopic } from '../topic/ensure-topic.ts';
import { LogReader } from '../topic/log-reader.ts';
import {
  decodeConclusion,
  decodeLetter,
  encodeConclusion,
  encodeLetter,
  letterIdOf,
  type Conclusion,
  type StoredDeadLetter,
} from './letter-json.ts';

export interface KafkaDeadLetterOptions {
  readonly connection: KafkaConnectionOptions;
  /** Of the records; the letters lie in `<topic>.dead-letters`. */
  readonly topic: string;
  readonly autoCreate: boolean;
  readonly replicationFactor: number;
  readonly deliveryTimeoutMs: number;
  readonly onLog: (line: KafkaLogLine) => void;
}

/** Of a topic that is created here: a letter should hold any record that its own topic holds, in base64. */
const MAX_MESSAGE_BYTES = 24 * 1024 * 1024;
const PARTITION = 0;

interface Session {
  readonly cluster: Cluster;
  readonly producer: IdempotentProducer;
  readonly maxRecordBytes: number;
}

/**
 * Letters in a topic of one partition that keeps everything. Keyed by `schema.table:identity`. A letter may lie there
 * twice after a failure between parking and confirming: {@link listDeadLetters} shows it once. Nothing is ever removed:
 * a conclusion behind a letter says that somebody saw to it.
 */
export class KafkaDeadLetterStore implements DeadLetterStore {
  readonly topic: string;
  readonly #options: KafkaDeadLetterOptions;
  #session: Promise<Session> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: KafkaDeadLetterOptions) {
    this.#options = options;
    this.topic = deadLetterTopic(options.topic);
  }

  /** The topic is opened, and created where it may be, with the first letter. */
  async park(letters: readonly DeadLetter[]): Promise<void> {
    const at = new Date().toISOString();
    await this.#inTurn(letters, (letter, maxBytes) => encodeLetter(letter, at, maxBytes));
  }

  /** The letters are done with, and no longer listed. */
  async conclude(letters: readonly DeadLetter[], how: Conclusion['how']): Promise<void> {
    const at = new Date().toISOString();
    await this.#inTurn(letters, (letter) => encodeConclusion({ closes: letterIdOf(letter), how, at }));
  }

  async #inTurn(letters: readonly DeadLetter[], encode: Encode): Promise<void> {
    const write = async () => await this.#write(letters, encode);
    const done = this.#last.then(write, write);
    this.#last = done;
    await done;
  }

  async close(): Promise<void> {
    await this.#last.catch(() => undefined);
    const session = await this.#session?.catch(() => undefined);
    session?.cluster.close();
  }

  async #write(letters: readonly DeadLetter[], encode: Encode): Promise<void> {
    this.#session ??= this.#open();
    try {
      const { producer, maxRecordBytes } = await this.#session;
      for (const letter of letters) {
        const writer = new RecordBatchWriter(1024);
        const value = encode(letter, maxRecordBytes);
        writer.add(keyOf(letter), value, 0, value.length, Date.now());
        // oxlint-disable-next-line no-await-in-loop -- one outstanding batch per partition
        await producer.send([{ partition: PARTITION, batch: writer.finish('zstd'), count: 1 }]);
      }
    } catch (cause) {
      // A producer that failed stays dead: the next letter gets another.
      const session = await this.#session.catch(() => undefined);
      session?.cluster.close();
      this.#session = undefined;
      throw cause;
    }
  }

  async #open(): Promise<Session> {
    const { connection, autoCreate, replicationFactor, deliveryTimeoutMs, onLog } = this.#options;
    const settings = {
      topic: this.topic,
      partitions: 1,
      replicationFactor,
      autoCreate,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      settings: { 'retention.ms': '-1' },
    };
    const facts = await ensureTopic(connection, settings, onLog);
    const cluster = new Cluster(connection, this.topic);
    await cluster.refresh(true);
    const { requestTimeoutMs } = connection;
    const producer = new IdempotentProducer({
      cluster,
      transactionalId: null,
      requestTimeoutMs,
      deliveryTimeoutMs,
    });
    await producer.init();
    // Base64 adds a third; the rest is the letter itself.
    return { cluster, producer, maxRecordBytes: Math.floor(facts.maxMessageBytes * 0.7) - 4096 };
  }
}

type Encode = (letter: DeadLetter, maxRecordBytes: number) => Buffer;

export function deadLetterTopic(topic: string): string {
  return `${topic}.dead-letters`;
}

/**
 * The letters of `topic` that nobody saw to yet, newest first, each once.
 * @throws {PipelineError} `KAFKA_TOPIC_MISSING` where none was ever parked.
 */
export async function* listDeadLetters(
  connection: KafkaConnectionOptions,
  topic: string,
): AsyncGenerator<StoredDeadLetter> {
  const cluster = new Cluster(connection, deadLetterTopic(topic));
  const seen = new Set<string>();
  try {
    await cluster.refresh();
    for await (const { records } of new LogReader(cluster, connection.requestTimeoutMs).backwards(
      PARTITION,
    )) {
      for (const { value } of records.toReversed()) {
        const closed = value === null ? null : decodeConclusion(value);
        if (closed !== null) seen.add(closed);
        const letter = value === null ? null : decodeLetter(value);
        if (letter === null) continue;
        const id = letterIdOf(letter);
        if (!seen.has(id)) yield letter;
        seen.add(id);
      }
    }
  } finally {
    cluster.close();
  }
}

function keyOf({ schema, table, identity }: DeadLetter): Buffer {
  return Buffer.from(`${schema}.${table}:${identity ?? ''}`);
}
