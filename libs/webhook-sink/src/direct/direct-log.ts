import { Buffer } from 'node:buffer';
import { failpoint, PipelineError, systemClock } from '@pgstream/failure';
import {
  ACTION,
  decodeRecord,
  positionAt,
  valueAt,
  type BatchOutcome,
  type ChangeRecord,
} from '@pgstream/wal-event';
import { patiently } from '../deliver/patiently.ts';
import type { LogChunk, LogSource } from '../log-source.ts';
import { compile, type Matcher } from '../match/matcher.ts';
import { keptChunk } from './kept-chunk.ts';
import type { DirectLogOptions, DirectReaders } from './direct-log-options.ts';
import type { KeptRecord } from './kept-store.ts';
import { reachedBefore, reachedText } from './stream-position.ts';
import { Tail, type HeldBatch } from './tail.ts';

const CHUNK_BYTES = 1024 * 1024;
const ROOM_CHECK_MS = 200;
/** So much room is made at once, so that it is not made for each batch. */
const KEPT_SHARE = 0.9;

/** A subscription that has not had everything. */
interface Behind {
  readonly id: string;
  readonly matcher: Matcher;
  /** Everything before it is settled. */
  readonly cursor: number;
}

/** For a subscription: records from `from` on that stand at `through` or before were settled by an earlier process. */
interface Repeated {
  readonly from: number;
  readonly through: string;
}

/**
 * The stream of a replication slot as a log that can be read again, without Kafka. Its end is in memory; what leaves it is
 * written to the store first, where a subscription that is behind wants it. Only then may the slot go on. So an endpoint
 * that is away costs rows in the store, and neither WAL nor memory, and nobody else waits for it.
 */
export class DirectLog implements LogSource {
  readonly #options: DirectLogOptions;
  readonly #closing = new AbortController();
  readonly #repeated = new Map<string, Repeated>();
  #tail = new Tail(1);
  #readers: DirectReaders | undefined;
  #known: readonly Omit<Behind, 'cursor'>[] = [];
  #version = '';
  #keptBytes = 0;
  #isStopping = false;
  #leaving: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  /** Of the ownership of the stream, as {@link CursorStore.claim} gave it. */
  ownerEpoch = '';

  constructor(options: DirectLogOptions) {
    this.#options = options;
  }

