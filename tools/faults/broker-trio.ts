import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, freePort, startKafka, stopKafka, type KafkaServer, uniqueName } from '@pgstream/test-kit';

const NODES = [1, 2, 3] as const;
const HEAP_MB = 192;

/** Three brokers, each a controller too; topics have three copies, two of which must be in sync. */
export class BrokerTrio {
  readonly #servers: KafkaServer[];

  private constructor(servers: KafkaServer[]) {
    this.#servers = servers;
  }

  static async start(): Promise<BrokerTrio> {
    const ports: number[] = [];
    while (ports.length < NODES.length) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const voters = NODES.map((id, i) => `${id}@127.0.0.1:${ports[i]}`).join(',');
    const clusterId = 'pgstreamFaultTrio00000A';
    const base = join(cacheDir(), 'data', uniqueName('kafka'));
    const servers = NODES.map(async (id, i) =>
      startKafka({
        dir: `${base}-${id}`,
        heapMb: HEAP_MB,
        clusterId,
        controllerPort: ports[i] ?? 0,
        properties: [
          `node.id=${id}`,
          `controller.quorum.voters=${voters}`,
          'offsets.topic.replication.factor=3',
          'transaction.state.log.replication.factor=3',
          'transaction.state.log.min.isr=2',
          'default.replication.factor=3',
          'min.insync.replicas=2',
          // a dead broker is missed after seconds
          'broker.session.timeout.ms=4000',
          'broker.heartbeat.interval.ms=1000',
          'replica.lag.time.max.ms=4000',
        ],
      }),
    );
    return new BrokerTrio(await Promise.all(servers));
  }

  get brokers(): readonly string[] {
    return this.#servers.map(({ broker }) => broker);
  }

  /** @param index 0 to 2 */
  async kill(index: number): Promise<void> {
    await stopKafka(this.#at(index), 'SIGKILL');
  }

  async restart(index: number): Promise<void> {
    const { dir, broker } = this.#at(index);
    this.#servers[index] = await startKafka({ dir, heapMb: HEAP_MB });
    if (this.#servers[index].broker !== broker) throw new Error(`${broker} came back elsewhere`);
  }

  /** SIGSTOP and SIGCONT. */
  signal(index: number, signal: NodeJS.Signals): void {
    process.kill(this.#at(index).pid, signal);
  }

  async close(): Promise<void> {
    for (const server of this.#servers) await stopKafka(server, 'SIGKILL');
    for (const { dir } of this.#servers) rmSync(dir, { recursive: true, force: true });
  }

  #at(index: number): KafkaServer {
    const { [index]: server } = this.#servers;
    if (server === undefined) throw new RangeError(`there is no broker ${index}`);
    return server;
  }
}
