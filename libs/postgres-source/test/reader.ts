import {
  decodeRecord,
  formatPosition,
  positionAt,
  valueAt,
  type ChangeRecord,
  type RecordBatch,
} from '@pgstream/wal-event';
import { waitFor } from '@pgstream/test-kit';
import { PostgresSource, type PostgresCheckpoint, type PostgresSourceOptions } from '../src/index.ts';
import { RelationHistory } from './relation-history.ts';
import type { SlotDatabase } from './slot-database.ts';

export interface Seen {
  readonly position: string;
  readonly record: ChangeRecord;
}

/** Reads a slot and keeps what it saw. Confirms every checkpoint unless told to hold. */
export class Reader {
  readonly source: PostgresSource;
  readonly history = new RelationHistory();
  readonly seen: Seen[] = [];
  readonly checkpoints: PostgresCheckpoint[] = [];
  confirming = true;
  /** Set to hold the next batch. */
  gate: Promise<void> | undefined;
  failure: Error | undefined;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(
    database: Pick<SlotDatabase, 'url' | 'slot' | 'publications'>,
    options: Partial<PostgresSourceOptions> = {},
  ) {
    this.source = new PostgresSource({
      connection: { connectionString: database.url },
      slot: database.slot,
      publications: database.publications,
      epoch: 1,
      history: this.history,
      instance: 'test',
      statusIntervalMs: 100,
      ...options,
    });
    this.#done = this.#read().catch((cause: unknown) => {
      this.failure = cause instanceof Error ? cause : new Error(String(cause));
    });
  }

  /** The first `count` records, in order. */
  async records(count: number): Promise<readonly Seen[]> {
    await waitFor(`${count} records`, () => this.seen.length >= count || this.failure !== undefined);
    if (this.failure !== undefined) throw this.failure;
    return this.seen.slice(0, count);
  }

  async ended(): Promise<unknown> {
    await this.#done;
    return this.failure;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.source.close();
  }

  async #read(): Promise<void> {
    for await (const batch of this.source.batches(this.#stop.signal)) {
      await this.gate;
      this.#keep(batch);
      if (batch.checkpoint !== undefined) {
        this.checkpoints.push(batch.checkpoint);
        if (this.confirming) await this.source.confirm(batch.lane, batch.checkpoint);
      }
      batch.release?.();
    }
  }

  #keep(batch: RecordBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const record = decodeRecord(valueAt(batch, i));
      this.seen.push({ position: formatPosition(positionAt(batch, i)), record });
    }
  }
}
