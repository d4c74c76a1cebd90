import { TcpFaultProxy } from '@pgstream/test-kit';

/** Between a worker and the search store: passes everything on, or keeps what comes without anybody noticing. */
export class HeldProxy {
  readonly #proxy: TcpFaultProxy;
  readonly #counter: Counter;

  private constructor(proxy: TcpFaultProxy, counter: Counter) {
    this.#proxy = proxy;
    this.#counter = counter;
  }

  static async start(target: string): Promise<HeldProxy> {
    const counter = { bulks: 0 };
    const inspector = {
      up: (bytes: Buffer) => {
        if (bytes.includes('POST /_bulk')) counter.bulks += 1;
        return 'pass' as const;
      },
    };
    const proxy = await TcpFaultProxy.start({ target: new URL(target).host, inspect: () => inspector });
    return new HeldProxy(proxy, counter);
  }

  get url(): string {
    return `http://${this.#proxy.address}`;
  }

  /** Bulks that arrived while they were held. */
  get heldBulks(): number {
    return this.#counter.bulks;
  }

  hold(): void {
    this.#proxy.blackHole('up');
    this.#counter.bulks = 0;
  }

  /** What was held is lost with its connections; new ones are passed on. */
  loseAndPass(): void {
    this.#proxy.cut();
    this.#proxy.heal();
  }

  async close(): Promise<void> {
    await this.#proxy.close();
  }
}

interface Counter {
  bulks: number;
}
