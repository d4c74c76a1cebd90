import { setTimeout as pause } from 'node:timers/promises';
import { PipelineError } from '@pgstream/failure';
import type { PostgresPool } from '@pgstream/postgres-client';
import { parseLsn, type Lsn } from '@pgstream/wal-event';
import { Random } from './random.ts';
import { SchemaTransaction } from './schema-transaction.ts';

export interface WorkloadOptions {
  readonly sql: PostgresPool;
  /** Schemas are `<prefix>_s0`, `<prefix>_s1`, … */
  readonly prefix: string;
  readonly schemas: number;
  /** The same seed writes the same statements; how the writers interleave is the server's affair. */
  readonly seed: number;
  /** Longest pause between two transactions of a writer. */
  readonly pauseMs: number;
  /** Each writer has schemas of its own. Default 3. */
  readonly writers?: number;
  /** Columns are added, renamed and dropped meanwhile. Default true. */
  readonly ddl?: boolean;
}

/** One schema's part of a transaction whose COMMIT was answered. */
export interface CommittedEntry {
  readonly schema: string;
  /** Number of the entry in the schema's table `ledger`. */
  readonly n: number;
  /** Changes that it made in the schema, its entry not counted. */
  readonly changes: number;
  /** A position of the WAL behind the commit. */
  readonly walAfter: Lsn;
}

/**
 * Writers that change rows in every way until they are stopped: growing versions, big values that most updates leave
 * alone, changed keys, deletes, truncates, transactions of one row and of a thousand, of one schema and of two,
 * savepoints, DDL. Each transaction leaves in `ledger`, in itself, how many changes it made: what was committed is in
 * the table, whether or not the writer lived to hear of it.
 */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #stop = new AbortController();
  readonly #writers: Array<Promise<void>> = [];
  readonly #numbers = new Map<string, number>();
  /** Transactions that were committed. */
  committed = 0;
  readonly entries: CommittedEntry[] = [];

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  get schemas(): readonly string[] {
    const { schemas, prefix } = this.#options;
    return Array.from({ length: schemas }, (_, i) => `${prefix}_s${i}`);
  }

  async prepare(): Promise<void> {
    const { sql } = this.#options;
    for (const schema of this.schemas) {
      await sql.query(`
        CREATE SCHEMA ${schema};
        CREATE TABLE ${schema}.ledger (n bigint PRIMARY KEY, changes integer NOT NULL);
        CREATE TABLE ${schema}.items (id bigint PRIMARY KEY, version integer NOT NULL, label text, amount numeric, big text);
        ALTER TABLE ${schema}.items ALTER COLUMN big SET STORAGE EXTERNAL;
        CREATE TABLE ${schema}.pairs (a integer, b text, version integer, PRIMARY KEY (a, b));
        CREATE TABLE ${schema}.short_lived (id bigint PRIMARY KEY, version integer);`);
    }
  }

  start(): void {
    const { writers = 3 } = this.#options;
    for (let writer = 0; writer < writers; writer++) this.#writers.push(this.#write(writer, writers));
  }

  /** Ends after the transactions under way. @throws what a writer met. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#writers.splice(0));
  }

  async #write(writer: number, writers: number): Promise<void> {
    const { seed, pauseMs } = this.#options;
    const random = new Random(seed + writer);
    const mine = this.schemas.filter((_, i) => i % writers === writer);
    while (!this.#stop.signal.aborted) {
      const schema = random.pick(mine);
      const other = random.next() < 0.1 ? random.pick(mine) : schema;
      await this.#attempt(random, other === schema ? [schema] : [schema, other]);
      await pause(random.int(0, pauseMs));
    }
  }

  /** Where the server was away, whether such a transaction was committed only the tables know. */
  async #attempt(random: Random, schemas: readonly string[]): Promise<void> {
    const { sql, ddl = true } = this.#options;
    const parts = schemas.map((schema) => ({ schema, n: this.#numberOf(schema) }));
    try {
      const changes = await sql.transaction(async (queries) => {
        const counts: number[] = [];
        for (const part of parts)
          counts.push(await new SchemaTransaction(random, { ...part, ddl }, queries).run());
        return counts;
      });
      this.committed += 1;
      const { rows } = await sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
      const walAfter = parseLsn(String(rows[0]?.['lsn']));
      parts.forEach((part, i) => this.entries.push({ ...part, changes: changes[i] ?? 0, walAfter }));
    } catch (error) {
      if (!(error instanceof PipelineError) || error.disposition !== 'retry') throw error;
    }
  }

  #numberOf(schema: string): number {
    // a second workload on the same tables goes on behind the numbers of the first
    const n = (this.#numbers.get(schema) ?? this.#options.seed * 1_000_000) + 1;
    this.#numbers.set(schema, n);
    return n;
  }
}
