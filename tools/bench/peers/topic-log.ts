import { Cluster, createKafka, LogReader, type FetchedRecord } from '@pgstream/kafka-client';
import { connectionTo } from './peer-world.ts';

const TIMEOUT_MS = 60_000;
const PARTITION = 0;

/** The only partition of a topic, read once from its start while it grows. */
export class TopicLog {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;
  #next = 0n;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#reader = new LogReader(cluster, TIMEOUT_MS);
  }

  static async open(broker: string, topic: string): Promise<TopicLog> {
    const connection = connectionTo(broker);
    createKafka(connection, () => undefined); // makes the codecs known
    const cluster = new Cluster(connection, topic);
    await cluster.refresh();
    return new TopicLog(cluster);
  }

  /** How many records it holds by now. */
  async size(): Promise<number> {
    return Number(await this.#reader.endOffset(PARTITION));
  }

  /** Hands out every record from where the last call ended up to `size`. */
  async readTo(size: number, onRecord: (record: FetchedRecord) => void): Promise<void> {
    while (this.#next < BigInt(size)) {
      // oxlint-disable-next-line no-await-in-loop -- where a batch starts is known only from the one before
      const { records, lastOffset } = await this.#reader.batchAt(PARTITION, this.#next);
      for (const record of records) onRecord(record);
      this.#next = lastOffset + 1n;
    }
  }

  close(): void {
    this.#cluster.close();
  }
}
