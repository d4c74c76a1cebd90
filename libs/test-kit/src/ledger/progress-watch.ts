import { LagReader, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import type { Queries } from '@pgstream/postgres-client';
import { parseLsn } from '@pgstream/wal-event';
import type { ProgressSample } from './evidence.ts';

export interface ProgressWatchOptions {
  /** A session in the source database, not through what the fault disturbs. */
  readonly sql: Queries;
  /** `null` where there is no log. */
  readonly log: {
    readonly connection: KafkaConnectionOptions;
    readonly topic: string;
    readonly groupId: string;
  } | null;
  readonly searchUrl: string;
  readonly schemas: readonly string[];
  /** Default 400. */
  readonly intervalMs?: number;
}

/** Reads again and again what is confirmed, and then what is durable. A part that does not answer leaves a gap. */
export class ProgressWatch {
  readonly samples: ProgressSample[] = [];
  readonly #options: ProgressWatchOptions;
  readonly #reader: LagReader | null;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;

  constructor(options: ProgressWatchOptions) {
    this.#options = options;
    this.#reader = options.log === null ? null : new LagReader(options.log);
    this.#done = this.#run();
  }

  /** A last sample is taken first. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#done;
    await this.#reader?.close();
  }

  async #run(): Promise<void> {
    const { intervalMs = 400 } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#sample();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
      });
    }
    await this.#sample();
  }

  async #sample(): Promise<void> {
    const confirmed = await orNull(this.#confirmed());
    const partitions = this.#reader === null ? null : await orNull(this.#reader.read());
    const follows = this.#reader === null ? confirmed : partitions;
    const indexed = follows === null ? null : await orNull(this.#indexed());
    this.samples.push({
      confirmed,
      ends: partitions && new Map(partitions.map(({ partition, end }) => [partition, BigInt(end)])),
      offsets: partitions && new Map(partitions.map((p) => [p.partition, BigInt(p.committed ?? 0)])),
      indexed,
    });
  }

  async #confirmed(): Promise<ProgressSample['confirmed']> {
    const { rows } = await this.#options.sql.query(
      `SELECT max(confirmed_flush_lsn)::text AS lsn FROM pg_replication_slots WHERE database = current_database()`,
    );
    const [row] = rows;
    return typeof row?.['lsn'] === 'string' ? parseLsn(row['lsn']) : null;
  }

  async #indexed(): Promise<Map<string, ReadonlySet<number>>> {
    const { searchUrl, schemas } = this.#options;
    const found = new Map<string, ReadonlySet<number>>();
    for (const schema of schemas) found.set(schema, await ledgerEntries(searchUrl, `${schema}.ledger`));
    return found;
  }
}

/** Numbers of the entries that a `ledger` index holds now; none where there is no index yet. */
async function ledgerEntries(searchUrl: string, index: string): Promise<Set<number>> {
  const signal = AbortSignal.timeout(5_000);
  const refreshed = await fetch(`${searchUrl}/${index}/_refresh`, { method: 'POST', signal });
  if (refreshed.status === 404) return new Set();
  const size = 10_000;
  const whole = `size=${size}&_source=false&allow_partial_search_results=false`;
  const answer = await fetch(`${searchUrl}/${index}/_search?${whole}`, { signal });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the APIs' own answers
  const [shards, found] = [(await refreshed.json()) as ShardsAnswer, (await answer.json()) as SearchAnswer];
  // a shard that is being recovered is left out without an error
  if (!answer.ok || !isWhole(shards) || !isWhole(found)) throw new Error(`${index} is not there whole`);
  const { hits } = found;
  if (hits.hits.length >= size) throw new Error(`${index} holds more entries than a sample reads`);
  return new Set(hits.hits.map(({ _id }) => Number(_id)));
}

interface ShardsAnswer {
  readonly _shards?: { readonly total: number; readonly successful: number; readonly failed: number };
}

interface SearchAnswer extends ShardsAnswer {
  readonly hits: { readonly hits: ReadonlyArray<{ readonly _id: string }> };
}

function isWhole({ _shards: shards }: ShardsAnswer): boolean {
  return shards !== undefined && shards.failed === 0 && shards.successful > 0;
}

async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch {
    return null;
  }
}
