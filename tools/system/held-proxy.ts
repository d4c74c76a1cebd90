import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

/** Between a worker and the search store: passes everything on, or keeps what comes without anybody noticing. */
export class HeldProxy {
  readonly #server: Server;
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  #held = false;
  #bulks = 0;

  private constructor(target: URL) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  static async start(target: string): Promise<HeldProxy> {
    const proxy = new HeldProxy(new URL(target));
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of a server that listens on a port
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** Bulks that arrived while they were held. */
  get heldBulks(): number {
    return this.#bulks;
  }

  hold(): void {
    this.#held = true;
    this.#bulks = 0;
  }

  /** What was held is lost with its connections; new ones are passed on. */
  loseAndPass(): void {
    this.#held = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket): void {
    const store = connect(Number(this.#target.port), this.#target.hostname);
    for (const [from, to] of [
      [client, store],
      [store, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (!this.#held) store.write(bytes);
      else if (bytes.includes('POST /_bulk')) this.#bulks += 1;
    });
    store.on('data', (bytes) => client.write(bytes));
  }
}
