import { RecordBatchWriter } from '@pgstream/kafka-client';

/** An open batch, one under compression and one more. */
const MAX_BYTES = 6 * 1024 * 1024;

/**
 * What batches were written into, kept for the next ones: of all partitions together, so that what is kept does not grow
 * with how many of them were busy at some time. Beyond its bound the garbage collector has them.
 */
export class SpareWriters {
  readonly #spare: RecordBatchWriter[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  take(): RecordBatchWriter {
    const spare = this.#spare.pop();
    if (spare === undefined) return new RecordBatchWriter();
    this.#bytes -= spare.byteCapacity;
    return spare;
  }

  /** Nothing refers to its bytes any more. */
  give(writer: RecordBatchWriter): void {
    if (this.#bytes + writer.byteCapacity > MAX_BYTES) return;
    writer.reset();
    this.#spare.push(writer);
    this.#bytes += writer.byteCapacity;
  }
}
