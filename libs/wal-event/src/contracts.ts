import type { RecordBatch } from './record-batch.ts';
import type { Position } from './position.ts';

export type RevokeHandler = (lane: number, how: 'released' | 'lost') => Promise<void>;

/**
 * A slot, a set of Kafka partitions, a snapshot.
 *
 * Batches of one `lane` are in order; different lanes (Kafka partitions) are independent of each other. A batch may
 * carry a checkpoint: an opaque token that says "everything of this lane up to the end of this batch". The pipeline
 * hands it back through {@link confirm} once every batch of the lane up to and including it has settled, and never
 * otherwise. A batch that ends inside a transaction carries none.
 */
export interface Source<Checkpoint = unknown> {
  /**
   * Ends when the source ends (a snapshot) or the signal aborts; throws on a failure that the source cannot heal.
   * Asking for the next batch is the backpressure: a source reads ahead by a bounded number of bytes only.
   */
  batches(signal: AbortSignal): AsyncIterable<RecordBatch<Checkpoint>>;
  /** Everything of `lane` up to `checkpoint` is durable in every sink. Resolves when the source has noted it. */
  confirm(lane: number, checkpoint: Checkpoint): Promise<void>;
  /**
   * For sources whose lanes come and go. The handler is awaited before a lane is given up: it waits for what is in
   * flight, within a bound, and stops the sink's work for the lane. What was confirmed until then is committed,
   * nothing of the lane is confirmed afterwards. A lane that is `lost` belongs to somebody else already: its work is
   * stopped at once.
   */
  onRevoke?(handler: RevokeHandler): void;
  /** After the last confirm: releases connections, leaves groups. Idempotent. */
  close(): Promise<void>;
}

/** How a sink reports the fate of a batch, exactly once, at any time after it was written and in any order. */
export interface BatchOutcome {
  /** Every record of the batch is durable downstream, or durably parked. The batch's bytes are free for reuse. */
  settled(): void;
  /** The batch cannot settle: the pipeline stops and nothing of it is confirmed. */
  failed(cause: unknown): void;
}

/**
 * Writes batches to one place.
 *
 * `write` resolves when the batch is accepted, which is the backpressure: at most a bounded number of bytes are
 * accepted and unsettled. Batches of one lane are written in order and each key's changes must take effect in that
 * order. The bytes of a batch stay valid until its outcome is reported.
 */
export interface Sink {
  readonly name: string;
  /**
   * It stores by itself how far it has come: a lane that the source releases need not be finished first, and `revoke`
   * comes at once.
   */
  readonly storesProgress?: boolean;
  write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void>;
  /** Resolves when every accepted batch has been reported; sends what was waiting for company. */
  flush(signal: AbortSignal): Promise<void>;
  /**
   * The source lost this lane (a rebalance): work in flight for it is finished or abandoned before this resolves,
   * and nothing of it is written afterwards. Outcomes of abandoned batches need not be reported.
   */
  revoke?(lane: number): Promise<void>;
  close(): Promise<void>;
}

/** A record that can never succeed where others can, kept with the reason. Nothing else is ever dropped. */
export interface DeadLetter {
  /** Which sink refused it: `kafka`, `search`, `webhook`. */
  readonly sink: string;
  /** An error code of the failure table, for example `SEARCH_DOCUMENT_REFUSED`. */
  readonly code: string;
  /** The peer's own words, without row values. */
  readonly reason: string;
  readonly schema: string;
  readonly table: string;
  /** The key of the row as text, or `null` where none is known. */
  readonly identity: string | null;
  readonly epoch: number;
  readonly position: Position;
  /** The value of the record where it fits into the store, otherwise absent. */
  readonly record?: Buffer;
}

export interface DeadLetterStore {
  /** Resolves when the letters are durable. Idempotent by (sink, epoch, position). */
  park(letters: readonly DeadLetter[]): Promise<void>;
}
