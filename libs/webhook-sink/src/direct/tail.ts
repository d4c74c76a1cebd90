import {
  comparePositions,
  positionAt,
  RecordBatchBuilder,
  valueAt,
  type BatchOutcome,
  type Position,
  type RecordBatch,
} from '@pgstream/wal-event';
import type { LogChunk } from '../log-source.ts';
import { reachedText } from './stream-position.ts';

/** A batch of the stream that has its offsets, from being read to having left the memory. */
export interface HeldBatch {
  /** With `offsets`. */
  readonly batch: RecordBatch;
  /** Records before this one were read already, over a connection that was lost. */
  readonly firstNew: number;
  readonly endOffset: number;
  /** What the pipeline is to hear of it. */
  readonly outcome: BatchOutcome;
  /** Every subscription that keeps up has it behind its stored cursor. */
  isSettled: boolean;
}

/**
 * The end of the stream, in memory: what was read and has not left yet. Gives each record its offset: the LSN of its
 * COMMIT, or one more than the record before it where that is higher. So offsets grow, and never run behind the LSN.
 */
export class Tail {
  readonly #held: HeldBatch[] = [];
  #next: number;
  /** Where what has left ends. */
  #start: number;
  /** Of the newest record. */
  #newest: { readonly epoch: number; readonly position: Position } | undefined;
  /** Of the newest record that has left. */
  #left: string | undefined;
  #bytes = 0;

  /** @param next the first record gets this offset, or a higher one. */
  constructor(next: number) {
    this.#next = next;
    this.#start = next;
  }

  /** Everything before it has left. */
  get start(): number {
    return this.#start;
  }

  /** The next record gets this offset, or a higher one. */
  get end(): number {
    return this.#next;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The oldest one. */
  get head(): HeldBatch | undefined {
    return this.#held[0];
  }

  /** The oldest ones, as far as they may leave. */
  settledHeads(): readonly HeldBatch[] {
    const unsettled = this.#held.findIndex(({ isSettled }) => !isSettled);
    return this.#held.slice(0, unsettled === -1 ? undefined : unsettled);
  }

  append(batch: RecordBatch, outcome: BatchOutcome): HeldBatch {
    const offsets = new Float64Array(batch.count);
    let firstNew = 0;
    for (let i = 0; i < batch.count; i++) {
      const position = positionAt(batch, i);
      if (this.#isKnown(batch.epoch, position)) {
        // Behind what everybody was offered: it settles with what it repeats.
        offsets[i] = this.#next - 1;
        firstNew = i + 1;
        continue;
      }
      const offset = Math.max(this.#next, Number(position.commitLsn));
      offsets[i] = offset;
      this.#next = offset + 1;
      this.#newest = { epoch: batch.epoch, position };
    }
    const held = {
      batch: numbered(batch, offsets),
      firstNew,
      endOffset: this.#next,
      outcome,
      isSettled: false,
    };
    this.#held.push(held);
    this.#bytes += bytesOf(batch);
    return held;
  }

  /** Out of memory with the oldest one: the pipeline reuses its bytes. */
  leave(): void {
    const held = this.#held.shift();
    if (held === undefined) return;
    this.#start = held.endOffset;
    this.#bytes -= bytesOf(held.batch);
    const { batch, firstNew } = held;
    if (firstNew < batch.count) this.#left = reachedText(batch.epoch, positionAt(batch, batch.count - 1));
  }

  /** The position of the last record before `offset`; `undefined` where this process has seen none. */
  reachedAt(offset: number): string | undefined {
    for (const { batch, firstNew } of this.#held.toReversed()) {
      for (let i = batch.count - 1; i >= firstNew; i--) {
        if ((batch.offsets?.[i] ?? 0) < offset) return reachedText(batch.epoch, positionAt(batch, i));
      }
    }
    return this.#left;
  }

  /** The offset of the first record behind `reached`, or where the stream has come to. */
  firstAfter(reached: string): number {
    for (const { batch, firstNew } of this.#held) {
      for (let i = firstNew; i < batch.count; i++) {
        if (reachedText(batch.epoch, positionAt(batch, i)) > reached) return batch.offsets?.[i] ?? 0;
      }
    }
    return this.#next;
  }

  /** A copy of what is held from `offset` on, of about `maxBytes`. */
  chunk(offset: number, maxBytes: number): LogChunk {
    const batch = new RecordBatchBuilder(64 * 1024);
    let nextOffset = Math.max(offset, this.#start);
    for (const held of this.#held) {
      if (held.endOffset <= offset) continue;
      batch.epoch = held.batch.epoch;
      for (let i = held.firstNew; i < held.batch.count; i++) {
        const at = held.batch.offsets?.[i] ?? 0;
        if (at < offset) continue;
        if (batch.length >= maxBytes) return { batch, nextOffset, logStart: offset };
        copyRecord(held.batch, i, batch);
        nextOffset = at + 1;
      }
      nextOffset = Math.max(nextOffset, held.endOffset);
    }
    return { batch, nextOffset, logStart: offset };
  }

  #isKnown(epoch: number, position: Position): boolean {
    const newest = this.#newest;
    if (newest === undefined || epoch !== newest.epoch) return false;
    return comparePositions(position, newest.position) <= 0;
  }
}

function bytesOf({ starts, ends, count }: RecordBatch): number {
  return (ends[count - 1] ?? 0) - (starts[0] ?? 0);
}

/** The same records under offsets; what is done when the batch has settled stays with the original. */
function numbered(batch: RecordBatch, offsets: Float64Array): RecordBatch {
  const { lane, count, epoch, bytes, starts, ends, actions, commitLsns, seqs, subs, commitTimesMs, tables } =
    batch;
  return {
    lane,
    count,
    epoch,
    bytes,
    starts,
    ends,
    actions,
    commitLsns,
    seqs,
    subs,
    commitTimesMs,
    tables,
    offsets,
  };
}

function copyRecord(from: RecordBatch, index: number, to: RecordBatchBuilder): void {
  const value = valueAt(from, index);
  const table = from.tables[index];
  if (table === undefined) throw new TypeError('a record of the stream names its table');
  to.reserve(value.length);
  value.copy(to.bytes, to.length);
  to.markOffset(from.offsets?.[index] ?? 0);
  const { commitLsn, seq, sub } = positionAt(from, index);
  const action = from.actions[index] ?? 0;
  const commitTimeMs = from.commitTimesMs[index] ?? 0;
  to.push({ action, commitLsn, seq, sub, commitTimeMs, table }, to.length + value.length);
}
