import { type Clock, failpoint, systemClock } from '@pgstream/failure';
import { Watermark } from '@pgstream/flow';
import type { BatchOutcome, RecordBatch, Sink, Source } from '@pgstream/wal-event';

/** What a pipeline tells whoever counts. Called on the hot path, once per batch: keep it cheap. */
export interface PipelineObserver {
  batchRead?(batch: RecordBatch): void;
  /** `durationMs` from the batch being read to it having settled. */
  batchSettled?(batch: RecordBatch, durationMs: number): void;
  /** Its lane went to somebody else before it settled: whoever has the lane now reads it again. */
  batchAbandoned?(batch: RecordBatch): void;
  confirmed?(lane: number): void;
}

export interface PipelineOptions<Checkpoint> {
  readonly source: Source<Checkpoint>;
  readonly sink: Sink;
  /** Aborting it is the orderly stop: reading ends, what was read is finished and confirmed. */
  readonly signal: AbortSignal;
  /** How long the orderly stop, or a lane's hand-over, waits for work in flight. Default 8,000. */
  readonly drainTimeoutMs?: number;
  readonly observer?: PipelineObserver;
  readonly clock?: Clock;
}

/**
 * Joins a source and a sink: read, write, confirm what has settled without a gap.
 *
 * Resolves after an orderly stop or when the source ends; rejects with the first failure of either side. In every
 * case both are closed, and nothing was confirmed that had not settled.
 */
export async function runPipeline<Checkpoint>(options: PipelineOptions<Checkpoint>): Promise<void> {
  const pipeline = new Pipeline(options);
  try {
    await pipeline.run();
  } finally {
    await closeBoth(options);
  }
}

async function closeBoth({
  source,
  sink,
}: {
  source: { close(): Promise<void> };
  sink: Sink;
}): Promise<void> {
  try {
    await sink.close();
  } finally {
    await source.close();
  }
}

class Lane<Checkpoint> {
  readonly watermark = new Watermark<Checkpoint>();
  revoked = false;
  /** The confirm in flight: at most one per lane, the next takes the newest checkpoint. */
  confirming: Promise<void> | undefined;
  readonly idle: Array<() => void> = [];
  /** Read and not settled. */
  readonly open = new Set<RecordBatch>();
}

