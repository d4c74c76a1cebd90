import type { AssignedPartition } from '@pgstream/kafka-client';
import type { Builder } from './builder-pool.ts';
import { parseSeen, type SeenPosition } from './seen-position.ts';

/** "Everything of the partition before `nextOffset`." */
export interface KafkaCheckpoint {
  readonly partition: number;
  readonly nextOffset: number;
  /** The newest position before `nextOffset`. */
  readonly seen: SeenPosition | undefined;
  /** The time for which we own the partition: a checkpoint of an earlier ownership confirms nothing. */
  readonly tenure: symbol;
}

/** A record that waits for another partition: see `HandOffs`. */
export interface AwaitedOffset {
  readonly partition: number;
  readonly offset: number;
}

/** One owned partition between the fetch and the commit. */
export class ConsumedLane {
  readonly partition: number;
  readonly tenure = Symbol('tenure');
  /** The newest position read. */
  seen: SeenPosition | undefined;
  /** The offset after everything that was handed out or passed over. */
  passedTo: number;
  /** The offset after everything that is durable: what may be committed. */
  confirmedTo: number;
  confirmedSeen: SeenPosition | undefined;
  committedTo: number;
  /** Next offsets of the batches that were handed out and are not confirmed, oldest first. */
  readonly outstanding: number[] = [];
  /** Batches whose bytes were not given back. */
  readonly lent = new Set<Builder>();
  /** The offset of a record that waits for `awaited`. */
  blockedAt = -1;
  awaited: readonly AwaitedOffset[] = [];
  /** The offset of a record that has waited already. */
  clearedAt = -1;
  /** The group takes the partition away: nothing more is handed out. */
  leaving = false;

  constructor({ partition, offset, metadata }: AssignedPartition) {
    this.partition = partition;
    this.passedTo = offset;
    this.confirmedTo = offset;
    this.committedTo = offset;
    this.seen = parseSeen(metadata);
    this.confirmedSeen = this.seen;
  }

  checkpoint(): KafkaCheckpoint {
    const { partition, passedTo: nextOffset, seen, tenure } = this;
    return { partition, nextOffset, seen, tenure };
  }

  /** Takes over what `checkpoint` says. */
  confirm({ nextOffset, seen }: KafkaCheckpoint): void {
    let settled = 0;
    while ((this.outstanding[settled] ?? Infinity) <= nextOffset) settled++;
    this.outstanding.splice(0, settled);
    if (nextOffset > this.confirmedTo) {
      this.confirmedTo = nextOffset;
      this.confirmedSeen = seen;
    }
    this.confirmPassed();
  }

  /** With nothing handed out, what was passed over (heartbeats, replays, parked records) is done with too. */
  confirmPassed(): void {
    if (this.outstanding.length > 0 || this.passedTo <= this.confirmedTo) return;
    this.confirmedTo = this.passedTo;
    this.confirmedSeen = this.seen;
  }

  get isDirty(): boolean {
    return this.confirmedTo > this.committedTo;
  }
}
