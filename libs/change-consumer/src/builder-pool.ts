import { RecordBatchBuilder } from '@pgstream/wal-event';
import type { KafkaCheckpoint } from './consumed-lane.ts';

/** A batch that knows how to go back. */
export class Builder extends RecordBatchBuilder<KafkaCheckpoint> {
  isOurs?: () => boolean;
  release?: () => void;
}

const SMALL_BYTES = 16 * 1024;
const SMALL_KEPT_BYTES = 64 * 1024;
const LARGE_BYTES = 1024 * 1024;
const LARGE_KEPT_BYTES = 4 * 1024 * 1024;
const MAX_FREE_SMALL = 256;
const MAX_FREE_LARGE = 8;

/** Reuses builders, in two sizes so that a thousand batches of one record do not hold a thousand megabytes. */
export class BuilderPool {
  readonly #small: Builder[] = [];
  readonly #large: Builder[] = [];

  /** @param packedBytes Bytes of the fetch that will be copied in, as they came over the wire. */
  take(packedBytes: number): Builder {
    if (packedBytes < SMALL_BYTES / 4) return reset(this.#small.pop()) ?? new Builder(SMALL_BYTES, 32);
    return reset(this.#large.pop()) ?? new Builder(LARGE_BYTES, 2048);
  }

  /** Only for a builder that nobody reads any more. One that grew beyond the usual is left to the collector. */
  give(builder: Builder): void {
    const bytes = builder.bytes.length;
    const [free, max] =
      bytes <= SMALL_KEPT_BYTES ? [this.#small, MAX_FREE_SMALL] : [this.#large, MAX_FREE_LARGE];
    if (bytes > LARGE_KEPT_BYTES || free.length >= max) return;
    free.push(builder);
  }
}

/** Only now: whoever gave the batch back may still look at its checkpoint. */
function reset(builder: Builder | undefined): Builder | undefined {
  builder?.reset();
  delete builder?.isOurs;
  delete builder?.release;
  return builder;
}
