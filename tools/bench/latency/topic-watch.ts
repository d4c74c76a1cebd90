import { BatchConsumer, RecordSetReader } from '@pgstream/kafka-client';
import { uniqueName } from '@pgstream/test-kit';
import { monotonicUs } from './clock.ts';

/** Rows carry it as text, whatever form a system gives to its records: `commit-17;`, `bulk-1;`. */
const MARK = /(commit|bulk)-(\d+);/;
const MARKS = ['commit-', 'bulk-'];

/** Reads a topic as it grows and notes when each marked row was there. */
export class TopicWatch {
  /** By id, microseconds of the monotonic clock; the first time where a record comes twice. */
  readonly commits = new Map<number, number>();
  readonly bulks = new Map<number, number>();
  readonly #consumer: BatchConsumer;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failure: unknown;

  constructor(broker: string, topic: string) {
    const connection = {
      brokers: [broker],
      clientId: 'bench-latency',
      connectionTimeoutMs: 10_000,
      requestTimeoutMs: 30_000,
    };
    this.#consumer = new BatchConsumer(
      {
        connection,
        groupId: uniqueName('bench-latency'),
        topic,
        startFrom: 'earliest',
        topicWaitMs: 60_000,
        onLog: () => undefined,
      },
      { assigned: () => undefined, release: async () => Promise.resolve(), lost: () => undefined },
    );
  }

  async start(): Promise<void> {
    await this.#consumer.start(this.#stop.signal);
    this.#running = this.#run().catch((cause: unknown) => {
      if (!this.#stop.signal.aborted) this.#failure = cause;
    });
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#consumer.close();
  }

  /** @throws what ended the reading, which would otherwise look like records that never come */
  assertRuns(): void {
    if (this.#failure !== undefined) throw new Error('reading the topic failed', { cause: this.#failure });
  }

  async #run(): Promise<void> {
    const reader = new RecordSetReader();
    while (!this.#stop.signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- as records come
      await this.#consumer.available(this.#stop.signal);
      for (let fetched = this.#consumer.take(); fetched !== undefined; fetched = this.#consumer.take()) {
        // before they are unpacked: that is the reader's work, not the system's
        const nowUs = monotonicUs();
        reader.open(fetched.records, fetched.fromOffset);
        this.#note(reader, nowUs);
      }
    }
  }

  /** Most rows of a large transaction have no mark: each unpacked batch is looked through once, not each record. */
  #note(reader: RecordSetReader, nowUs: number): void {
    let bytes: Buffer | undefined;
    let markAt = 0;
    while (reader.next()) {
      if (reader.valueStart < 0) continue;
      if (reader.bytes !== bytes || markAt < reader.valueStart) {
        ({ bytes } = reader);
        markAt = nextMark(bytes, reader.valueStart);
      }
      if (markAt >= reader.valueEnd) continue;
      const [, kind, id] = MARK.exec(bytes.toString('latin1', markAt, markAt + 32)) ?? [];
      const seen = kind === 'bulk' ? this.bulks : this.commits;
      if (id !== undefined && !seen.has(Number(id))) seen.set(Number(id), nowUs);
    }
  }
}

function nextMark(bytes: Buffer, from: number): number {
  const found = MARKS.map((mark) => bytes.indexOf(mark, from)).filter((at) => at >= 0);
  return Math.min(...found, Number.POSITIVE_INFINITY);
}
