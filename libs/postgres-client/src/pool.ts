import { classifyPostgres } from '@pgstream/failure';
import { Pool, type ClientConfig, type PoolClient } from 'pg';

/** One query at a time on one connection, or on any connection of a pool. Failures are PipelineErrors. */
export interface Queries {
  /** Without `params`, `text` may hold several statements; the rows of the last are returned. */
  query(text: string, params?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}

export interface PostgresPool extends Queries {
  /** `work` has the connection for itself; where it fails the connection is thrown away. */
  withClient<T>(work: (client: Queries) => Promise<T>): Promise<T>;
  /** `work` in one transaction: committed when it resolves, rolled back when it rejects. */
  transaction<T>(work: (client: Queries) => Promise<T>): Promise<T>;
  /** Idempotent. */
  end(): Promise<void>;
}

export interface PoolOptions {
  /** Default 4. */
  readonly maxConnections?: number;
  /** A connection that died while idle; the next query opens another. */
  readonly onIdleError?: (error: unknown) => void;
}

// Without a listener the death of a connection in use would end the process; the query in progress reports it.
const ignore = (): void => {};

export function createPool(config: ClientConfig, options: PoolOptions = {}): PostgresPool {
  const pool = new Pool({ ...config, max: options.maxConnections ?? 4, idleTimeoutMillis: 10_000 });
  pool.on('error', (cause) => options.onIdleError?.(classifyPostgres(cause)));
  let ending: Promise<void> | undefined;

  const withClient = async <T>(work: (client: Queries) => Promise<T>): Promise<T> => {
    const client = await named(pool.connect());
    let failed = true;
    client.on('error', ignore);
    try {
      const result = await work({ query: (text, params) => run(client, text, params) });
      failed = false;
      return result;
    } finally {
      client.off('error', ignore);
      client.release(failed);
    }
  };

  return {
    withClient,
    query: (text, params) => withClient((client) => client.query(text, params)),
    transaction: (work) => withClient((client) => inTransaction(client, work)),
    end: () => (ending ??= pool.end()),
  };
}

/** On a connection that the caller owns. A failed ROLLBACK is not reported: the failure before it is the reason. */
export async function inTransaction<T>(client: Queries, work: (client: Queries) => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function run(client: PoolClient, text: string, params?: readonly unknown[]) {
  const result = await named(params === undefined ? client.query(text) : client.query(text, [...params]));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `pg` returns an array for several statements, untyped
  const results = result as unknown as
    { rows: Record<string, unknown>[] } | { rows: Record<string, unknown>[] }[];
  return { rows: Array.isArray(results) ? (results.at(-1)?.rows ?? []) : results.rows };
}

async function named<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (cause) {
    throw classifyPostgres(cause);
  }
}
