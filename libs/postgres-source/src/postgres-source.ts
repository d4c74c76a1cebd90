import {
  classifyPostgres,
  sqlStateOf,
  type Clock,
  failpoint,
  PipelineError,
  systemClock,
  withRetry,
} from '@pgstream/failure';
import { parseLsn, RecordEncoder, type RecordBatch, type Source } from '@pgstream/wal-event';
import type { ClientConfig } from 'pg';
import type { PostgresSourceOptions } from './source-options.ts';
import { Acknowledger } from './stream/acknowledger.ts';
import { BatchCutter } from './stream/batch-cutter.ts';
import { BatchPool, type PostgresCheckpoint } from './stream/batch-pool.ts';
import { classifyStream } from './stream/postgres-rules.ts';
import type { StartFacts } from './stream/prepare.ts';
import { sessionConfig } from './stream/session-config.ts';
import { StreamSession } from './stream/session.ts';
import {
  newSourceFacts,
  type SourceFacts,
  type SourceObserver,
  type SourceRole,
} from './stream/source-facts.ts';
import { ALL_TABLES } from './stream/table-filter.ts';

const BUFFER_BYTES = 32 * 1024 * 1024;
const BATCH_BYTES = 512 * 1024;
/** SQLSTATE cannot_connect_now. A server that streams has long started: it is on its way down. */
const SHUTTING_DOWN = '57P03';
const RETRY_INITIAL_MS = 100;
/** A connection that lasted this long starts the waits over. */
const HEALTHY_MS = 10_000;
const RETRY_MAX_MS = 10_000;
/** A standby asks for the slot this often, plus as much again at random. */
const STANDBY_MS = 1000;
/** What the server still sends after our goodbye is read for so long. */
const FINISH_MS = 2000;

/**
 * A replication slot as a {@link Source} of one lane.
 *
 * Connects, and connects again, by itself: after a lost connection everything that was not confirmed comes again, in order
 * and with the same positions. As long as another process uses the slot this one waits as standby. What time cannot heal
 * ends {@link batches} with its error.
 *
 * Batches are lent from a bounded pool: call `release` on each when its outcome is known, or reading stops.
 */
export class PostgresSource implements Source<PostgresCheckpoint> {
  readonly #options: PostgresSourceOptions;
  readonly #observer: SourceObserver;
  readonly #clock: Clock;
  readonly #pool: BatchPool;
  readonly #cutter: BatchCutter;
  readonly #acknowledger: Acknowledger;
  readonly #facts: SourceFacts;
  readonly #encoder: RecordEncoder;
  /** No new connection after this. */
  readonly #ending = new AbortController();
  #session: StreamSession | undefined;
  #running: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #reading = false;
  #failure: PipelineError | undefined;
  #system: { id: string; timeline: number } | undefined;
  #wake: () => void = () => {};
  #proceeding: NodeJS.Immediate | undefined;

