import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { PipeEnd, type Flow } from './pipe-end.ts';

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down';

/** Sees what passes on one connection; answering `reset` ends it before the bytes are passed on. */
export interface Inspector {
  up?(bytes: Buffer): 'pass' | 'reset';
  down?(bytes: Buffer): 'pass' | 'reset';
}

export interface TcpFaultProxyOptions {
  /** `host:port` of the server. */
  readonly target: string;
  /** Taken if given; without it any free port. */
  readonly port?: number;
  /** Changes bytes on their way to the client, keeping their number. */
  readonly rewriteDown?: (bytes: Buffer) => Buffer;
  readonly inspect?: () => Inspector;
}

/**
 * A network between a client and a server that fails on command. Without a command it passes everything on. Faults hold
 * for connections there are and for those to come, until `heal`.
 */
export class TcpFaultProxy {
  /** Connections that were ended by a fault. */
  ended = 0;
  readonly #options: TcpFaultProxyOptions;
  #target: string;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #flows: Record<Direction, Flow> = { up: { kind: 'pass' }, down: { kind: 'pass' } };
  #refuses = false;

  private constructor(options: TcpFaultProxyOptions) {
    this.#options = options;
    this.#target = options.target;
    this.#server = createServer({ noDelay: true }, (client) => this.#join(client));
  }

  static async start(options: TcpFaultProxyOptions): Promise<TcpFaultProxy> {
    const proxy = new TcpFaultProxy(options);
    await new Promise<void>((resolve) => proxy.#server.listen(options.port ?? 0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on a port
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Bytes wait, in both directions or one; the senders notice when their buffers are full. */
  pause(...directions: readonly Direction[]): void {
    this.#set(directions, { kind: 'wait' });
  }

  /** Bytes vanish; the connections stay. One way or both. */
  blackHole(...directions: readonly Direction[]): void {
    this.#set(directions, { kind: 'drop' });
  }

  /** `bytes` at a time, `everyMs` apart: a trickle, or a bandwidth. */
  shape(bytes: number, everyMs: number, ...directions: readonly Direction[]): void {
    this.#set(directions, { kind: 'shape', bytes, everyMs });
  }

  delay(ms: number, ...directions: readonly Direction[]): void {
    this.#set(directions, { kind: 'delay', ms });
  }

  /** Every connection is reset once so many more bytes have passed in that direction: in the middle of a frame. */
  resetAfter(bytes: number, direction: Direction): void {
    this.#set([direction], { kind: 'reset-after', bytes });
  }

  /** Ends all connections now, by a reset; new ones are taken. */
  cut(): void {
    for (const link of this.#links) this.#end(link);
  }

  /** Ends all connections, and new ones at once. */
  refuse(): void {
    this.#refuses = true;
    this.cut();
  }

  /** New connections go to another server, `host:port`, and those there are end: as a name that is given a new address. */
  retarget(target: string): void {
    this.#target = target;
    this.cut();
  }

  /** All faults end. Connections that lost bytes end too: what comes next would make no sense to the peer. */
  heal(): void {
    this.#refuses = false;
    const lost = new Set([...this.#links].filter(({ up, down }) => up.lostBytes || down.lostBytes));
    this.#set([], { kind: 'pass' });
    for (const link of lost) this.#end(link);
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #set(directions: readonly Direction[], flow: Flow): void {
    for (const direction of directions.length === 0 ? (['up', 'down'] as const) : directions) {
      this.#flows[direction] = flow;
      for (const link of this.#links) link[direction].flow(flow);
    }
  }

  #join(client: Socket): void {
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const { rewriteDown = (bytes: Buffer) => bytes } = this.#options;
    const [host = '', port] = this.#target.split(':');
    const server = connect({ host, port: Number(port), noDelay: true });
    const inspector = this.#options.inspect?.() ?? {};
    const link: Link = {
      client,
      server,
      up: new PipeEnd(client, server, this.#flows.up, () => this.#end(link)),
      down: new PipeEnd(server, client, this.#flows.down, () => this.#end(link)),
    };
    this.#links.add(link);
    client.on('data', (bytes: Buffer) => this.#pass(link, inspector, 'up', bytes));
    server.on('data', (bytes: Buffer) => this.#pass(link, inspector, 'down', rewriteDown(bytes)));
    for (const [socket, pipe] of [
      [client, link.up],
      [server, link.down],
    ] as const) {
      socket.on('error', () => this.#drop(link));
      socket.on('end', () => pipe.end());
      socket.on('close', () => pipe.end());
    }
  }

  #pass(link: Link, inspector: Inspector, direction: Direction, bytes: Buffer): void {
    if (inspector[direction]?.(bytes) === 'reset') this.#end(link);
    else link[direction].take(bytes);
  }

  #end(link: Link): void {
    if (this.#links.has(link)) this.ended += 1;
    this.#drop(link);
  }

  #drop(link: Link): void {
    this.#links.delete(link);
    link.client.resetAndDestroy();
    link.server.resetAndDestroy();
    link.up.close();
    link.down.close();
  }
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly up: PipeEnd;
  readonly down: PipeEnd;
}
