import type { BatchOutcome } from '@pgstream/wal-event';
import type { Permit } from './permit.ts';
import type { SubscriptionLane } from './subscription-lane.ts';

interface OpenBatch {
  readonly endOffset: number;
  readonly outcome: BatchOutcome;
}

/** One partition while it is ours: its lanes, and the batches of the live reading that wait for them. */
export class OwnedPartition {
  readonly partition: number;
  /** By subscription. */
  readonly lanes = new Map<string, SubscriptionLane>();
  /** Resolves when its lanes are there. */
  readonly ready: Promise<void>;
  /** Up to which offset the live reading has come, or is just coming. */
  liveNext: number;
  /** Under which its cursors may be moved; empty while that is not known. */
  epoch = '';
  /** It goes, or is gone: nothing is begun with it any more. */
  isRevoked = false;
  /** Asked before anything is sent. */
  permit: Permit | undefined;
  readonly #open: OpenBatch[] = [];

  constructor(partition: number, offset: number, open: (owned: OwnedPartition) => Promise<void>) {
    this.partition = partition;
    this.liveNext = offset;
    this.ready = open(this);
    this.ready.catch(() => {}); // told to whoever waits for it
  }

  get attached(): SubscriptionLane[] {
    return [...this.lanes.values()].filter((lane) => lane.isAttached);
  }

  get hasOpen(): boolean {
    return this.#open.length > 0;
  }

  /** A batch whose events were all offered. It settles once every attached lane has it behind its stored cursor. */
  opened(endOffset: number, outcome: BatchOutcome): void {
    this.#open.push({ endOffset, outcome });
    this.settle();
  }

  settle(): void {
    if (this.#open.length === 0 || this.isRevoked) return;
    const safeTo = Math.min(...this.attached.map(({ lane }) => lane.storedCursor));
    for (let first = this.#open[0]; first !== undefined && first.endOffset <= safeTo; first = this.#open[0]) {
      this.#open.shift();
      first.outcome.settled();
    }
  }

  fail(cause: unknown): void {
    for (const { outcome } of this.#open.splice(0)) outcome.failed(cause);
  }

  /** Outcomes of batches that are left over are not reported: whoever owns the partition next reads them again. */
  abandon(): void {
    this.isRevoked = true;
    this.#open.length = 0;
  }
}
