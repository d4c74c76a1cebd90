import { failpoint } from '@pgstream/failure';
import type { Lsn } from '@pgstream/wal-event';
import type { SchemaHistoryPort } from '../history-port.ts';

export interface AcknowledgerOptions {
  readonly history: Pick<SchemaHistoryPort, 'checkpoint' | 'pendingCheckpoint'>;
  /** The confirmed position grew. */
  readonly onAdvance: () => void;
  /** Shapes could not be persisted: nothing above them is confirmed; tried again with the next {@link retry}. */
  readonly onFailure: (cause: unknown) => void;
}

/**
 * Owns the LSN that the server is told: below it everything is durable, in sinks and in the schema history.
 *
 * It grows in two ways only. A checkpoint was confirmed: it is the end of a COMMIT whose records are all durable, sent exactly.
 * Or nothing is outstanding: then a later point with no records before it (the end of a transaction without records for
 * us, or the end of WAL of a keepalive outside transactions) is confirmed as well, so that an idle publication does not
 * hold WAL.
 *
 * A confirmation that belongs to an earlier connection is as good as any other for the sinks: positions do not depend on
 * the connection. Shapes do: a START takes up the history as of where it begins, so what an earlier connection had learned
 * above that point is known again only when it came again. Until then such a confirmation waits.
 */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  #confirmed: Lsn;
  /** The largest that `#confirmed` ever was. */
  #durable: Lsn;
  #target: Lsn;
  /** What the running session has received, shapes included. */
  #ceiling: Lsn;
  /** End of the last transaction that has records. */
  #lastRecords: Lsn;
  /** Up to here nothing but `#idleFloor` and what precedes it has records. */
  #idle: Lsn;
  #idleFloor: Lsn;
  #working: Promise<void> | undefined;
  #failed = false;

  constructor(start: Lsn, options: AcknowledgerOptions) {
    this.#options = options;
    this.#confirmed = start;
    this.#durable = start;
    this.#target = start;
    this.#ceiling = start;
    this.#lastRecords = start;
    this.#idle = start;
    this.#idleFloor = start;
  }

  get confirmed(): Lsn {
    return this.#confirmed;
  }

  /** Everything below it is durable; the server may have heard of less. */
  get durable(): Lsn {
    return this.#durable;
  }

  /**
   * The slot as found before a START. Answers where to start, which is never before what is durable; until the stream has
   * passed a point above it, nothing there is confirmed. Where the slot stands lower, because the server forgot what it was
   * told or never heard of it, it is told again by {@link retry}, after what the history has to persist before that: another
   * process may have led in between.
   */
  found(slot: Lsn): Lsn {
    this.#confirmed = slot;
    if (slot > this.#durable) this.#durable = slot;
    if (slot > this.#target) this.#target = slot;
    this.#ceiling = this.#durable;
    return this.#durable;
  }

  /** A transaction with records ended. */
  records(endLsn: Lsn): void {
    if (endLsn > this.#lastRecords) this.#lastRecords = endLsn;
    this.#passed(endLsn);
  }

  /** Outside transactions: everything below `lsn` was received. */
  idle(lsn: Lsn): void {
    this.#passed(lsn);
    if (lsn <= this.#idle) return;
    this.#idle = lsn;
    this.#idleFloor = this.#lastRecords;
    this.#raise(this.#confirmed);
  }

  /** Every record up to the checkpoint at `endLsn` is durable. */
  confirm(endLsn: Lsn): void {
    this.#raise(endLsn);
  }

  /** Tries again what failed. Cheap when nothing did. */
  retry(): void {
    if (this.#goal > this.#confirmed) this.#work();
  }

  /** Persists what was confirmed so far, and resolves when that is done or failed. */
  async settle(): Promise<void> {
    await this.#working;
    this.retry();
    await this.#working;
  }

  get #goal(): Lsn {
    return this.#target < this.#ceiling ? this.#target : this.#ceiling;
  }

  /** A late confirmation that waited for this point takes effect. */
  #passed(lsn: Lsn): void {
    if (lsn <= this.#ceiling) return;
    this.#ceiling = lsn;
    this.#again();
  }

  #raise(lsn: Lsn): void {
    if (lsn > this.#target) this.#target = lsn;
    if (this.#target >= this.#idleFloor && this.#idle > this.#target) this.#target = this.#idle;
    this.#again();
  }

  #work(): void {
    if (this.#working !== undefined) return;
    const goal = this.#goal;
    if (!this.#options.history.pendingCheckpoint(goal)) {
      this.#reach(goal);
      return;
    }
    this.#working = this.#persist(goal)
      .catch((cause: unknown) => {
        this.#failed = true;
        this.#options.onFailure(cause);
      })
      .finally(() => {
        this.#working = undefined;
      })
      .then(() => this.#again());
  }

  async #persist(lsn: Lsn): Promise<void> {
    failpoint?.('source.checkpoint-before');
    await this.#options.history.checkpoint(lsn);
    failpoint?.('source.checkpoint-after');
    this.#reach(lsn);
  }

  /** The goal may have grown meanwhile. After a failure the next retry is soon enough. */
  #again(): void {
    if (!this.#failed && this.#goal > this.#confirmed) this.#work();
  }

  #reach(lsn: Lsn): void {
    this.#failed = false;
    if (lsn > this.#confirmed) this.#confirmed = lsn;
    if (lsn > this.#durable) this.#durable = lsn;
    this.#options.onAdvance();
  }
}
