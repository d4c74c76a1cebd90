import { KafkaFaultProxies, SearchFaultProxy, TcpFaultProxy } from '@pgstream/test-kit';
import { urlOf, type Environment, type Servers } from '../system/system.ts';

/** A network between each two parts: producer and database, producer and brokers, workers and brokers, workers and search. */
export class Links {
  readonly postgres: TcpFaultProxy;
  readonly producerKafka: KafkaFaultProxies;
  readonly workerKafka: KafkaFaultProxies;
  readonly search: TcpFaultProxy;
  /** Behind {@link search}: what answers in place of the store. */
  readonly store: SearchFaultProxy;
  readonly #postgresUrl: string;

  private constructor(
    postgres: TcpFaultProxy,
    kafka: readonly [producer: KafkaFaultProxies, worker: KafkaFaultProxies],
    search: readonly [tcp: TcpFaultProxy, store: SearchFaultProxy],
    postgresUrl: string,
  ) {
    this.postgres = postgres;
    [this.producerKafka, this.workerKafka] = kafka;
    [this.search, this.store] = search;
    this.#postgresUrl = postgresUrl;
  }

  static async start({ postgresUrl, kafkaBroker, searchUrl }: Servers): Promise<Links> {
    const brokers = kafkaBroker.split(',');
    const store = await SearchFaultProxy.start(searchUrl);
    const { hostname, port } = new URL(postgresUrl);
    return new Links(
      await TcpFaultProxy.start({ target: `${hostname}:${port}` }),
      [await KafkaFaultProxies.start(brokers), await KafkaFaultProxies.start(brokers)],
      [await TcpFaultProxy.start({ target: store.address }), store],
      postgresUrl,
    );
  }

  /** Settings that lead the product through these links. */
  environment(database: string): Environment {
    const url = new URL(urlOf(this.#postgresUrl, database));
    url.host = this.postgres.address;
    return {
      PGSTREAM_POSTGRES_LISTENER_URL: url.href,
      PGSTREAM_KAFKA_WRITER_SERVERS: this.producerKafka.addresses.join(','),
      PGSTREAM_KAFKA_READER_SERVERS: this.workerKafka.addresses.join(','),
      PGSTREAM_OPENSEARCH_STORE_URL: `http://${this.search.address}`,
    };
  }

  get all(): readonly TcpFaultProxy[] {
    return [this.postgres, ...this.producerKafka.proxies, ...this.workerKafka.proxies, this.search];
  }

  heal(): void {
    this.store.heal();
    this.producerKafka.heal();
    this.workerKafka.heal();
    for (const proxy of this.all) proxy.heal();
  }

  async close(): Promise<void> {
    await Promise.all([
      this.postgres.close(),
      this.producerKafka.close(),
      this.workerKafka.close(),
      this.search.close(),
      this.store.close(),
    ]);
  }
}
