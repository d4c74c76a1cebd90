import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka, LagReader, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import type { PostgresPool } from '@pgstream/postgres-client';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';
import { Product } from '../product/product.ts';
import { openSql } from '../product/sql.ts';

export interface Servers {
  /** A superuser's. */
  readonly postgresUrl: string;
  /** Several are separated by commas. */
  readonly kafkaBroker: string;
  readonly searchUrl: string;
}

/** Those that all tests of the run use. */
export function sharedServers(): Servers {
  const { postgresUrl, kafkaBrokers, searchUrl } = endpoints();
  return { postgresUrl, kafkaBroker: kafkaBrokers[0] ?? '', searchUrl };
}

export type Environment = Readonly<Record<string, string>>;

interface Parts {
  readonly sql: PostgresPool;
  readonly environment: Environment;
}

/** A database, a topic, a consumer group and index names of one test's own, and the product set up for them. */
export class System {
  readonly servers: Servers;
  /** Schemas that begin with it have indices that nobody else has. */
  readonly prefix: string;
  /** URL of the database, as its superuser. */
  readonly url: string;
  readonly topic: string;
  readonly group: string;
  readonly sql: PostgresPool;
  readonly product: Product;
  readonly #dir: string;

  private constructor(servers: Servers, prefix: string, parts: Parts) {
    this.servers = servers;
    this.prefix = prefix;
    this.url = urlOf(servers.postgresUrl, prefix);
    this.topic = prefix;
    this.group = `${prefix}-group`;
    this.sql = parts.sql;
    this.#dir = mkdtempSync(join(tmpdir(), 'pgstream-system-'));
    const environment = { ...this.#environment(), ...parts.environment };
    this.product = new Product({ dir: this.#dir, environment });
  }

  /**
   * Everything named after `name`, and `init` done.
   * @param environment settings of the product, also by the name of the database.
   */
  static async open(
    servers: Servers,
    name: string,
    environment: Environment | ((database: string) => Environment) = {},
  ): Promise<System> {
    const prefix = uniqueName(name);
    const admin = await openSql(servers.postgresUrl, 'system-test');
    await admin.query(`CREATE DATABASE ${prefix}`);
    await admin.end();
    const sql = await openSql(urlOf(servers.postgresUrl, prefix), 'system-test');
    const settings = typeof environment === 'function' ? environment(prefix) : environment;
    const system = new System(servers, prefix, { sql, environment: settings });
    await system.product.run('init');
    return system;
  }

  #environment(): Record<string, string> {
    return {
      PGSTREAM_POSTGRES_LISTENER_URL: this.url,
      PGSTREAM_KAFKA_SERVERS: this.servers.kafkaBroker,
      PGSTREAM_KAFKA_TOPIC_NAME: this.topic,
      PGSTREAM_KAFKA_TOPIC_PARTITIONS: '6',
      PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
      PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: this.group,
      PGSTREAM_OPENSEARCH_STORE_URL: this.servers.searchUrl,
      PGSTREAM_SEARCH_SYSTEM_INDEX: `${this.prefix}_own`,
      PGSTREAM_SEARCH_INDEX_REPLICAS: '0',
    };
  }

  get connection(): KafkaConnectionOptions {
    return connectionTo(this.servers.kafkaBroker);
  }

  /** Until everything committed by now is confirmed to PostgreSQL. */
  async untilConfirmed(timeoutMs = 120_000): Promise<void> {
    const { rows } = await this.sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
    const [wal] = rows;
    await waitFor(
      'the slot to pass what is committed',
      async () => {
        const slots = await this.sql.query(
          `SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) AS passed
             FROM pg_replication_slots WHERE database = current_database()`,
          [wal?.['lsn']],
        );
        return slots.rows[0]?.['passed'] === true;
      },
      timeoutMs,
    );
  }

  /** Until that is in the index too, as the group's committed offsets say. */
  async untilIndexed(timeoutMs = 120_000): Promise<void> {
    await this.untilConfirmed(timeoutMs);
    await this.untilPassed(timeoutMs);
  }

  /** Until the group has read and committed what the log holds. */
  async untilPassed(timeoutMs = 120_000): Promise<void> {
    const { connection, topic, group: groupId } = this;
    const reader = new LagReader({ connection, topic, groupId });
    try {
      await waitFor('the group to pass the topic', async () => (await lagOf(reader)) === 0, timeoutMs);
    } finally {
      await reader.close();
    }
  }

  /** What a process logged, for the message of a test that fails. */
  logOf(name: string, lines = 25): string {
    const text = readFileSync(join(this.#dir, `${name}.log`), 'utf8').trimEnd();
    return text.split('\n').slice(-lines).join('\n');
  }

  async close(): Promise<void> {
    await this.product.stopAll();
    await this.sql.end();
    await dropDatabase(this.servers.postgresUrl, this.prefix);
    await this.#forget();
  }

  /** As {@link close}, where the database goes with its server. */
  async abandon(): Promise<void> {
    await this.product.stopAll();
    await this.sql.end();
    await this.#forget();
  }

  async #forget(): Promise<void> {
    await dropTopics(this.servers.kafkaBroker, this.prefix);
    await dropIndices(this.servers.searchUrl, this.prefix);
    rmSync(this.#dir, { recursive: true });
  }
}

/** Topics whose names begin so, dead letters included. */
export async function dropTopics(kafkaBroker: string, prefix: string): Promise<void> {
  const admin = createKafka(connectionTo(kafkaBroker), () => undefined).admin();
  await admin.connect();
  try {
    const all = await admin.listTopics();
    const topics = all.filter((topic) => topic.startsWith(prefix));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.disconnect();
  }
}

export async function dropIndices(searchUrl: string, prefix: string): Promise<void> {
  await fetch(`${searchUrl}/${prefix}*`, { method: 'DELETE' });
}

function connectionTo(broker: string): KafkaConnectionOptions {
  return {
    brokers: broker.split(','),
    clientId: 'system-test',
    connectionTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
  };
}

async function lagOf(reader: LagReader): Promise<number> {
  const partitions = await reader.read();
  return partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
}

/** The slot goes with what uses it: a server keeps WAL for a slot that nobody reads. */
export async function dropDatabase(serverUrl: string, database: string): Promise<void> {
  const admin = await openSql(serverUrl, 'system-test');
  try {
    await admin.query(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = $1 AND active`,
      [database],
    );
    await waitFor('the slots to be dropped', async () => {
      await admin.query(
        'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1',
        [database],
      );
      return true;
    });
    await admin.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  } finally {
    await admin.end();
  }
}

export function urlOf(serverUrl: string, database: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  return url.href;
}
