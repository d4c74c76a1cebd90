import { createKafka, createTopic, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import { encodeRecord, type ChangeRecord } from '@pgstream/wal-event';

export const connection = (): KafkaConnectionOptions => ({
  brokers: endpoints().kafkaBrokers,
  clientId: 'hooks-test',
  connectionTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
});

/** A topic of its own, dropped at the end. */
export class OwnLog {
  readonly name = uniqueName('hooks');
  readonly #kafka = createKafka(connection(), () => {});
  readonly #producer = this.#kafka.producer({ allowAutoTopicCreation: false });
  readonly #admin = this.#kafka.admin();

  static async create(partitions: number): Promise<OwnLog> {
    const log = new OwnLog();
    await Promise.all([log.#admin.connect(), log.#producer.connect()]);
    await createTopic(log.#admin, { topic: log.name, numPartitions: partitions });
    return log;
  }

  /** @param timeMs of the commits, milliseconds since 1970. */
  async send(partition: number, records: readonly ChangeRecord[], timeMs = Date.now()): Promise<void> {
    const timestamp = String(timeMs);
    const messages = records.map((record) => ({ partition, value: encodeRecord(record), timestamp }));
    await this.#producer.send({ topic: this.name, messages });
  }

  /** What no consumer can read any more. */
  async deleteBefore(partition: number, offset: number): Promise<void> {
    await this.#admin.fetchTopicOffsets(this.name); // else the client does not know who leads it
    await this.#admin.deleteTopicRecords({
      topic: this.name,
      partitions: [{ partition, offset: String(offset) }],
    });
  }

  async committed(groupId: string, partition: number): Promise<number> {
    const [found] = await this.#admin.fetchOffsets({ groupId, topics: [this.name] });
    return Number(found?.partitions.find((entry) => entry.partition === partition)?.offset ?? -1);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.disconnect();
    await this.#admin.deleteTopics({ topics: [this.name] });
    await waitFor('the topic to be gone', async () => !(await this.#admin.listTopics()).includes(this.name));
    await this.#admin.disconnect();
  }
}
