import { Buffer } from 'node:buffer';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { failpoint, PipelineError } from '@pgstream/failure';
import { WireReader, WireWriter } from '../protocol/wire.ts';
import { FrameSplitter } from './frame-splitter.ts';
import { socketFailure } from './kafka-errors.ts';
import type { KafkaConnectionOptions } from './kafka-connection.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ApiRequest {
  readonly key: number;
  readonly version: number;
  /** Request header 2 and response header 1, with tagged fields. */
  readonly flexible?: boolean;
  readonly body: Buffer;
  /** Sent after the body without being copied. */
  readonly tail?: readonly Buffer[];
  /** Instead of the connection's request timeout. */
  readonly timeoutMs?: number;
}

interface Waiting {
  readonly correlationId: number;
  readonly flexible: boolean;
  readonly timer: NodeJS.Timeout;
  resolve(body: WireReader): void;
  reject(error: PipelineError): void;
}

/** The key of a Produce request. */
const PRODUCE = 0;

/** Its size and a correlation id. */
const SHORTEST_ANSWER_BYTES = 8;

/**
 * One connection to one broker. Requests may overlap; Kafka answers them in order. The first fault of any kind closes
 * it and fails everything that waits: the caller reconnects and sends again.
 */
export class BrokerConnection {
  readonly address: string;
  readonly #socket: Socket;
  readonly #options: KafkaConnectionOptions;
  readonly #waiting: Waiting[] = [];
  #nextCorrelationId = 1;
  readonly #frames = new FrameSplitter();
  #failure: PipelineError | undefined;

  private constructor(socket: Socket, address: string, options: KafkaConnectionOptions) {
    this.#socket = socket;
    this.address = address;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (cause) => this.#fail(socketFailure(cause, address)));
    socket.on('close', () => this.#fail(unreachable(address, 'closed the connection')));
  }

  /** Connects; without SASL, which {@link authenticate} does. @throws {PipelineError} within `connectionTimeoutMs`. */
  static async open(address: BrokerAddress, options: KafkaConnectionOptions): Promise<BrokerConnection> {
    const { host, port } = address;
    const { tls } = options;
    const name = `${host}:${port}`;
    const socket =
      tls === undefined
        ? connectTcp({ host, port })
        : connectTls({ host, port, ...tls, ...(isIP(host) === 0 ? { servername: host } : {}) });
    await connected(socket, { event: tls === undefined ? 'connect' : 'secureConnect', name, options });
    return new BrokerConnection(socket, name, options);
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** The body of the answer, its header already read. @throws {PipelineError} when the connection ends first. */
  async request(request: ApiRequest): Promise<WireReader> {
    if (this.#failure !== undefined) throw this.#failure;
    const correlationId = this.#nextCorrelationId;
    this.#nextCorrelationId = (correlationId + 1) & 0x7fffffff;
    const answer = new Promise<WireReader>((resolve, reject) => {
      const timer = setTimeout(
        () => this.#fail(unreachable(this.address, 'did not answer in time')),
        request.timeoutMs ?? this.#options.requestTimeoutMs,
      );
      this.#waiting.push({ correlationId, flexible: request.flexible === true, timer, resolve, reject });
    });
    this.#send(request, correlationId);
    return await answer;
  }

  close(): void {
    this.#fail(unreachable(this.address, 'was disconnected by us'));
  }

  #send(request: ApiRequest, correlationId: number): void {
    const header = new WireWriter()
      .int16(request.key)
      .int16(request.version)
      .int32(correlationId)
      .string(this.#options.clientId);
    if (request.flexible === true) header.uvarint(0);
    const head = header.finish();
    const tail = request.tail ?? [];
    const size = tail.reduce((sum, part) => sum + part.length, head.length + request.body.length);
    const prefix = Buffer.allocUnsafe(4);
    prefix.writeInt32BE(size);
    this.#socket.cork();
    for (const part of [prefix, head, request.body, ...tail]) this.#socket.write(part);
    this.#socket.uncork();
    if (request.key === PRODUCE) failpoint?.('kafka.produce-sent');
  }

  #receive(chunk: Buffer): void {
    const size = this.#frames.push(chunk, (frame) => {
      if (frame.length < SHORTEST_ANSWER_BYTES) this.#refuse(frame.length - 4);
      else this.#answer(frame.subarray(4));
      return this.#failure === undefined;
    });
    if (size !== undefined) this.#refuse(size);
  }

  #refuse(size: number): void {
    this.#fail(violated(this.address, `an answer of ${size} bytes`));
  }

  #answer(message: Buffer): void {
    const reader = new WireReader(message);
    const correlationId = reader.int32();
    const waiting = this.#waiting.shift();
    if (waiting === undefined || waiting.correlationId !== correlationId) {
      if (waiting !== undefined) this.#waiting.unshift(waiting);
      this.#fail(violated(this.address, `an answer to request ${correlationId}, which was not next`));
      return;
    }
    clearTimeout(waiting.timer);
    try {
      if (waiting.flexible) reader.skipTags();
      waiting.resolve(reader);
    } catch (cause) {
      waiting.reject(violated(this.address, 'a header that ends early', cause));
    }
  }

  #fail(error: PipelineError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#socket.destroy();
    for (const waiting of this.#waiting.splice(0)) {
      clearTimeout(waiting.timer);
      waiting.reject(error);
    }
  }
}

interface Opening {
  readonly event: 'connect' | 'secureConnect';
  readonly name: string;
  readonly options: KafkaConnectionOptions;
}

async function connected(socket: Socket, { event, name, options }: Opening): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: unknown) => {
      clearTimeout(timer);
      socket.destroy();
      reject(socketFailure(cause, name));
    };
    const timer = setTimeout(
      () => fail(unreachable(name, `did not accept within ${options.connectionTimeoutMs} ms`)),
      options.connectionTimeoutMs,
    );
    socket.once('error', fail);
    socket.once(event, () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve();
    });
  });
}

function unreachable(address: string, what: string): PipelineError {
  return new PipelineError('KAFKA_UNREACHABLE', { detail: `Broker ${address} ${what}.` });
}

export function violated(address: string, what: string, cause?: unknown): PipelineError {
  return new PipelineError('KAFKA_PROTOCOL_VIOLATED', { cause, detail: `Broker ${address} sent ${what}.` });
}
