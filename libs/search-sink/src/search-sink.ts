import { classify, type PipelineError } from '@pgstream/failure';
import type { SearchStore } from '@pgstream/search-store';
import { assertNever, type BatchOutcome, type RecordBatch, type Sink } from '@pgstream/wal-event';
import { Barriers } from './barriers.ts';
import { bindFunctions, type BoundFunctions } from './functions.ts';
import { BulkLanes } from './bulk-lanes.ts';
import { BulkLane } from './lane.ts';
import { LaneSignals } from './lane-signals.ts';
import { WHY } from './letters.ts';
import { silentObserver, type SearchObserver } from './observer.ts';
import { withDefaults, type FullOptions, type SearchSinkOptions } from './options.ts';
import { Parking } from './parked/parking.ts';
import type { TakeWaiting } from './parked/refused.ts';
import { Refresher } from './refresher.ts';
import { RowWriter, type Pause } from './row-writer.ts';
import { SchemaChanges } from './schema-changes.ts';
import { Steady } from './steady.ts';
import { systemNames } from './system-indices.ts';
import { documentKey, type PhysicalIndex, type TableIndex } from './table-index.ts';
import { Tables } from './tables.ts';
import type { Ticket } from './ticket.ts';
import { abortable, Unsettled } from './unsettled.ts';

/** How far ahead old documents are read in one request. */
const LOOK_AHEAD = 500;
/** A bulk of this size, or so much waiting, is catching up, not keeping up. */
const LAGGING_DOCUMENTS = 1000;
const LAGGING_MS = 100;

/**
 * Writes rows as documents and follows schema changes. See {@link SearchSinkOptions}.
 *
 * A batch settles when each of its rows is durable in the index, parked, or known to be older than what is there.
 * Rows of one document take effect in order; documents are spread over ordered bulk lanes.
 */
export class SearchSink implements Sink {
  readonly name = 'search';
  readonly #store: SearchStore;
  readonly #barriers: Barriers;
  readonly #observer: SearchObserver;
  readonly #functions: BoundFunctions;
  readonly #tables: Tables;
  readonly #steady: Steady;
  readonly #lanes: BulkLanes;
  readonly #writer: RowWriter;
  readonly #schema: SchemaChanges;
  readonly #parking: Parking;
  /** Lanes of the source since whose arrival the parked keys were read. */
  readonly #met = new Set<number>();
  readonly #refresher: Refresher;
  readonly #unsettled: Unsettled;
  readonly #closed = new AbortController();
  readonly #signals = new LaneSignals(this.#closed.signal);
  #turn: Promise<void> = Promise.resolve();
  #running: { readonly lane: number; readonly done: Promise<void> } | null = null;
  #busyUntilMs = 0;

