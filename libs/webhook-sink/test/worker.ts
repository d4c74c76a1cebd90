import { ChangeConsumer, PartitionReader, type ChangeConsumerOptions } from '@pgstream/change-consumer';
import { runPipeline } from '@pgstream/pipeline';
import type { BatchOutcome } from '@pgstream/wal-event';
import {
  AddressGuard,
  AttemptStore,
  CursorStore,
  RetryStore,
  Sender,
  Slots,
  SubscriptionStore,
  WebhookSink,
  type SubscriptionSpec,
  type WebhookSinkOptions,
} from '../src/index.ts';
import { connection, type OwnLog } from './own-log.ts';
import type { OwnStore } from './own-store.ts';

/** Times that let a test see the second attempt. */
const FAST = {
  circuit: { initialOpenMs: 200, maxOpenMs: 400 },
  schedule: {
    initialRetryMs: 50,
    maxRetryMs: 100,
    parkAfterMs: 300,
    parkedMs: [200, 200, 200],
    minAfterBusyMs: 200,
  },
  pollIntervalMs: 100,
  flushIntervalMs: 50,
  attemptIntervalMs: 50,
};

/** A consumer, a pipeline and a sink on one log and one store, as a process has them. */
export class Worker {
  readonly sink: WebhookSink;
  readonly notices: string[] = [];
  readonly subscriptions: SubscriptionStore;
  readonly cursors: CursorStore;
  readonly retries: RetryStore;
  readonly attempts: AttemptStore;
  readonly reader: PartitionReader;
  readonly #source: ChangeConsumer;
  readonly #stop = new AbortController();
  #done: Promise<unknown> = Promise.resolve();
  readonly #log: OwnLog;
  failure: unknown;

  private constructor(
    store: OwnStore,
    log: OwnLog,
    changes: Partial<WebhookSinkOptions>,
    own: Partial<ChangeConsumerOptions> = {},
  ) {
    this.#log = log;
    this.subscriptions = new SubscriptionStore(store.pool, store.box);
    this.cursors = new CursorStore(store.pool, log.name);
    this.retries = new RetryStore(store.pool, log.name);
    this.attempts = new AttemptStore(store.pool, log.name);
    this.reader = new PartitionReader({ connection: connection(), topic: log.name });
    this.#source = new ChangeConsumer({
      connection: connection(),
      groupId: `${log.name}-webhooks`,
      topic: log.name,
      startFrom: 'latest',
      onOffsetsLost: 'start-of-log',
      commitIntervalMs: 50,
      deadLetters: { park: () => Promise.resolve() },
      onLog: () => {},
      onAssigned: (partitions) => this.sink.assign(partitions),
      ...own,
    });
    this.sink = new WebhookSink({
      topic: log.name,
      subscriptions: this.subscriptions,
      cursors: this.cursors,
      retries: this.retries,
      attempts: this.attempts,
      log: this.reader,
      sender: new Sender({
        guard: new AddressGuard({ allow: ['127.0.0.0/8'], httpsOnly: false, setting: 'ALLOW' }),
      }),
      slots: new Slots(256),
      version: 'test',
      observer: { notice: (event) => void this.notices.push(event) },
      confirmedTo: (partition) => this.#source.confirmedTo(partition),
      owns: (partition) => this.#source.owns(partition),
      ownsNow: (partition) => this.#source.ownsNow(partition),
      onFailed: (cause) => (this.failure ??= cause),
      ...FAST,
      ...changes,
    });
  }

  static async start(
    store: OwnStore,
    log: OwnLog,
    changes: Partial<WebhookSinkOptions> = {},
    own: Partial<ChangeConsumerOptions> = {},
  ): Promise<Worker> {
    const worker = new Worker(store, log, changes, own);
    await worker.sink.start();
    worker.#done = runPipeline({
      source: worker.#source,
      sink: worker.#audited(),
      signal: worker.#stop.signal,
    }).catch((cause: unknown) => (worker.failure ??= cause));
    return worker;
  }

  /** One that joins no group: the test assigns partitions, and says whose they are. */
  static async apart(
    store: OwnStore,
    log: OwnLog,
    changes: Partial<WebhookSinkOptions> & Required<Pick<WebhookSinkOptions, 'owns'>>,
  ): Promise<Worker> {
    const worker = new Worker(store, log, { ownsNow: () => true, ...changes });
    await worker.sink.start();
    worker.#stop.signal.addEventListener('abort', () => {
      worker.#done = worker.sink.close();
    });
    return worker;
  }

  /** Makes a subscription that begins where the log ends now. */
  async subscribe(made: SubscriptionSpec): Promise<string> {
    const id = await this.subscriptions.create(made, {
      topic: this.#log.name,
      next: await this.reader.ends(),
    });
    await this.sink.refresh();
    return id;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    this.reader.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** G1: nothing is confirmed that an attached subscription has not settled. */
  #audited(): WebhookSink {
    const { sink } = this;
    const write = sink.write.bind(sink);
    sink.write = async (batch, outcome, signal) => {
      const endOffset = (batch.offsets?.[batch.count - 1] ?? 0) + 1;
      const audited: BatchOutcome = {
        failed: (cause) => outcome.failed(cause),
        settled: () => {
          for (const { partition, state, cursor, subscriptionId } of sink.status()) {
            if (partition !== batch.lane || state !== 'attached' || cursor >= endOffset) continue;
            this.failure ??= new Error(`confirmed ${endOffset} while ${subscriptionId} is at ${cursor}`);
          }
          outcome.settled();
        },
      };
      await write(batch, audited, signal);
    };
    return sink;
  }
}
