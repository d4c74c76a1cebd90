import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { PostgresPool } from '@pgstream/postgres-client';
import { cacheDir, startStack, stopStack, type Stack } from '@pgstream/test-kit';
import { Product } from '../product/product.ts';
import { openSql } from '../product/sql.ts';

export const NAME = 'bench';

/** Local servers of one run and what is needed to start the product against them. */
export interface BenchWorld {
  readonly stack: Stack;
  readonly url: string;
  readonly broker: string;
  readonly searchUrl: string;
  readonly dir: string;
  readonly sql: PostgresPool;
  /** The product with its own slot and topic, so that several runs drain the same WAL. */
  product(run: string): Product;
  close(): Promise<void>;
}

export async function startBenchWorld(): Promise<BenchWorld> {
  const stack = await startStack({
    name: NAME,
    postgres: [17],
    java: true,
    onStep: (text) => console.error(`starting ${text} …`),
  });
  const [postgres] = stack.postgres;
  if (postgres === undefined || stack.kafka === null || stack.search === null)
    throw new Error('the stack is not complete');
  const { url } = postgres;
  const [broker, searchUrl] = [stack.kafka.broker, stack.search.url];
  const dir = join(cacheDir(), 'data', NAME, 'product');
  mkdirSync(dir, { recursive: true });
  const sql = await openSql(url, 'bench');
  return {
    stack,
    url,
    broker,
    searchUrl,
    dir,
    sql,
    product: (run) => new Product({ dir, environment: environment({ url, broker, searchUrl, run }) }),
    close: async () => {
      await sql.end();
      await stopStack(NAME);
    },
  };
}

/** Default settings, but for names and one partition: every system of a comparison writes one. */
function environment(to: {
  url: string;
  broker: string;
  searchUrl: string;
  run: string;
}): Record<string, string> {
  return {
    PGSTREAM_POSTGRES_LISTENER_URL: to.url,
    PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: to.run,
    PGSTREAM_KAFKA_SERVERS: to.broker,
    PGSTREAM_KAFKA_TOPIC_NAME: to.run,
    PGSTREAM_KAFKA_TOPIC_AUTO_CREATE: 'true',
    PGSTREAM_KAFKA_TOPIC_PARTITIONS: '1',
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: `${to.run}-search`,
    PGSTREAM_OPENSEARCH_STORE_URL: to.searchUrl,
  };
}
