import type { Buffer } from 'node:buffer';
import {
  KafkaDeadLetterStore,
  letterIdOf,
  listDeadLetters,
  type KafkaConnectionOptions,
  type StoredDeadLetter,
} from '@pgstream/kafka-client';
import { PipelineError } from '@pgstream/failure';
import { decodeRecord, formatPosition, type ChangeRecord } from '@pgstream/wal-event';
import type { PgstreamConfig } from '../../config/settings.ts';
import { kafkaConnection } from '../../wiring/kafka-connection.ts';
import {
  matches,
  NO_KEY,
  shortId,
  type LetterBook,
  type LetterFilter,
  type LetterOutcome,
  type ListedDeadLetter,
  type ShownDeadLetter,
} from './letter-book.ts';

const DELIVERY_TIMEOUT_MS = 30_000;

/** The topic `<topic>.dead-letters`: records that are too large for the topic, and undecodable ones. */
export class TopicBook implements LetterBook {
  readonly #connection: KafkaConnectionOptions;
  readonly #topic: string;
  readonly #store: KafkaDeadLetterStore;
  readonly #stored = new WeakMap<ListedDeadLetter, StoredDeadLetter>();

  constructor(config: PgstreamConfig) {
    const { readerServers, topic } = config.kafka;
    this.#connection = kafkaConnection(config, readerServers === null ? 'writer' : 'reader');
    this.#topic = topic.name;
    this.#store = new KafkaDeadLetterStore({
      connection: this.#connection,
      topic: topic.name,
      autoCreate: false,
      replicationFactor: topic.replicationFactor,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      onLog: () => {},
    });
  }

  async count(): Promise<number> {
    let count = 0;
    for await (const letters of this.letters({})) count += letters.length;
    return count;
  }

  async *letters(filter: LetterFilter): AsyncGenerator<ListedDeadLetter[]> {
    try {
      for await (const stored of listDeadLetters(this.#connection, this.#topic)) {
        const letter = this.#listed(stored);
        if (matches(letter, filter)) yield [letter];
      }
    } catch (error) {
      // The topic is made with the first letter.
      if (!(error instanceof PipelineError && error.code === 'KAFKA_TOPIC_MISSING')) throw error;
    }
  }

  show(letter: ListedDeadLetter): Promise<ShownDeadLetter | null> {
    const stored = this.#stored.get(letter);
    const record = stored?.record?.toString('utf8') ?? null;
    const { position: firstPosition } = letter;
    return Promise.resolve({ ...letter, epoch: stored?.epoch ?? 0, firstPosition, document: null, record });
  }

  retry(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]> {
    return Promise.resolve(
      letters.map((letter) => ({ letter, outcome: 'refused', reason: whyNot(this.#stored.get(letter)) })),
    );
  }

  async discard(letters: readonly ListedDeadLetter[]): Promise<LetterOutcome[]> {
    const stored = letters.flatMap((letter) => this.#stored.get(letter) ?? []);
    await this.#store.conclude(stored, 'discarded');
    return letters.map((letter) => ({ letter, outcome: 'discarded', reason: null }));
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  #listed(stored: StoredDeadLetter): ListedDeadLetter {
    const { sink, code, reason, schema, table, identity, at } = stored;
    const letter: ListedDeadLetter = {
      id: shortId(`topic:${letterIdOf(stored)}`),
      store: 'topic',
      sink,
      code,
      reason,
      schema,
      table,
      identity,
      at,
      position: formatPosition(stored.position),
      coalesced: 0,
      attempts: 0,
      lastReason: null,
    };
    this.#stored.set(letter, stored);
    return letter;
  }
}

/**
 * A record of the log stands behind what came before it. Written again at the end it would come behind what came after
 * it: a consumer that keeps the newest record of a row would go back in time, or bring a deleted row back to life.
 */
function whyNot(stored: StoredDeadLetter | undefined): string {
  if (stored?.code !== 'KAFKA_RECORD_TOO_LARGE') return NO_KEY;
  const passed = 'its place in the log has passed, and later changes of the row may be behind it';
  const remedy = `raise max.message.bytes of the topic, ${touchOf(stored.record)}, and discard this letter`;
  return `${passed}: ${remedy}`;
}

/** How the row gets into the log once more. */
function touchOf(record: Buffer | undefined): string {
  const again = 'let the row change once more';
  if (record === undefined) return again;
  try {
    const change = decodeRecord(record);
    if (change.action === 'D')
      return 'insert the row and delete it again, since its delete is what is missing';
    const statement = updateOf(change);
    return statement === null ? again : `run ${statement}`;
  } catch {
    return again;
  }
}

/** An UPDATE that changes nothing and sends the whole row; `null` where the record does not tell its key. */
function updateOf({ schema, table, columns, keyColumnIds }: ChangeRecord): string | null {
  const keys = (keyColumnIds ?? []).map((id) => columns?.find((column) => column.id === id));
  const conditions: string[] = [];
  for (const key of keys) {
    if (key === undefined || key.value === null) return null;
    const text = typeof key.value === 'object' && 'raw' in key.value ? key.value.raw : String(key.value);
    conditions.push(`${quoted(key.name)} = '${text.replaceAll("'", "''")}'`);
  }
  const [first] = keys;
  if (first === undefined) return null;
  const name = quoted(first.name);
  return `UPDATE ${quoted(schema)}.${quoted(table)} SET ${name} = ${name} WHERE ${conditions.join(' AND ')}`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