  constructor(given: SearchSinkOptions) {
    const options = withDefaults(given);
    const { store } = options;
    this.#store = store;
    this.#observer = { ...silentObserver, ...given.observer };
    const observer = this.#observer;
    this.#steady = new Steady(options.backoff, observer);
    this.#functions = bindFunctions({ ...options, replace: given.functions ?? {} });
    const functions = this.#functions;
    const shared = { ...options, names: systemNames(options.systemPrefix), functions, observer };
    const tables = new Tables(shared);
    this.#tables = tables;
    this.#unsettled = new Unsettled(options.maxUnsettledBytes);
    this.#lanes = new BulkLanes(Array.from({ length: options.lanes }, () => this.#newLane(options)));
    this.#parking = new Parking({ ...shared, tables, steady: this.#steady });
    const { keys: parked } = this.#parking;
    this.#writer = new RowWriter({ functions, tables, lanes: this.#lanes, observer, parked });
    this.#schema = new SchemaChanges({ ...shared, tables });
    this.#refresher = new Refresher({
      store,
      observer,
      minIntervalMs: options.refreshIntervalMs,
      lagging: () => this.#isLagging(),
    });
    this.#barriers = new Barriers({
      ...shared,
      tables,
      steady: this.#steady,
      schema: this.#schema,
      parking: this.#parking,
      writer: this.#writer,
      refresher: this.#refresher,
      drain: async (signal) => this.#drain(signal),
    });
  }

  async write(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    // Taken before the turn comes: a batch of a lane that was revoked meanwhile must not be written.
    const mine = this.#afterTurn(batch, outcome, this.#signals.of(batch.lane, signal));
    // The next batch waits for this one's turn, whatever became of it.
    this.#turn = mine.catch(() => {});
    await mine;
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#turn;
    await this.#drain(signal);
    await this.#unsettled.none(signal);
  }

  async revoke(lane: number): Promise<void> {
    this.#signals.revoke(lane);
    this.#met.delete(lane);
    this.#unsettled.abandon(lane);
    this.#lanes.revoke(lane);
    if (this.#running?.lane === lane) await this.#running.done.catch(() => {});
    // What a batch of the lane added while its turn ended.
    this.#lanes.revoke(lane);
  }

  /** Reads again which keys are parked: others may have released some. */
  async readParked(): Promise<void> {
    const { known } = this.#parking.keys;
    await known.alone(async () => known.reload());
  }

  async close(): Promise<void> {
    this.#closed.abort(new Error('search sink closed'));
    this.#lanes.stop();
    await this.#turn;
    await this.#refresher.close();
  }

  async #afterTurn(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    await this.#turn;
    this.#running = { lane: batch.lane, done: this.#accept(batch, outcome, signal) };
    await this.#running.done;
  }

  async #accept(batch: RecordBatch, outcome: BatchOutcome, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#unsettled.room(signal);
    const ticket = this.#unsettled.add(batch, outcome);
    try {
      if (this.#unsettled.failure !== null) throw this.#unsettled.failure;
      if (!this.#met.has(batch.lane)) await this.#parking.open(signal);
      this.#met.add(batch.lane);
      await this.#process(batch, ticket, signal);
      await this.#keepParked(ticket, signal);
      ticket.release();
    } catch (cause) {
      if (signal.aborted) throw cause;
      ticket.fail(this.#fail(cause));
    } finally {
      this.#writer.previous.clear();
      this.#writer.moved.clear();
      this.#parking.keys.clear();
      this.#lanes.kick();
    }
  }

  async #process(batch: RecordBatch, ticket: Ticket, signal: AbortSignal): Promise<void> {
    let at = 0;
    this.#tables.epoch = batch.epoch;
    for (;;) {
      const stop = this.#writer.write(batch, at, ticket);
      ({ at } = stop);
      if (stop.pause === 'done') return;
      // oxlint-disable-next-line no-await-in-loop -- records of a batch are handled in order
      if (await this.#resume(stop.pause, { batch, at, ticket }, signal)) at += 1;
    }
  }

  /** Does what the writer stopped for. True when the record is done with, false when it is to be tried again. */
  async #resume(
    pause: Exclude<Pause, 'done'>,
    { batch, at, ticket }: { batch: RecordBatch; at: number; ticket: Ticket },
    signal: AbortSignal,
  ): Promise<boolean> {
    switch (pause) {
      case 'barrier':
        // Before what is parked changes by other means.
        await this.#keepParked(ticket, signal);
        await this.#barriers.pass(batch, at, signal);
        return true;
      case 'table':
      case 'columns':
        await this.#openTable(batch, at, signal);
        return false;
      case 'previous':
        await this.#fetchPrevious(batch, at, signal);
        return false;
      case 'parked':
        if (this.#parking.keys.isFlushDue) await this.#keepParked(ticket, signal);
        await this.#parking.fetch(this.#writer, batch, at, signal);
        return false;
      case 'moved':
        await this.#removeMoved(ticket, signal);
        return false;
      case 'undecodable':
      case 'no_key':
        await this.#parking.record(batch, at, WHY[pause], signal);
        return true;
      default:
        return assertNever(pause);
    }
  }

  /** Documents that gave their values away go, once those who took them are durable: in the index or parked. */
  async #removeMoved(ticket: Ticket, signal: AbortSignal): Promise<void> {
    await this.#drain(signal);
    const { keys } = this.#parking;
    if (keys.isFlushDue) await this.#keepParked(ticket, signal);
    await keys.load(this.#writer.movedParked(), signal);
    this.#writer.removeMoved(ticket);
  }

  async #openTable(batch: RecordBatch, at: number, signal: AbortSignal): Promise<void> {
    const { reader } = this.#writer;
    const { ref } = reader;
    const columns = reader.columns.count < 0 ? [] : reader.columns.columns;
    const version = this.#functions.version(batch.commitLsns[at] ?? 0n, batch.seqs[at] ?? 0);
    await this.#steady.run(signal, async () =>
      this.#schema.openForRow({ ref, columns, version }, async () => this.#drain(signal), signal),
    );
    const generation = this.#tables.known(ref)?.index.generation ?? 1;
    await this.#parking.opened(ref.tableId, generation, signal);
  }

  /** Reads the old documents that this record, and those soon after it, build upon. */
  async #fetchPrevious(batch: RecordBatch, at: number, signal: AbortSignal): Promise<void> {
    const wanted = new Map<string, { table: TableIndex; id: string }>();
    const end = Math.min(batch.count, at + LOOK_AHEAD);
    for (let i = at; i < end; i += 1) {
      for (const one of this.#writer.unknownOf(batch, i)) wanted.set(documentKey(one.table, one.id), one);
    }
    await this.#steady.run(signal, async () =>
      this.#writer.previous.fetch(this.#store, [...wanted.values()], signal),
    );
  }

  #newLane(options: FullOptions): BulkLane {
    return new BulkLane({
      ...options,
      observer: this.#observer,
      hooks: {
        park: async (refusals) => this.#parking.refused(refusals, this.#waiting, this.#closed.signal),
        missingIndex: async (table, signal) =>
          this.#steady.run(signal, async () => this.#schema.missing(table)),
        holdMs: (chunk) => (chunk.count < LAGGING_DOCUMENTS ? this.#refresher.restMs(chunk.indices()) : 0),
        carry: (indices, documents) => documents < LAGGING_DOCUMENTS && this.#refresher.carry(indices),
        carried: (indices, done) => this.#refresher.carried(indices, done),
        written: (indices, documents, refreshed) => this.#written(indices, documents, refreshed),
      },
      onFailure: (error, tickets) => {
        this.#fail(error);
        for (const ticket of tickets) ticket.fail(error);
      },
    });
  }

  #written(indices: ReadonlySet<PhysicalIndex>, documents: number, refreshed: boolean): void {
    if (documents >= LAGGING_DOCUMENTS) this.#busyUntilMs = performance.now() + LAGGING_MS;
    if (!refreshed) this.#refresher.note(indices);
  }

  #isLagging(): boolean {
    if (performance.now() < this.#busyUntilMs) return true;
    return this.#lanes.waitingDocuments >= LAGGING_DOCUMENTS;
  }

  readonly #waiting: TakeWaiting = (table, id) => this.#lanes.all.flatMap((lane) => lane.waiting(table, id));

  async #keepParked(ticket: Ticket, signal: AbortSignal): Promise<void> {
    await this.#parking.keep(
      (freed) => this.#writer.put(freed, ticket),
      async () => this.#drain(signal),
      signal,
    );
  }

  /** Resolves when no bulk waits or flies. */
  async #drain(signal: AbortSignal): Promise<void> {
    await abortable(signal, this.#lanes.drain());
    if (this.#unsettled.failure !== null) throw this.#unsettled.failure;
  }

  #fail(cause: unknown): PipelineError {
    return this.#unsettled.fail(classify(cause, []));
  }
}
