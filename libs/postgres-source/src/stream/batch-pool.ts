import { RecordBatchBuilder, type Lsn } from '@pgstream/wal-event';

/** Everything that the slot holds up to `endLsn`, the end of a COMMIT (or a later point with nothing in between). */
export interface PostgresCheckpoint {
  readonly endLsn: Lsn;
}

/** Batches start with this much and grow for long rows. */
const SLACK_BYTES = 256 * 1024;

/** A batch that returns to its pool. */
export class PooledBatch extends RecordBatchBuilder<PostgresCheckpoint> {
  readonly #giveBack: (batch: PooledBatch) => void;
  #out = false;

  constructor(byteCapacity: number, giveBack: (batch: PooledBatch) => void) {
    super(byteCapacity);
    this.#giveBack = giveBack;
  }

  /** The pool lends it. */
  lend(): void {
    this.reset();
    this.#out = true;
  }

  /** Idempotent: the pipeline gives it back after the outcome, the source when a confirmation covers it. */
  release(): void {
    if (!this.#out) return;
    this.#out = false;
    this.#giveBack(this);
  }
}

/** The memory of the source: a bounded number of bytes in batches, lent and given back. */
export class BatchPool {
  readonly #budgetBytes: number;
  readonly #capacityBytes: number;
  readonly #onReturn: () => void;
  readonly #free: PooledBatch[] = [];
  /** Bytes of the batches that are lent, as they were when lent; what they grew by is added in {@link account}. */
  #lentBytes = 0;
  readonly #lent = new Map<PooledBatch, number>();

  /** @param onReturn a batch came back: {@link take} may succeed again */
  constructor(options: { budgetBytes: number; batchBytes: number }, onReturn: () => void) {
    this.#capacityBytes = options.batchBytes + SLACK_BYTES;
    // Below three a batch could not be filled while one is under way and one waits
    this.#budgetBytes = Math.max(options.budgetBytes, 3 * this.#capacityBytes);
    this.#onReturn = onReturn;
  }

  get lentBytes(): number {
    return this.#lentBytes;
  }

  /** `undefined` while the budget is used up. */
  take(): PooledBatch | undefined {
    if (this.#lent.size > 0 && this.#lentBytes + this.#capacityBytes > this.#budgetBytes) return undefined;
    const batch = this.#free.pop() ?? new PooledBatch(this.#capacityBytes, (back) => this.#return(back));
    batch.lend();
    this.#lent.set(batch, batch.bytes.length);
    this.#lentBytes += batch.bytes.length;
    return batch;
  }

  /** Counts what `batch` grew by for long rows. */
  account(batch: PooledBatch): void {
    const known = this.#lent.get(batch) ?? 0;
    this.#lent.set(batch, batch.bytes.length);
    this.#lentBytes += batch.bytes.length - known;
  }

  #return(batch: PooledBatch): void {
    this.#lentBytes -= this.#lent.get(batch) ?? 0;
    this.#lent.delete(batch);
    // One that grew for a long row is not kept: a pool of those would exceed the budget
    if (batch.bytes.length <= this.#capacityBytes) this.#free.push(batch);
    this.#onReturn();
  }
}
