import { PipelineError } from '@pgstream/failure';
import type { BatchOutcome, RecordBatch, Sink } from '@pgstream/wal-event';
import type { WebhookSink } from '../webhook-sink.ts';
import type { DirectLog } from './direct-log.ts';
import type { KeptStore } from './kept-store.ts';

export interface DirectWebhookSinkOptions {
  readonly sink: WebhookSink;
  readonly log: DirectLog;
  readonly kept: KeptStore;
  /** Bytes of records in memory from which on a subscription that settles nothing is not waited for. */
  readonly maxHeldBytes: number;
  readonly onFailed: (cause: unknown) => void;
}

/** A slot is one lane. */
const LANE = 0;
const LOOK_MS = 200;
/** What is settled need not leave the store at once. */
const LOOKS_PER_TIDY = 10;

/**
 * Delivers the stream of a replication slot, without Kafka in between. A batch is settled when every subscription has it
 * behind its stored cursor or has what it wants of it kept in the store; {@link DirectLog} sees to that.
 */
export class DirectWebhookSink implements Sink {
  readonly name = 'webhook';
  readonly #options: DirectWebhookSinkOptions;
  readonly #timer: NodeJS.Timeout;
  #begun: Promise<void> | undefined;
  #looks = 0;

  constructor(options: DirectWebhookSinkOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /**
   * The slot is ours: also those that are behind go on, whether or not something happens in the database. Again after a
   * lost connection, when the slot may have been somebody else's meanwhile.
   */
  lead(): void {
    const before = this.#begun;
    this.#begun = before === undefined ? this.#begin() : before.then(() => this.#requireOurs());
    this.#begun.catch((cause: unknown) => this.#options.onFailed(cause));
  }

  async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    if (this.#begun === undefined) this.lead();
    await this.#begun;
    const { log, sink } = this.#options;
    const held = log.append(batch, outcome);
    const left: BatchOutcome = {
      settled: () => log.settled(held),
      failed: (cause) => outcome.failed(cause),
    };
    await sink.write(held.batch, left, signal);
  }

  async flush(signal: AbortSignal): Promise<void> {
    clearInterval(this.#timer);
    await this.#options.sink.flush(signal);
    await this.#options.log.flush(signal);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.log.close();
    await this.#options.sink.close();
  }

  async #begin(): Promise<void> {
    const { sink, log } = this.#options;
    const offset = await log.begin({
      storedCursors: () => sink.storedCursors(LANE),
      refresh: () => sink.refresh(),
    });
    sink.assign([{ partition: LANE, offset }]);
  }

  /** What another process did with the stream is not in our memory. */
  async #requireOurs(): Promise<void> {
    const { kept, log } = this.#options;
    if ((await kept.ownerEpoch()) !== log.ownerEpoch) throw new PipelineError('WEBHOOK_STREAM_TAKEN_OVER');
  }

  #look(): void {
    const { log, sink, maxHeldBytes, onFailed } = this.#options;
    const { head } = log;
    if (head !== undefined && log.heldBytes > maxHeldBytes) sink.leaveStalled(LANE, head.endOffset);
    if (this.#looks++ % LOOKS_PER_TIDY === 0) log.tidy().catch(onFailed);
  }
}
