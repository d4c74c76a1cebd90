import { EventEmitter, once } from 'node:events';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * What happens to a bulk in place of being forwarded; `hold` waits for `release()` and forwards then, `only` forwards the
 * actions whose first line is such and breaks the connection: a bulk is not atomic.
 */
export type Fault = { status: number; body?: string } | { only: RegExp } | 'reset' | 'lost-answer' | 'hold';

export interface FaultProxy {
  readonly url: string;
  /** Faults for the next bulks, one each; afterwards they are forwarded. */
  readonly script: Fault[];
  /** Bodies of the bulks that arrived. */
  readonly bulks: string[];
  /** Resolves when a bulk is held. */
  held(): Promise<void>;
  release(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The actions of a bulk whose first line is such, each with its source; a line that changes nothing where there are none. */
function someOf(body: string, only: RegExp): string {
  const actions = body.match(/\{"delete".*\n|\{"index".*\n.*\n/g) ?? [];
  const some = actions.filter((action) => only.test(action.slice(0, action.indexOf('\n'))));
  return some.join('') || '{"delete":{"_index":"none","_id":"none"}}\n';
}

/** A real search store behind a server that misbehaves on request. Only bulks are touched. */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const script: Fault[] = [];
  const bulks: string[] = [];
  const events = new EventEmitter();
  let isHeld = false;

  const forward = async (from: IncomingMessage, body: string, to: ServerResponse, answer: boolean) => {
    const { 'content-type': type = 'application/json' } = from.headers;
    const headers = { 'content-type': type, 'content-length': Buffer.byteLength(body) };
    const out = request(new URL(from.url ?? '/', target), { method: from.method, headers });
    out.end(body);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the event carries
    const [response] = (await once(out, 'response')) as [IncomingMessage];
    const content = await text(response);
    if (!answer) to.destroy();
    else
      to.writeHead(response.statusCode ?? 500, {
        'content-type': response.headers['content-type'] ?? '',
      }).end(content);
  };

  const handle = async (from: IncomingMessage, to: ServerResponse) => {
    const body = await text(from);
    const isBulk = from.url?.startsWith('/_bulk') === true;
    if (isBulk) bulks.push(body);
    const fault = isBulk ? script.shift() : undefined;
    if (fault === 'reset') to.destroy();
    else if (fault === 'lost-answer') await forward(from, body, to, false);
    else if (fault === 'hold') {
      const released = once(events, 'release');
      isHeld = true;
      events.emit('held');
      await released;
      isHeld = false;
      await forward(from, body, to, true);
    } else if (fault === undefined) await forward(from, body, to, true);
    else if ('only' in fault) await forward(from, someOf(body, fault.only), to, false);
    else to.writeHead(fault.status, { 'content-type': 'application/json' }).end(fault.body ?? '{}');
  };

  const server = createServer((from, to) => {
    handle(from, to).catch(() => to.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a TCP server's address
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    script,
    bulks,
    held: async () => {
      if (!isHeld) await once(events, 'held');
    },
    release: () => void events.emit('release'),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
