import type { Buffer } from 'node:buffer';
import type { Broker, Cluster, Kafka } from 'kafkajs';
import {
  decodeFetch,
  encodeFetch,
  FETCH,
  type FetchedPartition,
  type FetchRequest,
} from './fetch-request.ts';

/**
 * The client library shows its cluster and brokers only to partition assigners, which is how we get at them: our own
 * fetch uses its connections (TLS, SASL, reconnects, metadata) and none of its record decoding, which builds several
 * objects per record.
 */

/** What the library's broker has and its types do not tell. Pinned with the library's version, 2.2.4. */
interface RawBroker extends Broker {
  readonly connectionPool: {
    send<T>(protocol: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        /** `buf` is what the library checks for, `buffer` what it sends. */
        encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
      };
      readonly response: { decode(body: Buffer): Promise<Buffer>; parse(body: Buffer): Promise<T> };
      /** No log line for an answer that we classify ourselves. */
      readonly logResponseError: boolean;
    }): Promise<T>;
  };
  joinGroup(request: {
    readonly memberId?: string;
  }): Promise<{ readonly generationId: number; readonly memberId: string }>;
  heartbeat(request: Membership & { readonly groupId: string }): Promise<unknown>;
}

interface Membership {
  readonly groupGenerationId: number;
  readonly memberId: string;
}

/** One heartbeat now, beside those that the library sends from its own loop. */
export async function heartbeatTo(broker: Broker, groupId: string, membership: Membership): Promise<void> {
  await raw(broker).heartbeat({ groupId, ...membership });
}

/** Sends one Fetch and answers the partitions as byte ranges. */
export async function fetchFrom(
  cluster: Cluster,
  nodeId: string,
  request: FetchRequest,
): Promise<FetchedPartition[]> {
  const broker = raw(await cluster.findBroker({ nodeId }));
  try {
    return await broker.connectionPool.send({
      request: {
        ...FETCH,
        encode: async () => {
          const buffer = encodeFetch(request);
          return { buf: buffer, buffer };
        },
      },
      response: { decode: async (body) => body, parse: async (body) => decodeFetch(body) },
      logResponseError: false,
    });
  } catch (cause) {
    // Both connections go, so that the next use of this broker starts with a new one.
    if (cause instanceof Error && cause.name === 'KafkaJSConnectionClosedError') await broker.disconnect();
    throw cause;
  }
}

export interface JoinHooks {
  /** Runs before every JoinGroup; the join waits for it. */
  readonly beforeJoin: () => Promise<void>;
  /** Who we were before a connection was lost, so that the group need not wait for that member to time out. */
  readonly formerMemberId: () => string | undefined;
  readonly onJoined: (joined: { readonly generationId: number; readonly memberId: string }) => void;
}

/**
 * Lets `hooks` take part in each join of a group. The library offers no way to finish work before partitions are given
 * away: its rebalance event is not waited for. Finding the coordinator is the first step of its join, so we wait there.
 */
export function hookJoins(cluster: Cluster, hooks: JoinHooks): void {
  const find = cluster.findGroupCoordinator.bind(cluster);
  const hooked = new WeakSet<Broker>();
  cluster.findGroupCoordinator = async (group) => {
    await hooks.beforeJoin();
    const broker = raw(await find(group));
    if (hooked.has(broker)) return broker;
    hooked.add(broker);
    const join = broker.joinGroup.bind(broker);
    broker.joinGroup = async (request) => {
      const { memberId = '' } = request;
      const joined = await join({
        ...request,
        memberId: memberId === '' ? (hooks.formerMemberId() ?? '') : memberId,
      });
      hooks.onJoined(joined);
      return joined;
    };
    return broker;
  };
}

/** A cluster of its own, outside any group: `connect` it before use and `disconnect` it after. */
export function clusterOf(kafka: Kafka): Cluster {
  let cluster: Cluster | undefined;
  kafka.consumer({
    groupId: 'none', // never joined
    allowAutoTopicCreation: false,
    partitionAssigners: [
      (config) => {
        cluster = config.cluster;
        return noAssigner;
      },
    ],
  });
  if (cluster === undefined)
    throw new TypeError('the Kafka client library did not call the partition assigner');
  return cluster;
}

const noAssigner = {
  name: 'none',
  version: 0,
  assign: async () => [],
  protocol: () => {
    throw new TypeError('this client joins no group');
  },
};

function raw(broker: Broker): RawBroker {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see RawBroker
  return broker as RawBroker;
}
