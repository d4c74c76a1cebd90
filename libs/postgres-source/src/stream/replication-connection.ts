import type { Buffer } from 'node:buffer';
import type { Duplex } from 'node:stream';
import { PipelineError } from '@pgstream/failure';
import type { Client, ClientConfig } from 'pg';
import { LogicalReplicationService } from 'pg-logical-replication';
import type { FlightRecorder } from '../recorder/flight-recorder.ts';
import { CopySplitter } from './copy-splitter.ts';
import { classifyStream } from './postgres-rules.ts';
import { ReusingSocket } from './reusing-socket.ts';
import { COPY_DONE, statusMessage } from './status-message.ts';

/** SQL on the replication connection, before START. Values as text. */
export type Query = (sql: string) => Promise<readonly Readonly<Record<string, string | null>>[]>;

export interface ReplicationHandler {
  /** Everything before START; returns the START_REPLICATION statement. */
  prepare(query: Query): Promise<string>;
  /** The server accepted START. */
  started(): void;
  /** One XLogData or keepalive message, `bytes[from, to)`, in order, valid during the call. */
  frame(bytes: Buffer, from: number, to: number): void;
  /** Asked before each frame: false stops reading until {@link ReplicationConnection.proceed}. */
  ready(): boolean;
  /** Everything that a read of the socket brought was handled, or reading stopped for want of room. */
  readDone(bytes: number): void;
  /** How many milliseconds the socket rests after a read of `bytes`, so that the kernel gathers more; 0 reads on. */
  rest(bytes: number): number;
}

export interface ReplicationConnectionOptions {
  readonly client: ClientConfig;
  readonly handler: ReplicationHandler;
  readonly recorder: FlightRecorder | undefined;
}

/**
 * One replication connection, once: {@link run} until it ends, then make a new one.
 *
 * The only file that knows `pg-logical-replication`. The library makes the connection, reports its errors and ends it. Its
 * acknowledgements, timers and queue confirm what nobody has processed, so nothing of the stream reaches them: from START on
 * the socket is read here, CopyData goes to the handler where it lies in the read buffer, everything else to the library's
 * own parser. Status messages are written here, with exact LSNs.
 */
export class ReplicationConnection {
  readonly #options: ReplicationConnectionOptions;
  readonly #service: LogicalReplicationService;
  readonly #splitter: CopySplitter;
  readonly #reusing = new ReusingSocket();
  #stream: Duplex | undefined;
  #toLibrary: (chunk: Buffer) => void = () => {};
  #resting: NodeJS.Timeout | undefined;
  /** Reading stopped for want of room. */
  #held = false;
  #draining = false;
  #failure: unknown;

  constructor(options: ReplicationConnectionOptions) {
    this.#options = options;
    const client: ClientConfig = { ...options.client, stream: () => this.#reusing.socket };
    this.#service = new LogicalReplicationService(client, {
      acknowledge: { auto: false, timeoutSeconds: 0 },
      flowControl: { enabled: false },
    });
    const { handler } = options;
    this.#splitter = new CopySplitter({
      copyData: (bytes, from, to) => {
        if (!this.#draining) handler.frame(bytes, from, to);
      },
      other: (message) => this.#toLibrary(message),
      ready: () => this.#draining || handler.ready(),
    });
  }

  get held(): boolean {
    return this.#held;
  }

  /**
   * Resolves after {@link finish}, or when the server ended the stream in good order.
   * @throws {PipelineError} by SQLSTATE or errno; what the handler threw, as it was.
   */
  async run(): Promise<void> {
    const { handler } = this.#options;
    this.#service.on('error', (cause: unknown) => this.abort(cause));
    this.#service.on('start', () => handler.started());
    try {
      await this.#service.subscribe(
        {
          options: {},
          name: 'frames',
          parse: () => undefined,
          start: (client: Client) => this.#start(client),
        },
        '',
      );
      // The library hides an end that it did not ask for
      if (!this.#draining) throw new PipelineError('PG_UNREACHABLE');
    } catch (cause) {
      if (!this.#draining) throw classifyStream(this.#failure ?? cause);
    } finally {
      await this.#release();
    }
  }

  /** Goes on reading after `ready` was false and now is true. */
  proceed(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#guard(() => this.#splitter.run(), 0);
    if (!this.#held && this.#resting === undefined) this.#stream?.resume();
  }

  /** Tells the server that everything below `lsn` is durable. */
  status(lsn: bigint, replyRequested: boolean): void {
    if (this.#stream?.writable === true) {
      this.#stream.write(statusMessage(lsn, Date.now(), replyRequested));
    }
  }

  /** Ends the stream in good order: what the server still sends is dropped. {@link run} resolves. */
  finish(): void {
    if (this.#draining) return;
    this.#draining = true;
    if (this.#stream === undefined) {
      this.#reusing.socket.destroy();
      return;
    }
    this.#stream.write(COPY_DONE);
    this.proceed();
    this.#stream.resume();
  }

  /** Ends it at once; {@link run} rejects with `cause`, or resolves after {@link finish}. */
  abort(cause: unknown): void {
    this.#failure ??= cause;
    (this.#stream ?? this.#reusing.socket).destroy();
  }

  async #start(client: Client): Promise<void> {
    const query: Query = async (sql) => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the walsender sends text, and no parsers apply to text
      const { rows } = (await client.query({ text: sql, types: TEXT })) as {
        rows: Record<string, string | null>[];
      };
      return rows;
    };
    const sql = await this.#options.handler.prepare(query);
    this.#takeOver(client.connection.stream);
    await client.query(sql);
  }

  /** Between two commands the library's parser holds no bytes, so reading can change hands. */
  #takeOver(stream: Duplex): void {
    const [parser] = stream.listeners('data');
    if (parser === undefined)
      throw new PipelineError('PG_PROTOCOL', { detail: 'The connection is not read.' });
    stream.removeAllListeners('data');
    this.#toLibrary = (chunk) => void parser.call(stream, chunk);
    this.#stream = stream;
    this.#reusing.sharing = true;
    stream.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  #read(chunk: Buffer): void {
    this.#options.recorder?.read(chunk);
    this.#guard(() => this.#splitter.feed(chunk), chunk.length);
    const restMs = this.#options.handler.rest(chunk.length);
    if (this.#held || this.#draining || restMs === 0) return;
    this.#stream?.pause();
    this.#resting ??= setTimeout(() => {
      this.#resting = undefined;
      if (!this.#held) this.#stream?.resume();
    }, restMs);
  }

  #guard(work: () => boolean, bytes: number): void {
    try {
      this.#held = !work();
      if (this.#held) this.#stream?.pause();
      this.#options.handler.readDone(bytes);
    } catch (cause) {
      this.abort(this.#recorded(classifyStream(cause)));
    }
  }

  /** What cannot be decoded is kept, whatever becomes of the connection. */
  #recorded(error: PipelineError): PipelineError {
    const { recorder } = this.#options;
    return recorder === undefined || error.disposition === 'retry' ? error : recorder.dump(error);
  }

  async #release(): Promise<void> {
    clearTimeout(this.#resting);
    this.#reusing.socket.destroy();
    // Its end waits for the closed socket; errors of a connection that is given up say nothing new
    await this.#service.destroy().catch(() => undefined);
  }
}

const TEXT = { getTypeParser: () => String };
