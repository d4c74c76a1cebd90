import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { waitFor } from '@pgstream/test-kit';
import type { Running } from './product.ts';

export interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Any HTTP server that notes what it takes. */
export class Hook {
  /** Answered with 2xx, in the order of arrival. */
  readonly got: Delivery[] = [];
  readonly #server: Server;
  #status: (delivery: Delivery) => number | Promise<number> = () => 200;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { url = '', headers } = request;
        void this.#answer({ path: url, headers, body: Buffer.concat(chunks).toString() }, response);
      });
    });
  }

  static async listen(port = 0): Promise<Hook> {
    const hook = new Hook();
    await new Promise<void>((resolve) => hook.#server.listen(port, '127.0.0.1', resolve));
    return hook;
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (this.#server.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** @param status 0: none at all, the connection stays. */
  answers(status: (delivery: Delivery) => number | Promise<number>): void {
    this.#status = status;
  }

  at(path: string): Delivery[] {
    return this.got.filter((one) => one.path === path);
  }

  /** `data` of each body at `path`, as the original words it. */
  dataAt(path: string): readonly LegacyData[] {
    return this.at(path).map(({ body }): LegacyData => JSON.parse(body).Data);
  }

  async #answer(delivery: Delivery, response: ServerResponse): Promise<void> {
    const status = await this.#status(delivery);
    if (status === 0) return;
    if (status < 300) this.got.push(delivery);
    response.writeHead(status).end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** What a test reads of `Data`. */
export interface LegacyData {
  readonly action: string;
  readonly schema: string;
  readonly table: string;
  readonly content?: string;
  readonly columns: readonly { readonly name: string; readonly value: unknown }[] | null;
}

/** Where the process says that its API listens. */
export async function apiOf(running: Running): Promise<string> {
  await running.says('webhook API listens');
  return await waitFor(
    'the line that names the API',
    () => /"url":"([^"]+)"[^\n]*webhook API listens/.exec(running.stdout + running.stderr)?.[1],
  );
}

export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: answer.status, text: await answer.text() };
}
