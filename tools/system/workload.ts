import { PipelineError } from '@pgstream/failure';
import type { PostgresPool, Queries } from '@pgstream/postgres-client';
import { setTimeout as pause } from 'node:timers/promises';
import { Random } from './random.ts';

export interface WorkloadOptions {
  readonly sql: PostgresPool;
  /** Schemas are `<prefix>_s0`, `<prefix>_s1`, … */
  readonly prefix: string;
  readonly schemas: number;
  readonly seed: number;
  /** Longest pause between two transactions of a writer. */
  readonly pauseMs: number;
  readonly writers?: number;
  /** Columns are added, renamed and dropped meanwhile. Default true. */
  readonly ddl?: boolean;
}

const KEYS = 400;

/**
 * Writers that change rows in every way until they are stopped: growing versions, big values that most updates leave
 * alone, changed keys, deletes, truncates, transactions of one row and of a thousand, savepoints, DDL.
 */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #stop = new AbortController();
  readonly #writers: Array<Promise<void>> = [];
  /** Transactions that were committed. */
  committed = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
  }

  async prepare(): Promise<void> {
    const { sql, schemas, prefix } = this.#options;
    for (let i = 0; i < schemas; i++) {
      await sql.query(`
        CREATE SCHEMA ${prefix}_s${i};
        CREATE TABLE ${prefix}_s${i}.items (id bigint PRIMARY KEY, version integer NOT NULL, label text, amount numeric, big text);
        ALTER TABLE ${prefix}_s${i}.items ALTER COLUMN big SET STORAGE EXTERNAL;
        CREATE TABLE ${prefix}_s${i}.pairs (a integer, b text, version integer, PRIMARY KEY (a, b));
        CREATE TABLE ${prefix}_s${i}.short_lived (id bigint PRIMARY KEY, version integer);`);
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
    const { schemas, prefix, seed, pauseMs, sql } = this.#options;
    const random = new Random(seed + writer);
    const mine = Array.from({ length: schemas }, (_, i) => i).filter((i) => i % writers === writer);
    while (!this.#stop.signal.aborted) {
      const transaction = new Transaction(
        random,
        `${prefix}_s${random.pick(mine)}`,
        this.#options.ddl ?? true,
      );
      if (await committed(sql, transaction)) this.committed += 1;
      await pause(random.int(0, pauseMs));
    }
  }
}

/** False where the server was away; whether such a transaction was committed only the tables know. */
async function committed(sql: PostgresPool, transaction: Transaction): Promise<boolean> {
  try {
    await sql.transaction(async (queries) => transaction.run(queries));
    return true;
  } catch (error) {
    if (error instanceof PipelineError && error.disposition === 'retry') return false;
    throw error;
  }
}

class Transaction {
  readonly #random: Random;
  readonly #schema: string;
  readonly #ddl: boolean;

  constructor(random: Random, schema: string, ddl: boolean) {
    this.#random = random;
    this.#schema = schema;
    this.#ddl = ddl;
  }

  async run(sql: Queries): Promise<void> {
    const random = this.#random;
    const dice = random.next();
    if (this.#ddl && dice < 0.004) return this.#changeShape(sql);
    if (dice < 0.03) return this.#bulk(sql, random.int(50, 1_000));
    const statements = random.int(1, 6);
    for (let i = 0; i < statements; i++) await this.#statement(sql);
    if (dice > 0.9) await this.#rolledBack(sql);
  }

  async #statement(sql: Queries): Promise<void> {
    const random = this.#random;
    const items = `${this.#schema}.items`;
    const id = random.int(1, KEYS);
    const kinds = [
      'upsert',
      'upsert',
      'version',
      'version',
      'version',
      'big',
      'key',
      'delete',
      'pair',
      'pair',
      'short',
    ];
    switch (random.pick(kinds)) {
      case 'upsert':
        await sql.query(
          `INSERT INTO ${items} (id, version, label, amount, big) VALUES ($1, 1, $2, $3, repeat($2, 700))
             ON CONFLICT (id) DO UPDATE SET version = items.version + 1, label = excluded.label`,
          [id, `label ${random.int(0, 99)}`, `${random.int(0, 9_999)}.50`],
        );
        return;
      case 'version':
        await sql.query(`UPDATE ${items} SET version = version + 1 WHERE id BETWEEN $1 AND $1 + 5`, [id]);
        return;
      case 'big':
        await sql.query(`UPDATE ${items} SET version = version + 1, big = repeat($2, 800) WHERE id = $1`, [
          id,
          `${id} `,
        ]);
        return;
      case 'key':
        await sql.query(
          `UPDATE ${items} SET id = $2, version = version + 1
            WHERE id = $1 AND NOT EXISTS (SELECT FROM ${items} WHERE id = $2)`,
          [id, random.int(1, KEYS)],
        );
        return;
      case 'delete':
        await sql.query(`DELETE FROM ${items} WHERE id BETWEEN $1 AND $1 + 3`, [id]);
        return;
      case 'pair':
        return this.#pair(sql);
      default:
        return this.#shortLived(sql);
    }
  }

  async #pair(sql: Queries): Promise<void> {
    const random = this.#random;
    await sql.query(
      `INSERT INTO ${this.#schema}.pairs VALUES ($1, $2, 1) ON CONFLICT (a, b) DO UPDATE SET version = pairs.version + 1`,
      [random.int(1, 20), random.pick(['x/y', "it's", 'ß', ''])],
    );
  }

  async #shortLived(sql: Queries): Promise<void> {
    const random = this.#random;
    const table = `${this.#schema}.short_lived`;
    if (random.next() < 0.01) await sql.query(`TRUNCATE ${table}`);
    await sql.query(
      `INSERT INTO ${table} SELECT $1::bigint, 1 ON CONFLICT (id) DO UPDATE SET version = short_lived.version + 1`,
      [random.int(1, 50)],
    );
  }

  async #bulk(sql: Queries, rows: number): Promise<void> {
    const from = 1_000 + this.#random.int(0, 500);
    await sql.query(
      `INSERT INTO ${this.#schema}.items (id, version, label)
         SELECT i, 1, 'row ' || i FROM generate_series($1::bigint, $2::bigint) i
         ON CONFLICT (id) DO UPDATE SET version = items.version + 1`,
      [from, from + rows],
    );
  }

  async #rolledBack(sql: Queries): Promise<void> {
    await sql.query('SAVEPOINT attempt');
    await sql.query(`UPDATE ${this.#schema}.items SET version = version + 1000`);
    await sql.query('ROLLBACK TO SAVEPOINT attempt');
    await this.#statement(sql);
  }

  /** `extra` comes, changes its name and goes; rows are written in the same transaction. */
  async #changeShape(sql: Queries): Promise<void> {
    const items = `${this.#schema}.items`;
    const { rows } = await sql.query(
      `SELECT attname AS name FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 5 AND NOT attisdropped`,
      [items],
    );
    const names = rows.map((row) => String(row['name']));
    if (names.includes('extra')) await sql.query(`ALTER TABLE ${items} RENAME COLUMN extra TO renamed`);
    else if (names.includes('renamed')) await sql.query(`ALTER TABLE ${items} DROP COLUMN renamed`);
    else await sql.query(`ALTER TABLE ${items} ADD COLUMN extra integer DEFAULT ${this.#random.int(1, 9)}`);
    await this.#statement(sql);
  }
}
