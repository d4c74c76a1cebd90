import { TcpFaultProxy, type Inspector } from './tcp-fault-proxy.ts';

const PRODUCE = 0;
const HOST = '127.0.0.1';

/**
 * Brokers behind one proxy each. The addresses in their answers are those of the proxies, so that clients stay on
 * them: a host and a port keep their length, so frames keep theirs.
 */
export class KafkaFaultProxies {
  readonly proxies: readonly TcpFaultProxy[];
  readonly #state: CutState;

  private constructor(proxies: readonly TcpFaultProxy[], state: CutState) {
    this.proxies = proxies;
    this.#state = state;
  }

  /** @param brokers `127.0.0.1:port` */
  static async start(brokers: readonly string[]): Promise<KafkaFaultProxies> {
    const state: CutState = { shouldCut: () => false, cuts: 0 };
    const addresses: Array<readonly [from: Buffer, to: Buffer]> = [];
    const proxies: TcpFaultProxy[] = [];
    for (const target of brokers) {
      const proxy = await TcpFaultProxy.start({
        target,
        rewriteDown: (bytes) => readdressed(bytes, addresses),
        inspect: () => cutting(state),
      });
      proxies.push(proxy);
      addresses.push([addressBytes(Number(target.split(':')[1])), addressBytes(proxy.port)]);
    }
    return new KafkaFaultProxies(proxies, state);
  }

  get addresses(): string[] {
    return this.proxies.map(({ address }) => address);
  }

  /** Answers of Produce requests that were cut off. */
  get cutAnswers(): number {
    return this.#state.cuts;
  }

  /** The broker appends, and the connection is cut in place of its answer. */
  cutProduceAnswers(shouldCut: () => boolean): void {
    this.#state.shouldCut = shouldCut;
  }

  /** The same fault on the way to every broker. */
  each(fault: (proxy: TcpFaultProxy) => void): void {
    for (const proxy of this.proxies) fault(proxy);
  }

  heal(): void {
    this.#state.shouldCut = () => false;
    this.each((proxy) => proxy.heal());
  }

  async close(): Promise<void> {
    await Promise.all(this.proxies.map(async (proxy) => proxy.close()));
  }
}

interface CutState {
  shouldCut: () => boolean;
  cuts: number;
}

function cutting(state: CutState): Inspector {
  let requests = Buffer.alloc(0);
  let isCut = false;
  return {
    up(bytes) {
      requests = Buffer.concat([requests, bytes]);
      while (requests.length >= 6 && requests.length >= 4 + requests.readInt32BE(0)) {
        if (requests.readInt16BE(4) === PRODUCE && state.shouldCut()) isCut = true;
        requests = requests.subarray(4 + requests.readInt32BE(0));
      }
      return 'pass';
    },
    down() {
      if (!isCut) return 'pass';
      state.cuts += 1;
      return 'reset';
    },
  };
}

function addressBytes(port: number): Buffer {
  const bytes = Buffer.alloc(HOST.length + 4);
  bytes.write(HOST);
  bytes.writeInt32BE(port, HOST.length);
  return bytes;
}

/** An address that two reads tear apart is not found: answers with addresses are small and come in one. */
function readdressed(bytes: Buffer, addresses: ReadonlyArray<readonly [from: Buffer, to: Buffer]>): Buffer {
  for (const [from, to] of addresses) {
    for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) to.copy(bytes, at);
  }
  return bytes;
}
