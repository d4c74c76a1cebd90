import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createKafka, ensureTopic } from '@pgstream/kafka-client';
import type { PostgresPool } from '@pgstream/postgres-client';
import {
  cacheDir,
  startStack,
  stopStack,
  waitFor,
  type KafkaServer,
  type PostgresServer,
  type Stack,
} from '@pgstream/test-kit';
import { openSql } from '../../product/sql.ts';

/** What a broker takes here: `message.max.bytes` of the local one. */
const MAX_MESSAGE_BYTES = 16_777_216;

/** PostgreSQL and Kafka of a comparison, and what every system of it needs. */
export interface PeerWorld {
  readonly url: string;
  readonly broker: string;
  /** Where the broker keeps its segments. */
  readonly logDir: string;
  readonly pids: { readonly postgres: number; readonly kafka: number };
  readonly sql: PostgresPool;
  /** A folder of this name, made. */
  folder(name: string): string;
  /** A topic of one partition. */
  makeTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void>;
  /** What it held is gone from the disk soon after. */
  dropTopic(topic: string): Promise<void>;
  close(): Promise<void>;
}

/** Each command has servers of its own. */
export type WorldName = 'crash' | 'peers';

/** @param libraries further folders where PostgreSQL looks for output plugins */
export async function startPeerWorld(name: WorldName, libraries: readonly string[] = []): Promise<PeerWorld> {
  const stack = await startServers(name, libraries).catch(async (error: unknown) => {
    await stopStack(name);
    throw error;
  });
  const [postgres] = stack.postgres;
  if (postgres === undefined || stack.kafka === null) throw new Error('the stack is not complete');
  return worldOn(name, { postgres, kafka: stack.kafka });
}

function startServers(name: WorldName, libraries: readonly string[]): Promise<Stack> {
  return startStack({
    name,
    postgres: [17],
    java: true,
    search: false,
    postgresSettings: {
      // no checkpoint while somebody drains, and nobody who cleans up behind the load
      max_wal_size: '16GB',
      checkpoint_timeout: '1h',
      autovacuum: 'off',
      dynamic_library_path: ['$libdir', ...libraries].join(':'),
    },
    onStep: (text) => console.error(`starting ${text} …`),
  });
}

export interface Servers {
  readonly postgres: PostgresServer;
  readonly kafka: KafkaServer;
}

/** On servers that run; `name` is that of their stack, which {@link PeerWorld.close} stops. */
export async function worldOn(name: string, { postgres, kafka }: Servers): Promise<PeerWorld> {
  const { broker, dir } = kafka;
  const sql = await openSql(postgres.url, 'peers');
  return {
    url: postgres.url,
    broker,
    logDir: join(dir, 'data'),
    pids: { postgres: postgres.pid, kafka: kafka.pid },
    sql,
    folder: (part) => {
      const folder = join(cacheDir(), 'data', name, part);
      mkdirSync(folder, { recursive: true });
      return folder;
    },
    makeTopic: async (topic, settings) => {
      const options = { topic, partitions: 1, replicationFactor: 1, autoCreate: true, settings };
      const limits = { maxMessageBytes: MAX_MESSAGE_BYTES };
      await ensureTopic(connectionTo(broker), { ...options, ...limits }, () => undefined);
    },
    dropTopic: async (topic) => {
      const admin = createKafka(connectionTo(broker), () => undefined).admin();
      await admin.connect();
      try {
        await admin.deleteTopics({ topics: [topic] });
      } finally {
        await admin.disconnect();
      }
    },
    close: async () => {
      await sql.end();
      await stopStack(name);
    },
  };
}

/** Servers outlive a run that is interrupted unless it stops them. */
export function closeOnSignal(name: WorldName): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stopStack(name).finally(() => process.exit(1)));
}

export function connectionTo(broker: string) {
  return {
    brokers: [broker],
    clientId: 'pgstream-bench',
    connectionTimeoutMs: 10_000,
    requestTimeoutMs: 60_000,
  };
}

/** A walsender notices that its peer was killed when it next writes or reads. */
export async function untilSlotFree(world: Pick<PeerWorld, 'sql'>, slot: string): Promise<void> {
  await waitFor(
    `slot ${slot} to be free`,
    async () => {
      const question = 'SELECT 1 FROM pg_replication_slots WHERE slot_name = $1 AND NOT active';
      return (await world.sql.query(question, [slot])).rows.length === 1;
    },
    600_000,
  );
}
