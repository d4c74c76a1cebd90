import type { BatchOutcome, RecordBatch, Sink } from '@pgstream/wal-event';

/**
 * A sink that is opened when it is first needed. A producer that waits as standby must not open Kafka: opening locks out
 * the producer that writes.
 */
export class LazySink implements Sink {
  readonly name: string;
  readonly #open: () => Promise<Sink>;
  #opened: Promise<Sink> | undefined;

  constructor(name: string, open: () => Promise<Sink>) {
    this.name = name;
    this.#open = open;
  }

  /** Opens it now. Every caller gets the same sink, or the same failure. */
  open(): Promise<Sink> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    const sink = await this.open();
    await sink.write(batch, outcome, signal);
  }

  async flush(signal: AbortSignal): Promise<void> {
    const sink = await this.#openedSink();
    await sink?.flush(signal);
  }

  async revoke(lane: number): Promise<void> {
    const sink = await this.#openedSink();
    await sink?.revoke?.(lane);
  }

  async close(): Promise<void> {
    const sink = await this.#openedSink();
    await sink?.close();
  }

  /** What failed to open was reported where it was opened, and has nothing to flush. */
  async #openedSink(): Promise<Sink | undefined> {
    return await this.#opened?.catch(() => undefined);
  }
}
