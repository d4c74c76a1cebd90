import type { Lsn } from '@pgstream/wal-event';
import type { BatchPool, PooledBatch } from './batch-pool.ts';

/**
 * Fills batches and decides where they end.
 *
 * A checkpoint may only stand at the end of a batch and only after a COMMIT. So batches are cut at commits: what was
 * begun after the last one moves to the next batch, and reads that always end inside a transaction do not starve
 * confirmation. A transaction longer than a batch is cut inside, without a checkpoint, and its last record is
 * always kept back: a COMMIT then finds a record to stand behind, however the cuts fell.
 */
export class BatchCutter {
  readonly #pool: BatchPool;
  readonly #batchBytes: number;
  #current: PooledBatch | undefined;
  /** Cut, and not yet taken. */
  readonly #ready: PooledBatch[] = [];
  /** Records of the current batch up to the last COMMIT, and that COMMIT. */
  #boundaryCount = 0;
  #boundaryLsn: Lsn | undefined;

  constructor(pool: BatchPool, batchBytes: number) {
    this.#pool = pool;
    this.#batchBytes = batchBytes;
  }

  /** Makes room for what one frame holds. False while the memory is used up: no frame may be decoded then. */
  hasRoom(): boolean {
    const full = this.#current !== undefined && this.#current.length >= this.#batchBytes;
    if (full && this.#current !== undefined && !this.#cut(this.#current)) return this.#current.count < 2;
    this.#current ??= this.#pool.take();
    return this.#current !== undefined;
  }

  /** Where records are written. Call only after {@link hasRoom} was true. */
  get target(): PooledBatch {
    if (this.#current === undefined) throw new RangeError('a record without a batch to write it to');
    return this.#current;
  }

  /** A COMMIT that ends at `endLsn` (or a message outside transactions): everything written so far is whole. */
  boundary(endLsn: Lsn): void {
    if (this.#current === undefined) return;
    this.#boundaryCount = this.#current.count;
    this.#boundaryLsn = endLsn;
  }

  /** The next batch in order; without one, what is whole of the current one. */
  take(): PooledBatch | undefined {
    const ready = this.#ready.shift();
    if (ready !== undefined || this.#current === undefined) return ready;
    // The beginning of a transaction waits for its COMMIT, which is on the way, unless it is long
    if (this.#boundaryCount === 0 && this.#current.length < this.#batchBytes / 2) return undefined;
    this.#cut(this.#current);
    return this.#ready.shift();
  }

  /** Forgets what was not taken: the server sends it again on the next connection. */
  discard(): void {
    for (const batch of this.#ready.splice(0)) batch.release();
    this.#current?.release();
    this.#open(undefined);
  }

  /** False if there was nothing to cut off, or no memory for the rest. */
  #cut(batch: PooledBatch): boolean {
    const whole = this.#boundaryCount > 0;
    const count = whole ? this.#boundaryCount : batch.count - 1;
    if (count <= 0) return false;
    const rest = count < batch.count;
    const next = rest ? this.#pool.take() : undefined;
    if (rest && next === undefined) return false;
    if (next !== undefined) batch.moveTail(count, next);
    if (whole && this.#boundaryLsn !== undefined) batch.checkpoint = { endLsn: this.#boundaryLsn };
    this.#pool.account(batch);
    this.#ready.push(batch);
    this.#open(next);
    return true;
  }

  #open(batch: PooledBatch | undefined): void {
    this.#current = batch;
    this.#boundaryCount = 0;
    this.#boundaryLsn = undefined;
  }
}
