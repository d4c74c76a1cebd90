import type { PostgresPool } from '@pgstream/postgres-client';
import { startSearch, stopSearch, waitFor, type SearchServer, type Stack } from '@pgstream/test-kit';
import { openSql } from '../product/sql.ts';

/** The servers of the demo, as its steps use them. */
export class World {
  readonly stack: Stack;
  readonly postgresUrl: string;
  readonly sql: PostgresPool;
  #search: SearchServer;

  private constructor(stack: Stack, sql: PostgresPool, search: SearchServer) {
    this.stack = stack;
    this.postgresUrl = stack.postgres[0]?.url ?? '';
    this.sql = sql;
    this.#search = search;
  }

  static async open(stack: Stack): Promise<World> {
    const [postgres] = stack.postgres;
    if (postgres === undefined || stack.search === null) throw new Error('the stack is not complete');
    return new World(stack, await openSql(postgres.url, 'demo'), stack.search);
  }

  get searchUrl(): string {
    return this.#search.url;
  }

  async stopSearch(): Promise<void> {
    await stopSearch(this.#search, 'SIGTERM');
  }

  async startSearch(): Promise<void> {
    const { dir, port, kind } = this.#search;
    this.#search = await startSearch({ dir, port, kind });
    if (this.#search.port !== port) throw new Error(`port ${port} was taken while OpenSearch was down`);
  }

  /** The node may be another than the one that the stack started. */
  async close(): Promise<void> {
    await stopSearch(this.#search, 'SIGKILL');
    await this.sql.end();
  }

  /** The answer of OpenSearch, or `undefined` where it has none: an index that is not there yet, a node that is down. */
  async ask(path: string, body?: unknown): Promise<unknown> {
    try {
      const answer = await fetch(`${this.searchUrl}${path}`, {
        ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        headers: { 'content-type': 'application/json' },
      });
      return answer.ok ? await answer.json() : undefined;
    } catch {
      return undefined;
    }
  }

  /** Documents that match, by `_search`, as a user sees them: nothing is refreshed for the question. */
  async find(index: string, query: unknown): Promise<ReadonlyArray<Record<string, unknown>>> {
    const answer = await this.ask(`/${encodeURIComponent(index)}/_search`, { size: 50, query });
    return hitsOf(answer);
  }

  async until(what: string, probe: () => Promise<boolean>, timeoutMs = 60_000): Promise<void> {
    await waitFor(what, probe, timeoutMs);
  }
}

interface SearchAnswer {
  readonly hits: { readonly hits: ReadonlyArray<{ readonly _source: Record<string, unknown> }> };
}

function hitsOf(answer: unknown): ReadonlyArray<Record<string, unknown>> {
  if (answer === undefined) return [];
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the search API's own answer
  return (answer as SearchAnswer).hits.hits.map((hit) => hit._source);
}