  get heldBytes(): number {
    return this.#tail.bytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** The batch that everybody's settling waits for. */
  get head(): HeldBatch | undefined {
    return this.#tail.head;
  }

  /** The stream is ours, from its beginning. @returns the offset from which on its records come. */
  async begin(readers: DirectReaders): Promise<number> {
    this.#readers = readers;
    const { nextOffset, bytes } = await this.#patiently(() => this.#options.kept.state());
    this.#tail = new Tail(nextOffset);
    this.#keptBytes = bytes;
    return nextOffset;
  }

  append(batch: Parameters<Tail['append']>[0], outcome: BatchOutcome): HeldBatch {
    return this.#tail.append(batch, outcome);
  }

  /** All that keep up have it behind their stored cursors: it may leave. */
  settled(held: HeldBatch): void {
    held.isSettled = true;
    this.#leaving ??= this.#leaveAll();
  }

  /** Resolves when what was settled has left. From here on, nothing leaves that a new subscription may want. */
  async flush(signal: AbortSignal): Promise<void> {
    this.#isStopping = true;
    const late = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([this.#leaving ?? Promise.resolve(), late]);
  }

  close(): void {
    this.#closing.abort();
  }

  /** For {@link LogSource}: there is one partition. */
  async read(
    _partition: number,
    offset: number,
    { maxBytes = CHUNK_BYTES }: { readonly maxBytes?: number } = {},
  ): Promise<LogChunk> {
    const below = this.#tail.start;
    if (offset >= below) return this.#tail.chunk(offset, maxBytes);
    const { records, start, hasMore } = await this.#options.kept.read(offset, below, maxBytes);
    const logStart = Math.max(offset, Math.min(start, below));
    return keptChunk(records, { nextOffset: hasMore ? undefined : below, logStart });
  }

  /** In LSNs: a subscription that is made now begins with what commits later. */
  async ends(): Promise<ReadonlyMap<number, number>> {
    return new Map([[0, Number(await this.#options.walEnd())]]);
  }

  /** Where each subscription of this stream goes on. */
  async openings(): Promise<Map<string, number>> {
    return await this.#inTurn(async () => {
      const { kept, epoch } = this.#options;
      const [cursors, range] = await Promise.all([kept.cursors(), kept.range()]);
      const tail = this.#tail;
      return new Map(
        cursors.map(({ subscriptionId, nextOffset, reached }) => {
          const through = reached ?? reachedBefore(epoch, BigInt(nextOffset));
          this.#repeated.set(subscriptionId, { from: tail.start, through });
          const hasKept = reached !== null && nextOffset <= Math.max(range.last, range.start - 1);
          return [subscriptionId, hasKept ? nextOffset : tail.firstAfter(through)];
        }),
      );
    });
  }

  /** Up to where everything is settled or kept for a subscription with this cursor. */
  reachedAt(subscriptionId: string, cursor: number): string | undefined {
    const reached = this.#tail.reachedAt(Math.max(cursor, this.#tail.start));
    const before = this.#repeated.get(subscriptionId)?.through;
    if (reached === undefined || before === undefined) return reached ?? before;
    return reached > before ? reached : before;
  }

  /** Whether the subscription had it from an earlier process. */
  isRepeated(subscriptionId: string, offset: number, record: ChangeRecord): boolean {
    const repeated = this.#repeated.get(subscriptionId);
    if (repeated === undefined || offset < repeated.from) return false;
    return reachedText(record.epoch, record.position) <= repeated.through;
  }

  /**
   * Removes what nobody needs any more; and the oldest of what is too much, unless its endpoint takes events and is only
   * slow: for that one the stream waits.
   */
  async tidy(): Promise<void> {
    const { kept, maxKeptBytes } = this.#options;
    if (this.#keptBytes <= 0) return;
    await this.#inTurn(async () => {
      this.#keptBytes -= await this.#patiently(() => kept.forgetSettled());
      if (this.#keptBytes <= maxKeptBytes) return;
      const lanes = [...(this.#readers?.storedCursors().values() ?? [])];
      const working = lanes.flatMap(({ cursor, isWorking }) => (isWorking ? [cursor] : []));
      const below = Math.min(this.#tail.start, ...working);
      this.#keptBytes -= await this.#patiently(() => kept.giveUpBeyond(maxKeptBytes * KEPT_SHARE, below));
    });
  }

  async #leaveAll(): Promise<void> {
    try {
      while (this.#tail.head?.isSettled === true && (await this.#leave()));
    } catch (cause) {
      if (!this.#closing.signal.aborted) this.#options.onFailed(cause);
    } finally {
      // At once after the last look: what settles from here on begins anew.
      this.#leaving = undefined;
    }
  }

  /** False where it is to stop before there is room. */
  async #hasRoom(): Promise<boolean> {
    while (this.#keptBytes > this.#options.maxKeptBytes) {
      // oxlint-disable-next-line no-await-in-loop -- waiting is the backpressure
      await this.tidy();
      if (this.#keptBytes <= this.#options.maxKeptBytes) break;
      if (this.#isStopping) return false;
      // oxlint-disable-next-line no-await-in-loop -- see above
      await systemClock.sleep(ROOM_CHECK_MS, this.#closing.signal);
    }
    return true;
  }

  /** @returns false where it is to stop with something that may not leave. */
  async #leave(): Promise<boolean> {
    const settled = this.#tail.settledHeads();
    // After they were read: a subscription of which this knows nothing was made later than they were committed.
    await this.#learn();
    for (const held of settled) {
      // oxlint-disable-next-line no-await-in-loop -- in the order of the stream
      if (!(await this.#hasRoom())) return false;
      // oxlint-disable-next-line no-await-in-loop -- see above
      await this.#inTurn(async () => {
        await this.#keepFor(held);
        this.#tail.leave();
        held.outcome.settled();
      });
    }
    return true;
  }

  /** Which subscriptions there are now. */
  async #learn(): Promise<void> {
    const { subscriptions } = this.#options;
    if ((await this.#patiently(() => subscriptions.version())) === this.#version) return;
    // Before lanes are opened: one that is made meanwhile gives another version, and is looked for again.
    const found = await this.#patiently(() => subscriptions.all());
    if (!this.#isStopping) await this.#readers?.refresh();
    const openings = await this.openings();
    this.#known = found.subscriptions.flatMap((one) =>
      openings.has(one.id) ? [{ id: one.id, matcher: compile(one) }] : [],
    );
    this.#version = found.version;
  }

  /** Writes to the store what a subscription wants of it that is behind, or not open at all. */
  async #keepFor(held: HeldBatch): Promise<void> {
    const stored = this.#readers?.storedCursors();
    const behind = this.#known
      .map((one) => ({ ...one, cursor: stored?.get(one.id)?.cursor ?? 0 }))
      .filter(({ cursor }) => cursor < held.endOffset);
    const records = this.#wantedBy(behind, held);
    if (records.length === 0) return;
    const { batch } = held;
    const reached = reachedText(batch.epoch, positionAt(batch, batch.count - 1));
    const ids = behind.map(({ id }) => id);
    failpoint?.('webhook.keeping');
    const isOurs = await this.#patiently(() =>
      this.#options.kept.keep(this.ownerEpoch, records, reached, ids),
    );
    if (!isOurs) throw new PipelineError('WEBHOOK_STREAM_TAKEN_OVER');
    failpoint?.('webhook.kept');
    this.#keptBytes += records.reduce((sum, { record }) => sum + record.length, 0);
  }

  #wantedBy(behind: readonly Behind[], { batch, firstNew }: HeldBatch): readonly KeptRecord[] {
    const records: KeptRecord[] = [];
    for (let i = firstNew; i < batch.count && behind.length > 0; i++) {
      const offset = batch.offsets?.[i] ?? 0;
      const table = batch.tables[i];
      const isMessage = table === undefined || batch.actions[i] === ACTION.message;
      const maybe = behind.filter(
        ({ cursor, matcher }) => cursor <= offset && (isMessage || matcher.mayMatch(table)),
      );
      if (maybe.length === 0) continue;
      const record = Buffer.from(valueAt(batch, i));
      const decoded = decodeRecord(record);
      const isWanted = maybe.some(
        ({ id, matcher }) => matcher.matches(decoded) && !this.isRepeated(id, offset, decoded),
      );
      if (isWanted) records.push({ offset, commitTimeMs: batch.commitTimesMs[i] ?? 0, record });
    }
    return records;
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { observer } = this.#options;
    return await patiently({ observer, notice: 'store_retrying', signal: this.#closing.signal }, work);
  }

  /** Lanes open, and records leave, one after the other: in between, what is where would not be certain. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => {});
    return await run;
  }
}
