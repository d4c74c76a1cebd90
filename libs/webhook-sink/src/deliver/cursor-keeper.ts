import { failpoint } from '@pgstream/failure';
import type { LanePlace } from './lane-options.ts';
import type { CursorRow } from '../store/cursor-store.ts';
import type { DeliveryContext } from './delivery-context.ts';
import type { OwnedPartition } from './owned-partition.ts';
import { patiently } from './patiently.ts';
import type { SubscriptionLane } from './subscription-lane.ts';

export interface CursorKeeperOptions {
  readonly context: () => DeliveryContext;
  readonly partitions: ReadonlyMap<number, OwnedPartition>;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  /** Somebody else moves the cursors of this partition now. */
  readonly onOvertaken: (partition: number) => void;
  /** Cursors were moved back by request: their lanes are to begin again there. */
  readonly onRewound: () => void;
  readonly onFailed: (cause: unknown) => void;
}

/**
 * Writes cursors that moved, many at a time and one write at a time; then what they hold back is settled. A cursor in the
 * store is thus never behind what the group has committed, as long as its lane is attached.
 */
export class CursorKeeper {
  readonly #options: CursorKeeperOptions;
  readonly #states = new WeakMap<SubscriptionLane, string>();
  #timer: NodeJS.Timeout | undefined;
  /** At once, because it was due. */
  #isFlushing = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: CursorKeeperOptions) {
    this.#options = options;
  }

  /** Writes soon, or at once where it is due. Cheap. */
  schedule(isDue = false): void {
    const { signal, intervalMs } = this.#options;
    if (signal.aborted) return;
    if (isDue && !this.#isFlushing) {
      this.#isFlushing = true;
      void this.#flushSoon((lane) => lane.lane.isStoreDue).finally(() => (this.#isFlushing = false));
    } else {
      this.#timer ??= setTimeout(() => {
        this.#timer = undefined;
        void this.#flushSoon();
      }, intervalMs);
    }
  }

  async #flushSoon(which?: (lane: SubscriptionLane) => boolean): Promise<void> {
    const { signal, onFailed } = this.#options;
    try {
      await this.flush(signal, which);
    } catch (cause) {
      if (!signal.aborted) onFailed(cause);
    }
  }

  /** Writes what moved until now, of the lanes that are asked for. */
  async flush(signal: AbortSignal, which: (lane: SubscriptionLane) => boolean = () => true): Promise<void> {
    const run = this.#running.then(() => this.#write(signal, which));
    this.#running = run.catch(() => {});
    await run;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #write(signal: AbortSignal, which: (lane: SubscriptionLane) => boolean): Promise<void> {
    const moved = [...this.#options.partitions.values()].flatMap((owned) => this.#movedIn(owned, which));
    if (moved.length > 0) {
      const { cursors, observer } = this.#options.context();
      const rows = moved.map(({ row }) => row);
      failpoint?.('webhook.cursors-before');
      const { overtaken, rewound } = await patiently({ observer, notice: 'store_retrying', signal }, () =>
        cursors.save(rows),
      );
      failpoint?.('webhook.cursors-after');
      for (const { lane, row, place } of moved) {
        const isRewound = rewound.some(
          ({ subscriptionId, partition }) =>
            subscriptionId === row.subscriptionId && partition === row.partition,
        );
        if (isRewound || overtaken.includes(row.partition)) continue;
        lane.lane.stored(place);
        this.#states.set(lane, row.laneState);
      }
      for (const partition of overtaken) this.#tellOvertaken(partition, rows);
      if (rewound.length > 0) this.#options.onRewound();
    }
    for (const owned of this.#options.partitions.values()) owned.settle();
  }

  /** Unless it has another epoch by now, which this write did not know yet. */
  #tellOvertaken(partition: number, rows: readonly CursorRow[]): void {
    const epoch = this.#options.partitions.get(partition)?.epoch;
    const isMeant = rows.some((row) => row.partition === partition && row.epoch === epoch);
    if (isMeant) this.#options.onOvertaken(partition);
  }

  #movedIn(
    owned: OwnedPartition,
    which: (lane: SubscriptionLane) => boolean,
  ): { readonly lane: SubscriptionLane; readonly row: CursorRow; readonly place: LanePlace }[] {
    if (owned.epoch === '') return [];
    return [...owned.lanes.values()].filter(which).flatMap((lane) => {
      if (!lane.lane.isUnstored && this.#states.get(lane) === lane.state) return [];
      const { place } = lane.lane;
      return [{ lane, place, row: rowOf(lane, place, owned.epoch) }];
    });
  }
}

/** What the store is to know of a lane, under this epoch. */
export function rowOf(
  lane: SubscriptionLane,
  { cursor, ahead }: Pick<LanePlace, 'cursor' | 'ahead'>,
  epoch: string,
): CursorRow {
  const { id: subscriptionId, partition, state: laneState, generation } = lane;
  return { subscriptionId, partition, nextOffset: cursor, ahead, laneState, epoch, generation };
}