  constructor(options: PostgresSourceOptions) {
    const { history, bufferBytes = BUFFER_BYTES, batchBytes = BATCH_BYTES } = options;
    this.#options = options;
    this.#observer = options.observer ?? {};
    this.#clock = options.clock ?? systemClock;
    this.#pool = new BatchPool({ budgetBytes: bufferBytes, batchBytes }, () => this.#proceed());
    this.#cutter = new BatchCutter(this.#pool, batchBytes);
    this.#encoder = new RecordEncoder(options.epoch);
    this.#facts = newSourceFacts();
    this.#acknowledger = new Acknowledger(NOWHERE, {
      history,
      onAdvance: () => {
        this.#facts.confirmedLsn = this.#acknowledger.confirmed;
        this.#session?.advanced();
      },
      onFailure: (cause) => this.#checkpointFailed(cause),
    });
  }

  /** As of now; the same object is updated in place, except for `lentBytes`. */
  get facts(): Readonly<SourceFacts> {
    this.#facts.lentBytes = this.#pool.lentBytes;
    return this.#facts;
  }

  /** Once per source. Ends when `signal` aborts; the connection stays to take confirmations until {@link close}. */
  async *batches(signal: AbortSignal): AsyncGenerator<RecordBatch<PostgresCheckpoint>, void, void> {
    if (this.#running !== undefined) throw new PipelineError('PG_STREAM_ABANDONED');
    this.#reading = true;
    this.#running = this.#run();
    const onAbort = () => {
      this.#ending.abort(signal.reason);
      this.#wake();
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted && this.#closing === undefined) {
        const batch = this.#cutter.take();
        if (batch !== undefined) {
          failpoint?.('source.handed-on');
          yield batch;
        } else if (this.#failure !== undefined) throw this.#failure;
        else await this.#next();
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#reading = false;
      this.#ending.abort();
    }
  }

  // oxlint-disable-next-line typescript/require-await -- the contract leaves room for sources that write
  async confirm(_lane: number, checkpoint: PostgresCheckpoint): Promise<void> {
    this.#acknowledger.confirm(checkpoint.endLsn);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ending.abort();
    this.#reading = false;
    this.#wake();
    await this.#acknowledger.settle();
    const session = this.#session;
    session?.finish();
    const timer = setTimeout(() => session?.abort(new PipelineError('PG_UNREACHABLE')), FINISH_MS);
    await this.#running;
    clearTimeout(timer);
    await this.#settle();
    clearImmediate(this.#proceeding);
    this.#cutter.discard();
    this.#role('stopped');
  }

  /** Without it the next start knows less exactly where the slot should stand, and nothing else. */
  async #settle(): Promise<void> {
    const { history } = this.#options;
    if (this.#failure !== undefined || this.#system === undefined) return;
    try {
      await history.settle?.(this.#acknowledger.confirmed);
    } catch (cause) {
      this.#observer.onCheckpointFailure?.(classifyPostgres(cause));
    }
  }

  /** Connects until the end or until something that time cannot heal. Never rejects. */
  async #run(): Promise<void> {
    try {
      await withRetry((healthy) => this.#lead(healthy), {
        initialMs: this.#options.retry?.initialMs ?? RETRY_INITIAL_MS,
        maxMs: this.#options.retry?.maxMs ?? RETRY_MAX_MS,
        classify: classifyStream,
        onRetry: (error, waitMs) => {
          this.#facts.reconnects++;
          this.#role('connecting');
          this.#observer.onReconnect?.(error, waitMs);
        },
        clock: this.#clock,
        signal: this.#ending.signal,
        ...(this.#options.random === undefined ? {} : { random: this.#options.random }),
      });
    } catch (cause) {
      if (!this.#ending.signal.aborted) this.#failure ??= classifyStream(cause);
      this.#wake();
    }
  }

  /** One connection; before it, waits as long as another process uses the slot. */
  async #lead(healthy: () => void): Promise<void> {
    for (;;) {
      try {
        await this.#stream(healthy);
        return;
      } catch (cause) {
        const error = classifyStream(cause);
        if (error.code !== 'PG_SLOT_ACTIVE' || this.#ending.signal.aborted) throw error;
        healthy();
        this.#role('standby');
        const { random = Math.random } = this.#options;
        await this.#clock.sleep(STANDBY_MS * (1 + random()), this.#ending.signal);
      }
    }
  }

  async #stream(healthy: () => void): Promise<void> {
    const { connection, slot, instance, decodingWorkMem = '256MB' } = this.#options;
    const base = typeof connection === 'function' ? await connection() : connection;
    this.#ending.signal.throwIfAborted();
    const applicationName = `pgstream ${slot} ${instance}`;
    const session = this.#newSession(sessionConfig(base, { applicationName, decodingWorkMem }));
    this.#session = session;
    const startMs = this.#clock.now();
    try {
      await session.run();
    } finally {
      // One that is accepted and cut at once, again and again, must not be tried ever faster
      if (this.#clock.now() - startMs > HEALTHY_MS) healthy();
      this.#session = undefined;
      this.#cutter.discard();
    }
    // Only a finished session ends without an error
    if (this.#failure !== undefined) throw this.#failure;
  }

  #newSession(client: ClientConfig): StreamSession {
    const {
      slot,
      publications,
      history,
      filter = ALL_TABLES,
      lazyReadMs = 1,
      statusIntervalMs = 1000,
    } = this.#options;
    return new StreamSession({
      client,
      slot,
      publications,
      history,
      filter,
      lazyReadMs,
      statusIntervalMs,
      encoder: this.#encoder,
      cutter: this.#cutter,
      acknowledger: this.#acknowledger,
      facts: this.#facts,
      observer: this.#observer,
      recorder: this.#options.recorder,
      mustSee: this.#options.mustSee,
      beforeStart: (found) => this.#beforeStart(found),
      onStarted: () => this.#role('leader'),
      onRead: () => this.#wake(),
      wanted: () => this.#reading,
    });
  }

  async #beforeStart(found: StartFacts): Promise<void> {
    const before = this.#system;
    // Positions in our hands belong to the cluster they came from, whatever the recorded state says
    if (before !== undefined && before.id !== found.systemId) throw new PipelineError('PG_OTHER_CLUSTER');
    if (before !== undefined && before.timeline !== found.timeline) throw new PipelineError('PG_FAILED_OVER');
    await this.#options.beforeStart?.(found);
    this.#system = { id: found.systemId, timeline: found.timeline };
  }

  /**
   * Tells the source what the server said to somebody. One that shuts down lets nobody in, and waits until all of it is
   * confirmed. That may take a write to it, or a sink that is away: holding on to the stream would keep it up for ever.
   */
  refused(cause: unknown): void {
    const error = classifyPostgres(cause);
    if (sqlStateOf(error) === SHUTTING_DOWN) this.#session?.abort(error);
  }

  #checkpointFailed(cause: unknown): void {
    const error = classifyPostgres(cause);
    if (error.code === 'PG_SLOT_ACTIVE') return this.#session?.abort(error);
    if (error.disposition === 'retry') {
      this.#observer.onCheckpointFailure?.(error);
      return this.refused(error);
    }
    this.#failure ??= error;
    this.#session?.abort(error);
    this.#wake();
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** A batch came back. Later, in one go: whoever gives it back is in the middle of something. */
  #proceed(): void {
    this.#proceeding ??= setImmediate(() => {
      this.#proceeding = undefined;
      this.#session?.proceed();
    });
  }

  #role(role: SourceRole): void {
    if (this.#facts.role === role) return;
    this.#facts.role = role;
    this.#observer.onRole?.(role);
  }
}

const NOWHERE = parseLsn('0/0');
