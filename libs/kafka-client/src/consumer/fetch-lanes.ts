import type { Buffer } from 'node:buffer';

/** Records of one partition as the broker sent them, to be read with `RecordSetReader`. */
export interface FetchedRecords {
  readonly partition: number;
  /** RecordBatch v2 frames, perhaps compressed, the last one possibly cut off. */
  readonly records: Buffer;
  /** Where the fetch began: records before it are to be passed. */
  readonly fromOffset: number;
  readonly highWatermark: number;
}

/** One owned partition: where its next fetch begins and what waits to be taken. */
export interface FetchLane {
  readonly partition: number;
  nextOffset: number;
  highWatermark: number;
  readonly queue: FetchedRecords[];
  queuedBytes: number;
  paused: boolean;
}

/** The owned partitions and what was fetched for them, first come first served. */
export class FetchLanes {
  readonly #lanes = new Map<number, FetchLane>();
  readonly #order: FetchLane[] = [];

  get partitions(): number[] {
    return [...this.#lanes.keys()];
  }

  get(partition: number): FetchLane | undefined {
    return this.#lanes.get(partition);
  }

  values(): Iterable<FetchLane> {
    return this.#lanes.values();
  }

  add(partition: number, nextOffset: number): void {
    this.#lanes.set(partition, {
      partition,
      nextOffset,
      highWatermark: nextOffset,
      queue: [],
      queuedBytes: 0,
      paused: false,
    });
  }

  clear(): void {
    this.#lanes.clear();
    this.#order.length = 0;
  }

  push(lane: FetchLane, fetched: FetchedRecords, nextOffset: number): void {
    lane.queue.push(fetched);
    lane.queuedBytes += fetched.records.length;
    lane.nextOffset = nextOffset;
    this.#order.push(lane);
  }

  get hasRecords(): boolean {
    return this.#order.length > 0;
  }

  take(): FetchedRecords | undefined {
    const lane = this.#order.shift();
    const fetched = lane?.queue.shift();
    if (lane === undefined || fetched === undefined) return undefined;
    lane.queuedBytes -= fetched.records.length;
    return fetched;
  }

  /** Forgets what waits for the partition and fetches again from `offset`, once it is resumed. */
  pauseAt(partition: number, offset: number): void {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return;
    lane.queue.length = 0;
    lane.queuedBytes = 0;
    lane.nextOffset = offset;
    lane.paused = true;
    for (let at = this.#order.indexOf(lane); at >= 0; at = this.#order.indexOf(lane))
      this.#order.splice(at, 1);
  }
}
