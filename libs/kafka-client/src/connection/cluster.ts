import { PipelineError } from '@pgstream/failure';
import { brokerError } from '../protocol/error-codes.ts';
import {
  findCoordinatorRequest,
  metadataRequest,
  readCoordinator,
  readMetadata,
  type TopicMetadata,
} from '../protocol/requests.ts';
import type { WireReader } from '../protocol/wire.ts';
import { authenticate } from './authenticate.ts';
import { BrokerConnection, violated, type ApiRequest, type BrokerAddress } from './broker-connection.ts';
import type { KafkaConnectionOptions } from './kafka-connection.ts';
import { refusal } from './kafka-errors.ts';
import { requireVersions } from './versions.ts';

/** Where one topic's partitions are led, with one connection per broker. For the producing side only. */
export class Cluster {
  readonly topic: string;
  readonly options: KafkaConnectionOptions;
  readonly #connections = new Map<string, CachedConnection>();
  #addresses = new Map<number, BrokerAddress>();
  #leaders = new Map<number, number>();
  #topicId = '';
  #closed = false;

  constructor(options: KafkaConnectionOptions, topic: string) {
    this.options = options;
    this.topic = topic;
  }

  /** Known after {@link refresh}; 32 hexadecimal digits. */
  get topicId(): string {
    return this.#topicId;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get partitionCount(): number {
    return this.#leaders.size;
  }

  /**
   * Asks for the leaders again.
   * @param isThere the topic was seen or made a moment ago: a broker that does not show it has not heard of it yet
   * @throws {PipelineError} `KAFKA_TOPIC_MISSING`, or `KAFKA_UNREACHABLE` for a topic that should be there;
   * `KAFKA_TOPIC_REPLACED` when the topic is no longer the one first seen.
   */
  async refresh(isThere = this.#topicId !== ''): Promise<void> {
    const connection = await this.#anyConnection();
    const metadata = await ask(connection, metadataRequest([this.topic]), readMetadata);
    const topic = metadata.topics.find(({ name }) => name === this.topic);
    if (topic === undefined || topic.errorCode === UNKNOWN_TOPIC) throw this.#missing(isThere);
    if (topic.errorCode !== 0) throw refusal(topic.errorCode, `Topic ${this.topic}`);
    this.#pin(topic);
    this.#addresses = new Map(metadata.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    this.#leaders = new Map(topic.partitions.map(({ partition, leader }) => [partition, leader]));
  }

  /** `-1` while a partition has no leader. */
  leaderOf(partition: number): number {
    return this.#leaders.get(partition) ?? -1;
  }

  /** Sends to the broker `nodeId`. @throws {PipelineError} `KAFKA_UNREACHABLE` while it is away. */
  async request<T>(nodeId: number, request: ApiRequest, read: (answer: WireReader) => T): Promise<T> {
    const address = this.#addresses.get(nodeId);
    if (address === undefined) {
      throw new PipelineError('KAFKA_UNREACHABLE', {
        detail: `Broker ${nodeId} is not in the cluster's metadata.`,
      });
    }
    return await ask(await this.#connectionTo(address), request, read);
  }

  /** Sends to the coordinator of a transactional id. */
  async requestCoordinator<T>(id: string, request: ApiRequest, read: (answer: WireReader) => T): Promise<T> {
    const any = await this.#anyConnection();
    const coordinator = await ask(any, findCoordinatorRequest(id), readCoordinator);
    if (coordinator.errorCode !== 0) throw refusal(coordinator.errorCode, `Finding the coordinator of ${id}`);
    return await ask(await this.#connectionTo(coordinator), request, read);
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#connections.values()) {
      void connection.opening.then(
        (open) => open.close(),
        () => undefined,
      );
    }
    this.#connections.clear();
  }

  #missing(isThere: boolean): PipelineError {
    if (!isThere) return new PipelineError('KAFKA_TOPIC_MISSING', { detail: `Topic ${this.topic}.` });
    const detail = `A broker does not know topic ${this.topic} yet.`;
    return new PipelineError('KAFKA_UNREACHABLE', { detail });
  }

  #pin(topic: TopicMetadata): void {
    if (this.#topicId !== '' && topic.topicId !== this.#topicId) {
      throw new PipelineError('KAFKA_TOPIC_REPLACED', { detail: `Topic ${this.topic}.` });
    }
    this.#topicId = topic.topicId;
  }

  async #anyConnection(): Promise<BrokerConnection> {
    let last: unknown;
    for (const address of [...this.#addresses.values(), ...this.options.brokers.map(parseAddress)]) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next broker is asked only when this one is away
        return await this.#connectionTo(address);
      } catch (cause) {
        if (!(cause instanceof PipelineError) || cause.disposition !== 'retry') throw cause;
        last = cause;
      }
    }
    throw last;
  }

  async #connectionTo(address: BrokerAddress): Promise<BrokerConnection> {
    if (this.#closed) throw new PipelineError('KAFKA_UNREACHABLE', { detail: 'The client was closed.' });
    const name = `${address.host}:${address.port}`;
    const known = this.#connections.get(name);
    if (known !== undefined && known.open?.isOpen !== false) return await known.opening;
    const entry: CachedConnection = { opening: openConnection(address, this.options), open: undefined };
    this.#connections.set(name, entry);
    try {
      entry.open = await entry.opening;
      return entry.open;
    } catch (cause) {
      if (this.#connections.get(name) === entry) this.#connections.delete(name);
      throw cause;
    }
  }
}

interface CachedConnection {
  readonly opening: Promise<BrokerConnection>;
  open: BrokerConnection | undefined;
}

const UNKNOWN_TOPIC = 3;

async function openConnection(
  address: BrokerAddress,
  options: KafkaConnectionOptions,
): Promise<BrokerConnection> {
  const connection = await BrokerConnection.open(address, options);
  try {
    await requireVersions(connection);
    if (options.sasl !== undefined) await authenticate(connection, options.sasl);
    return connection;
  } catch (cause) {
    connection.close();
    throw cause;
  }
}

async function ask<T>(
  connection: BrokerConnection,
  request: ApiRequest,
  read: (answer: WireReader) => T,
): Promise<T> {
  const answer = await connection.request(request);
  try {
    return read(answer);
  } catch (cause) {
    connection.close();
    throw violated(connection.address, `an answer to request ${request.key} that cannot be read`, cause);
  }
}

function parseAddress(broker: string): BrokerAddress {
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(broker) ?? [];
  if (host === undefined || port === undefined) {
    throw new PipelineError('CONFIG_INVALID', {
      detail: `Kafka broker ${JSON.stringify(broker)} is not host:port.`,
    });
  }
  return { host, port: Number(port) };
}

/** Whether the same request may be sent again after this failure. */
export function mayRetry(cause: unknown): boolean {
  return cause instanceof PipelineError && cause.code === 'KAFKA_UNREACHABLE';
}

export function isRetriable(errorCode: number): boolean {
  return brokerError(errorCode).verdict === 'retry';
}