class Pipeline<Checkpoint> {
  readonly #source: Source<Checkpoint>;
  readonly #sink: Sink;
  readonly #stop: AbortSignal;
  readonly #observer: PipelineObserver;
  readonly #clock: Clock;
  readonly #drainTimeoutMs: number;
  readonly #lanes = new Map<number, Lane<Checkpoint>>();
  /** Aborts reading: the orderly stop, or a failure. */
  readonly #reading = new AbortController();
  /** Aborts writing: a failure, or an orderly stop that took too long. */
  readonly #working = new AbortController();
  #failure: { readonly cause: unknown } | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(options: PipelineOptions<Checkpoint>) {
    this.#source = options.source;
    this.#sink = options.sink;
    this.#stop = options.signal;
    this.#observer = options.observer ?? {};
    this.#clock = options.clock ?? systemClock;
    this.#drainTimeoutMs = options.drainTimeoutMs ?? 8_000;
    this.#source.onRevoke?.((lane, how) => this.#revoke(lane, how));
  }

  async run(): Promise<void> {
    const onStop = () => {
      this.#reading.abort(this.#stop.reason);
      // From here on, not from the end of reading: a sink that takes nothing keeps the reading from ending.
      this.#startDeadline();
    };
    if (this.#stop.aborted) onStop();
    else this.#stop.addEventListener('abort', onStop, { once: true });
    try {
      await this.#pump();
      if (this.#failure === undefined) await this.#drain();
    } catch (cause) {
      this.#fail(cause);
    } finally {
      this.#stop.removeEventListener('abort', onStop);
      clearTimeout(this.#deadline);
    }
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  async #pump(): Promise<void> {
    try {
      for await (const batch of this.#source.batches(this.#reading.signal)) {
        if (this.#failure !== undefined) return;
        this.#observer.batchRead?.(batch);
        await this.#write(batch);
      }
    } catch (cause) {
      // a source that stops because it was told to may throw the reason it was given
      if (this.#failure === undefined && !this.#isStop(cause)) throw cause;
    }
  }

  async #write(batch: RecordBatch<Checkpoint>): Promise<void> {
    const lane = this.#laneOf(batch.lane);
    try {
      await this.#sink.write(batch, this.#outcomeOf(batch, lane), this.#working.signal);
    } catch (cause) {
      // The sink was told to give the lane up in the middle of this batch, which confirms nothing any more.
      if (!lane.revoked) throw cause;
    }
  }

  #isStop(cause: unknown): boolean {
    if (!this.#stop.aborted) return false;
    return (
      cause === this.#stop.reason || (this.#working.signal.aborted && cause === this.#working.signal.reason)
    );
  }

  #startDeadline(): void {
    this.#deadline ??= setTimeout(() => this.#working.abort(new DrainTimeout()), this.#drainTimeoutMs);
  }

  /** What was read is finished and confirmed; what cannot be finished in time stays unconfirmed and comes again. */
  async #drain(): Promise<void> {
    this.#startDeadline();
    try {
      await this.#sink.flush(this.#working.signal);
    } catch (cause) {
      if (!this.#working.signal.aborted) throw cause;
    }
    await Promise.all([...this.#lanes.values()].map((lane) => lane.confirming ?? Promise.resolve()));
  }

  #outcomeOf(batch: RecordBatch<Checkpoint>, lane: Lane<Checkpoint>): BatchOutcome {
    lane.open.add(batch);
    const settle = lane.watermark.track(batch.checkpoint);
    const readAt = this.#clock.now();
    let reported = false;
    return {
      settled: () => {
        if (reported) return;
        reported = true;
        if (lane.open.delete(batch)) this.#observer.batchSettled?.(batch, this.#clock.now() - readAt);
        const laneNumber = batch.lane;
        failpoint?.('pipeline.settled');
        settle();
        batch.release?.();
        this.#confirm(laneNumber, lane);
      },
      failed: (cause) => {
        if (!reported && !lane.revoked) this.#fail(cause);
        reported = true;
      },
    };
  }

  #laneOf(number: number): Lane<Checkpoint> {
    const known = this.#lanes.get(number);
    if (known !== undefined) return known;
    const lane = new Lane<Checkpoint>();
    this.#lanes.set(number, lane);
    return lane;
  }

  /** Starts a confirm unless one is in flight, whose end starts the next. */
  #confirm(number: number, lane: Lane<Checkpoint>): void {
    if (lane.watermark.outstanding === 0) for (const wake of lane.idle.splice(0)) wake();
    if (lane.revoked || lane.confirming !== undefined || this.#failure !== undefined) return;
    const checkpoint = lane.watermark.take();
    if (checkpoint === undefined) return;
    lane.confirming = this.#confirmOne(number, lane, checkpoint);
  }

  async #confirmOne(number: number, lane: Lane<Checkpoint>, first: Checkpoint): Promise<void> {
    let checkpoint: Checkpoint | undefined = first;
    try {
      while (checkpoint !== undefined) {
        await this.#source.confirm(number, checkpoint);
        failpoint?.('pipeline.confirmed');
        this.#observer.confirmed?.(number);
        checkpoint = lane.watermark.take();
      }
    } catch (cause) {
      this.#fail(cause);
    } finally {
      lane.confirming = undefined;
    }
  }

  /** The lane goes to somebody else: finish what is in flight within the bound, stop the rest, forget the lane. */
  async #revoke(number: number, how: 'released' | 'lost'): Promise<void> {
    const lane = this.#lanes.get(number);
    // Nothing of it was read, and yet the sink may have begun something when it was assigned.
    if (lane === undefined) return await this.#sink.revoke?.(number);
    if (how === 'released') {
      await this.#untilIdle(lane);
      await lane.confirming;
    }
    // Lost while it was being released: once is enough.
    if (lane.revoked) return;
    lane.revoked = true;
    for (const wake of lane.idle.splice(0)) wake();
    this.#lanes.delete(number);
    for (const batch of lane.open) this.#observer.batchAbandoned?.(batch);
    lane.open.clear();
    await this.#sink.revoke?.(number);
  }

  async #untilIdle(lane: Lane<Checkpoint>): Promise<void> {
    // What a lane goes on with here may outlast what the source waits for, and then two have it: not where there is no need.
    if (lane.watermark.outstanding === 0 || this.#sink.storesProgress === true) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#drainTimeoutMs);
      lane.idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    this.#reading.abort(cause);
    this.#working.abort(cause);
  }
}

/** Why work in flight was given up at a stop. What it held is unconfirmed and is read again after the restart. */
export class DrainTimeout extends Error {
  override readonly name = 'DrainTimeout';

  constructor() {
    super('work in flight did not finish within the time for an orderly stop');
  }
}
