import { once } from 'node:events';
import {
  Agent,
  createServer,
  request,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface SearchRequest {
  readonly method: string;
  readonly path: string;
  readonly isBulk: boolean;
  /** Of the body. */
  readonly bytes: number;
}

/** What happens to a request. Default: it is passed on. */
export type SearchFault =
  | { readonly kind: 'pass' }
  /** Answered here, and not passed on. */
  | { readonly kind: 'status'; readonly status: number }
  /** Reset before the store has seen it. */
  | { readonly kind: 'reset' }
  /** Carried out by the store, and reset in place of its answer. */
  | { readonly kind: 'lost-answer' }
  /** Of a bulk: each item whose action line `refuse` picks is answered with `status` and not passed on. */
  | { readonly kind: 'partial'; readonly status: number; readonly refuse: (action: string) => boolean };

const PASS: SearchFault = { kind: 'pass' };

/** A real search store behind one that misbehaves on request. */
export class SearchFaultProxy {
  /** Requests that met a fault. */
  met = 0;
  /** Decides about each request. */
  rule: (request: SearchRequest) => SearchFault = () => PASS;
  readonly #target: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #server: Server;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer((from, to) => {
      this.#handle(from, to).catch(() => to.destroy());
    });
    // a client may keep a connection for as long as it likes
    this.#server.keepAliveTimeout = 0;
  }

  static async start(target: string): Promise<SearchFaultProxy> {
    const proxy = new SearchFaultProxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** `host:port` */
  get address(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on a port
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  heal(): void {
    this.rule = () => PASS;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    this.#agent.destroy();
  }

  async #handle(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const body = await buffer(from);
    const { method = 'GET', url: path = '/' } = from;
    const fault = this.rule({ method, path, isBulk: path.startsWith('/_bulk'), bytes: body.length });
    if (fault.kind !== 'pass') this.met += 1;
    switch (fault.kind) {
      case 'pass':
        return send(to, await this.#ask(from, body));
      case 'status':
        return send(to, refusal(fault.status));
      case 'reset':
        from.socket.resetAndDestroy();
        return;
      case 'lost-answer':
        await this.#ask(from, body);
        from.socket.resetAndDestroy();
        return;
      case 'partial':
        return send(to, await this.#partial(from, body, fault));
    }
  }

  async #ask(from: IncomingMessage, body: Buffer): Promise<Answer> {
    const headers = { ...from.headers, host: new URL(this.#target).host, 'content-length': body.length };
    const { method, url = '/' } = from;
    const out = request(new URL(url, this.#target), { method, headers, agent: this.#agent });
    out.end(body);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the event carries
    const [response] = (await once(out, 'response')) as [IncomingMessage];
    const type = response.headers['content-type'];
    return { status: response.statusCode ?? 500, type, body: await buffer(response) };
  }

  async #partial(
    from: IncomingMessage,
    body: Buffer,
    { status, refuse }: Extract<SearchFault, { kind: 'partial' }>,
  ): Promise<Answer> {
    const items = bulkItems(body.toString());
    const refused = items.map(({ lines }) => refuse(lines.slice(0, lines.indexOf('\n'))));
    const passed = items.filter((_, i) => refused[i] !== true);
    const text = passed.map(({ lines }) => lines).join('');
    const answer = passed.length === 0 ? null : await this.#ask(from, Buffer.from(text));
    if (answer !== null && answer.status >= 300) return answer;
    const answered = answer === null ? [] : itemsOf(answer.body.toString());
    const merged = items.map(({ action }, i) =>
      refused[i] === true ? JSON.stringify({ [action]: itemRefusal(status) }) : (answered.shift() ?? '{}'),
    );
    const json = `{"took":1,"errors":${refused.includes(true) || anyError(merged)},"items":[${merged.join(',')}]}`;
    return { status: 200, type: 'application/json', body: Buffer.from(json) };
  }
}

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: Buffer;
}

function send(to: ServerResponse, { status, type = 'application/json', body }: Answer): void {
  to.writeHead(status, { 'content-type': type, 'content-length': body.length }).end(body);
}

function refusal(status: number): Answer {
  const body = JSON.stringify({
    error: { type: 'refused_by_test', reason: `answered with ${status}` },
    status,
  });
  return { status, type: 'application/json', body: Buffer.from(body) };
}

function itemRefusal(status: number): object {
  const type = status === 429 ? 'rejected_execution_exception' : 'mapper_parsing_exception';
  return { status, error: { type, reason: 'refused by a test' } };
}

/** Each item with its lines: the action, and the document unless it is a delete. */
function bulkItems(body: string): Array<{ readonly action: string; readonly lines: string }> {
  const lines = body.split('\n').filter((line) => line !== '');
  const items: Array<{ action: string; lines: string }> = [];
  for (let i = 0; i < lines.length; i++) {
    const head = lines[i] ?? '{}';
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the action line of a bulk
    const [action = ''] = Object.keys(JSON.parse(head) as object);
    const document = action === 'delete' ? '' : `${lines[++i] ?? ''}\n`;
    items.push({ action, lines: `${head}\n${document}` });
  }
  return items;
}

/** Items of an answer, each as JSON. */
function itemsOf(answer: string): string[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the answer to a bulk
  const { items = [] } = JSON.parse(answer) as { items?: unknown[] };
  return items.map((item) => JSON.stringify(item));
}

function anyError(items: readonly string[]): boolean {
  return items.some((item) => item.includes('"error"'));
}
