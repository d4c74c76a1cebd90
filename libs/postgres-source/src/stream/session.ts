import type { Buffer } from 'node:buffer';
import { failpoint, PipelineError } from '@pgstream/failure';
import type { Lsn } from '@pgstream/wal-event';
import type { ClientConfig } from 'pg';
import { PgoutputDecoder } from '../pgoutput/decoder.ts';
import { malformed } from '../pgoutput/malformed.ts';
import { Assembler, type AssemblerParts } from './assembler.ts';
import { livenessFor, verdict, type Liveness } from './liveness.ts';
import { findStart, type StartFacts } from './prepare.ts';
import { ReadPacing } from './read-pacing.ts';
import { ReplicationConnection, type Query, type ReplicationHandler } from './replication-connection.ts';
import { startSql } from './start-sql.ts';

export interface SessionOptions extends AssemblerParts {
  readonly client: ClientConfig;
  readonly slot: string;
  readonly publications: readonly string[];
  readonly lazyReadMs: number;
  readonly statusIntervalMs: number;
  /** Compares what was found with what is known; throws to refuse the START. */
  readonly beforeStart: (facts: StartFacts) => Promise<void>;
  readonly onStarted: () => void;
  /** Something may be ready to be taken. */
  readonly onRead: () => void;
  /** False while nobody wants batches any more. */
  readonly wanted: () => boolean;
}

const XLOG_DATA = 0x77; // w
const KEEPALIVE = 0x6b; // k
/** Offset of the send time in XLogData: behind kind, start and end of WAL. */
const SEND_TIME = 17;
/** Confirmations of many small batches share a status message. */
const STATUS_SPACING_MS = 50;

/** One connection from START to its end: frames in, records into the cutter, status messages out. */
export class StreamSession implements ReplicationHandler {
  readonly #options: SessionOptions;
  readonly #assembler: Assembler;
  readonly #decoder: PgoutputDecoder;
  readonly #pacing: ReadPacing;
  readonly #connection: ReplicationConnection;
  #liveness: Liveness;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #lastReadMs = performance.now();
  #lastStatusMs = 0;
  #streaming = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#assembler = new Assembler(options);
    this.#decoder = new PgoutputDecoder(this.#assembler);
    this.#liveness = livenessFor(0, options.statusIntervalMs);
    const { client, recorder } = options;
    this.#pacing = new ReadPacing(options.lazyReadMs);
    this.#connection = new ReplicationConnection({ client, recorder, handler: this });
  }

  /** @throws {PipelineError} see {@link ReplicationConnection.run} */
  async run(): Promise<void> {
    try {
      await this.#connection.run();
    } finally {
      this.#streaming = false;
      clearInterval(this.#timer);
      clearTimeout(this.#soon);
    }
  }

  /** Memory was given back. */
  proceed(): void {
    if (!this.#connection.held) return;
    this.#lastReadMs = performance.now();
    this.#connection.proceed();
  }

  /** The confirmed LSN grew: the server hears of it soon. */
  advanced(): void {
    if (!this.#streaming || this.#soon !== undefined) return;
    const waitMs = Math.max(0, this.#lastStatusMs + STATUS_SPACING_MS - performance.now());
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.#status(false);
    }, waitMs);
  }

  /** Says once more what is confirmed and ends the stream in good order. */
  finish(): void {
    if (this.#streaming) this.#status(false);
    this.#connection.finish();
  }

  abort(cause: unknown): void {
    this.#connection.abort(cause);
  }

  async prepare(query: Query): Promise<string> {
    const { slot, publications, acknowledger, beforeStart, facts, history, recorder } = this.#options;
    const found = await findStart(query, slot, publications);
    await beforeStart(found);
    if (acknowledger.durable > found.serverLsn) {
      throw new PipelineError('PG_POSITION_AHEAD', { facts: { slot } });
    }
    const from = acknowledger.found(found.slot.confirmedFlushLsn);
    facts.confirmedLsn = acknowledger.confirmed;
    facts.serverLsn = found.serverLsn;
    this.#liveness = livenessFor(found.walSenderTimeoutMs, this.#options.statusIntervalMs);
    await history.load(from);
    recorder?.begin(found, from);
    this.#assembler.expect(from);
    failpoint?.('source.start');
    return startSql(slot, publications, from);
  }

  started(): void {
    this.#streaming = true;
    this.#lastReadMs = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#liveness.statusIntervalMs);
    this.#status(false);
    this.#options.acknowledger.retry();
    this.#options.onStarted();
  }

  ready(): boolean {
    return this.#options.wanted() && this.#options.cutter.hasRoom();
  }

  frame(bytes: Buffer, from: number, to: number): void {
    const kind = to > from ? bytes[from] : 0;
    if (kind === XLOG_DATA) {
      if (this.#pacing.wantsClock) this.#pacing.sentAt(sendTimeUs(bytes, from, to));
      this.#decoder.decode(bytes, from, to);
    } else if (kind === KEEPALIVE) this.#keepalive(bytes.subarray(from, to));
    else throw malformed('an unknown kind of frame', bytes.subarray(from, to), 0);
  }

  readDone(bytes: number): void {
    this.#options.facts.bytes += bytes;
    this.#lastReadMs = performance.now();
    failpoint?.('source.decoded');
    this.#options.onRead();
  }

  rest(bytes: number): number {
    return this.#pacing.rest(bytes, this.#options.facts.lastCommitTimeMs);
  }

  #keepalive(payload: Buffer): void {
    if (payload.length < 18) throw malformed('a keepalive cut short', payload, payload.length);
    const { acknowledger, facts } = this.#options;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the end of WAL in the keepalive
    const walEnd = payload.readBigUInt64BE(1) as Lsn;
    facts.serverLsn = walEnd;
    if (!this.#assembler.inTransaction) {
      facts.receivedLsn = walEnd;
      acknowledger.idle(walEnd);
    }
    if (payload[17] === 1) this.#status(false);
  }

  #tick(): void {
    const { acknowledger } = this.#options;
    acknowledger.retry();
    // While we do not read, silence says nothing
    if (this.#connection.held) this.#lastReadMs = performance.now();
    const decision = verdict(this.#liveness, performance.now() - this.#lastReadMs);
    if (decision === 'dead') {
      this.abort(new PipelineError('PG_UNREACHABLE', { detail: 'The server is silent.' }));
      return;
    }
    this.#status(decision === 'ping');
  }

  #status(replyRequested: boolean): void {
    this.#lastStatusMs = performance.now();
    failpoint?.('source.status-before');
    this.#connection.status(this.#options.acknowledger.confirmed, replyRequested);
    failpoint?.('source.status-after');
  }
}

/** Microseconds since 2000 by the server's clock; 0 in a frame cut short, which the decoder refuses. */
function sendTimeUs(bytes: Buffer, from: number, to: number): number {
  const at = from + SEND_TIME;
  return at + 8 > to ? 0 : bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
