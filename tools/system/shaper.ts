import type { PostgresPool } from '@pgstream/postgres-client';
import { setTimeout as pause } from 'node:timers/promises';

/** A table that is made, filled, retyped, truncated and dropped, over and over, until it is stopped. */
export class Shaper {
  readonly #sql: PostgresPool;
  readonly #table: string;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  /** `schema` is made here. */
  constructor(sql: PostgresPool, schema: string) {
    this.#sql = sql;
    this.#table = `${schema}.shaped`;
  }

  async prepare(): Promise<void> {
    await this.#sql.query(`CREATE SCHEMA ${this.#table.split('.')[0]}`);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends after a whole round, with rows in the table that were written after its last change. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const table = this.#table;
    const round = [
      `DROP TABLE IF EXISTS ${table}`,
      `CREATE TABLE ${table} (id bigint PRIMARY KEY, note integer)`,
      `INSERT INTO ${table} SELECT i, i FROM generate_series(1, 20) i`,
      // a field cannot change its type: this makes a new generation of the index
      `ALTER TABLE ${table} ALTER COLUMN note TYPE text USING 'note ' || note`,
      `UPDATE ${table} SET note = note || '!'`,
      `TRUNCATE ${table}`,
      `INSERT INTO ${table} SELECT i, 'again ' || i FROM generate_series(1, 10) i`,
    ];
    while (!this.#stop.signal.aborted) {
      for (const statement of round) {
        await this.#sql.query(statement);
        await pause(300);
      }
    }
  }
}
