import { type Builder, BuilderPool } from './builder-pool.ts';
import type { ConsumedLane } from './consumed-lane.ts';

/** Batches that were handed out: what they hold counts against a bound until they are given back, for reuse. */
export class LentBatches {
  readonly #pool = new BuilderPool();
  readonly #maxBytes: number;
  readonly #onBack: () => void;
  #bytes = 0;

  constructor(maxBytes: number, onBack: () => void) {
    this.#maxBytes = maxBytes;
    this.#onBack = onBack;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes >= this.#maxBytes;
  }

  /** @param packedBytes See {@link BuilderPool.take}. */
  take(packedBytes: number): Builder {
    return this.#pool.take(packedBytes);
  }

  /** For a builder that stayed empty. */
  putBack(builder: Builder): void {
    this.#pool.give(builder);
  }

  lend(lane: ConsumedLane, builder: Builder): void {
    builder.release = () => this.#giveBack(lane, builder);
    lane.lent.add(builder);
    this.#bytes += builder.bytes.length;
  }

  /** The lane is gone: its batches count no more, and are not reused, for a sink may still be reading them. */
  forget(lane: ConsumedLane): void {
    for (const builder of lane.lent) this.#bytes -= builder.bytes.length;
    lane.lent.clear();
  }

  #giveBack(lane: ConsumedLane, builder: Builder): void {
    if (!lane.lent.delete(builder)) return; // of a partition that is gone: accounted for when it went
    this.#bytes -= builder.bytes.length;
    this.#pool.give(builder);
    this.#onBack();
  }
}
