import type { Row } from './peer.ts';

/** What a log says against its system. */
export interface Findings {
  /** Rows that were committed and are not in the log. */
  readonly lost: number;
  /** Records that carry a row for the second time or more. */
  readonly duplicates: number;
  /** Rows that come for the first time behind a newer state of the same key. */
  readonly misordered: number;
}

/** Every key is written so many times, `version` 1 first. */
const VERSIONS = 2;

/**
 * Keeps account of the rows of one log, in the order in which they stand there. Written were the keys from 0 to
 * `keys` - 1, each inserted with version 1 and updated to version 2, and last of all the key `keys` with version 1.
 */
export class RowLedger {
  readonly #keys: number;
  readonly #isSeen: Uint8Array;
  readonly #newest: Uint8Array;
  #duplicates = 0;
  #misordered = 0;

  constructor(keys: number) {
    this.#keys = keys;
    this.#isSeen = new Uint8Array(keys * VERSIONS + 1);
    this.#newest = new Uint8Array(keys + 1);
  }

  /** The row that was written last is in the log. */
  get isEnded(): boolean {
    return this.#isSeen.at(-1) === 1;
  }

  /** @throws {RangeError} for a row that nobody has written. */
  note({ id, version }: Row): void {
    const at = this.#indexOf(id, version);
    const newest = this.#newest[id] ?? 0;
    if (this.#isSeen[at] === 1) this.#duplicates += 1;
    else if (version < newest) this.#misordered += 1;
    this.#isSeen[at] = 1;
    this.#newest[id] = Math.max(newest, version);
  }

  findings(): Findings {
    const lost = this.#isSeen.reduce((sum, seen) => sum + (1 - seen), 0);
    return { lost, duplicates: this.#duplicates, misordered: this.#misordered };
  }

  #indexOf(id: number, version: number): number {
    const versions = id === this.#keys ? 1 : VERSIONS;
    const isKnown = Number.isInteger(id) && id >= 0 && id <= this.#keys;
    if (!isKnown || !Number.isInteger(version) || version < 1 || version > versions)
      throw new RangeError(`the log has key ${id} in version ${version}, which nobody has written`);
    return (version - 1) * this.#keys + (id === this.#keys ? this.#keys * VERSIONS : id);
  }
}
