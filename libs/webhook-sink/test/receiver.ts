import { Buffer } from 'node:buffer';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@pgstream/test-kit';

export interface Received {
  readonly path: string;
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** What it was answered; 0 while it was not. */
  readonly status: number;
  readonly atMs: number;
}

/** Answers a request: a status, or by itself. */
export type Answer = (request: Omit<Received, 'status'>, response: ServerResponse) => number | undefined;

/** An HTTP server as anybody may run one: it notes what comes and answers as the test tells it to. */
export class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;
  #answer: Answer;

  private constructor(answer: Answer) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url = '', headers } = request;
        const id = String(headers['webhook-id']);
        const noted = { path: url, id, headers, body: Buffer.concat(chunks), atMs: Date.now() };
        const status = this.#answer(noted, response);
        this.received.push({ ...noted, status: status ?? 0 });
        if (status !== undefined) response.writeHead(status).end();
      });
    });
  }

  static async start(answer: Answer = () => 200, port = 0): Promise<Receiver> {
    const receiver = new Receiver(answer);
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  answers(answer: Answer): void {
    this.#answer = answer;
  }

  /** Answered with 2xx, in the order of arrival. */
  get accepted(): readonly Received[] {
    return this.received.filter(({ status }) => status >= 200 && status < 300);
  }

  async accepts(count: number, timeoutMs = 40_000): Promise<readonly Received[]> {
    return await waitFor(
      `${count} accepted deliveries`,
      () => {
        const { accepted } = this;
        if (accepted.length >= count) return accepted;
        throw new Error(`${accepted.length} of ${this.received.length} requests were accepted`);
      },
      timeoutMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
