import type { RecordBatch } from '@pgstream/wal-event';
import { documentVersion, seqVersion } from './version.ts';

/**
 * The version of the row at hand, as a number and as text. Rows of one transaction differ by their `seq` alone: what the LSN
 * adds is computed once for all of them, and the LSN is compared as two words, since each bigint is an object.
 */
export class RowVersion {
  value = 0n;
  text = '0';
  readonly #versionOf: (commitLsn: bigint, seq: number) => bigint;
  #lsns: BigUint64Array | undefined;
  #words: Uint32Array = new Uint32Array();
  #lo = -1;
  #hi = -1;
  #seq = -1;
  #first = 0n;

  /** @param versionOf as documented for `SearchFunctions.version`: ours, or one of the library's user */
  constructor(versionOf: (commitLsn: bigint, seq: number) => bigint) {
    this.#versionOf = versionOf;
  }

  /** Moves to a record of a batch. */
  set(batch: RecordBatch, at: number): void {
    const { commitLsns } = batch;
    if (commitLsns !== this.#lsns) this.#look(commitLsns);
    const seq = batch.seqs[at] ?? 0;
    const isSame = this.#words[2 * at] === this.#lo && this.#words[2 * at + 1] === this.#hi;
    if (isSame && seq === this.#seq) return;
    this.#seq = seq;
    if (!isSame) this.#move(commitLsns, at);
    this.value =
      this.#versionOf === documentVersion
        ? this.#first + seqVersion(seq)
        : this.#versionOf(commitLsns[at] ?? 0n, seq);
    this.text = this.value.toString();
  }

  #look(commitLsns: BigUint64Array): void {
    this.#lsns = commitLsns;
    this.#words = new Uint32Array(commitLsns.buffer, commitLsns.byteOffset, commitLsns.length * 2);
  }

  #move(commitLsns: BigUint64Array, at: number): void {
    this.#lo = this.#words[2 * at] ?? 0;
    this.#hi = this.#words[2 * at + 1] ?? 0;
    this.#first = documentVersion(commitLsns[at] ?? 0n, 0);
  }
}
