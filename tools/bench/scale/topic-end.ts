import { Cluster, LogReader } from '@pgstream/kafka-client';

const PATIENCE_MS = 900_000;

/**
 * How many records a topic holds, asked of the broker: that costs the producer nothing, where each look at its counters would be
 * a tenth of what a burst of ten thousand rows costs. Heartbeats are counted too, one to some six thousand rows.
 */
export class TopicEnd {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;

  private constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#reader = new LogReader(cluster, 30_000);
  }

  /** Of a topic that is there. */
  static async open(broker: string, topic: string): Promise<TopicEnd> {
    const connection = { brokers: [broker], clientId: 'bench-scale', connectionTimeoutMs: 10_000 };
    const cluster = new Cluster({ ...connection, requestTimeoutMs: 30_000 }, topic);
    try {
      await cluster.refresh();
    } catch (cause) {
      cluster.close();
      throw cause;
    }
    return new TopicEnd(cluster);
  }

  async records(): Promise<number> {
    const partitions = Array.from({ length: this.#cluster.partitionCount }, (_, partition) => partition);
    const ends = await Promise.all(partitions.map((partition) => this.#reader.endOffset(partition)));
    return ends.reduce((sum, end) => sum + Number(end), 0);
  }

  /** Milliseconds of `performance.now` when there were so many. @throws {Error} when they do not come */
  async atLeast(
    wanted: number,
    everyMs: number,
  ): Promise<{ readonly records: number; readonly atMs: number }> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const records = await this.records();
      const atMs = performance.now();
      if (records >= wanted) return { records, atMs };
      if (atMs > deadlineMs) throw new Error(`${records} of ${wanted} records after ${PATIENCE_MS} ms`);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }

  close(): void {
    this.#cluster.close();
  }
}
