import type { Queries } from '@pgstream/postgres-client';
import type { Random } from './random.ts';

const KEYS = 400;
const STATEMENTS = [
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
] as const;

interface Part {
  readonly schema: string;
  /** The entry's number in `ledger`. */
  readonly n: number;
  readonly ddl: boolean;
}

/** What one transaction does in one schema, the entry in `ledger` included. */
export class SchemaTransaction {
  readonly #random: Random;
  readonly #part: Part;
  readonly #sql: Queries;
  /** Rows inserted, updated and deleted, and tables truncated, so far. */
  #changes = 0;

  constructor(random: Random, part: Part, sql: Queries) {
    this.#random = random;
    this.#part = part;
    this.#sql = sql;
  }

  /** @returns changes made, the entry not counted. */
  async run(): Promise<number> {
    const { schema, n } = this.#part;
    await this.#work();
    await this.#sql.query(`INSERT INTO ${schema}.ledger VALUES ($1, $2)`, [n, this.#changes]);
    return this.#changes;
  }

  async #work(): Promise<void> {
    const random = this.#random;
    const dice = random.next();
    if (this.#part.ddl && dice < 0.004) return this.#changeShape();
    if (dice < 0.03) return this.#bulk(random.int(50, 1_000));
    const statements = random.int(1, 6);
    for (let i = 0; i < statements; i++) await this.#statement();
    if (dice > 0.9) await this.#rolledBack();
  }

  async #statement(): Promise<void> {
    const random = this.#random;
    const items = `${this.#part.schema}.items`;
    const id = random.int(1, KEYS);
    switch (random.pick(STATEMENTS)) {
      case 'upsert':
        return this.#change(
          `INSERT INTO ${items} (id, version, label, amount, big) VALUES ($1, 1, $2, $3, repeat($2, 700))
             ON CONFLICT (id) DO UPDATE SET version = items.version + 1, label = excluded.label`,
          [id, `label ${random.int(0, 99)}`, `${random.int(0, 9_999)}.50`],
        );
      case 'version':
        return this.#change(`UPDATE ${items} SET version = version + 1 WHERE id BETWEEN $1 AND $1 + 5`, [id]);
      case 'big':
        return this.#change(
          `UPDATE ${items} SET version = version + 1, big = repeat($2, 800) WHERE id = $1`,
          [id, `${id} `],
        );
      case 'key':
        return this.#change(
          `UPDATE ${items} SET id = $2, version = version + 1
            WHERE id = $1 AND NOT EXISTS (SELECT FROM ${items} WHERE id = $2)`,
          [id, random.int(1, KEYS)],
        );
      case 'delete':
        return this.#change(`DELETE FROM ${items} WHERE id BETWEEN $1 AND $1 + 3`, [id]);
      case 'pair':
        return this.#pair();
      case 'short':
        return this.#shortLived();
    }
  }

  async #pair(): Promise<void> {
    const random = this.#random;
    await this.#change(
      `INSERT INTO ${this.#part.schema}.pairs VALUES ($1, $2, 1) ON CONFLICT (a, b) DO UPDATE SET version = pairs.version + 1`,
      [random.int(1, 20), random.pick(['x/y', "it's", 'ß', ''])],
    );
  }

  async #shortLived(): Promise<void> {
    const random = this.#random;
    const table = `${this.#part.schema}.short_lived`;
    if (random.next() < 0.01) {
      await this.#sql.query(`TRUNCATE ${table}`);
      this.#changes += 1;
    }
    await this.#change(
      `INSERT INTO ${table} SELECT $1::bigint, 1 ON CONFLICT (id) DO UPDATE SET version = short_lived.version + 1`,
      [random.int(1, 50)],
    );
  }

  async #bulk(rows: number): Promise<void> {
    const from = 1_000 + this.#random.int(0, 500);
    await this.#change(
      `INSERT INTO ${this.#part.schema}.items (id, version, label)
         SELECT i, 1, 'row ' || i FROM generate_series($1::bigint, $2::bigint) i
         ON CONFLICT (id) DO UPDATE SET version = items.version + 1`,
      [from, from + rows],
    );
  }

  async #rolledBack(): Promise<void> {
    const before = this.#changes;
    await this.#sql.query('SAVEPOINT attempt');
    await this.#change(`UPDATE ${this.#part.schema}.items SET version = version + 1000`, []);
    await this.#sql.query('ROLLBACK TO SAVEPOINT attempt');
    this.#changes = before;
    await this.#statement();
  }

  /** `extra` comes, changes its name and goes; rows are written in the same transaction. */
  async #changeShape(): Promise<void> {
    const items = `${this.#part.schema}.items`;
    const { rows } = await this.#sql.query(
      `SELECT attname AS name FROM pg_attribute
        WHERE attrelid = $1::regclass AND attnum > 5 AND NOT attisdropped`,
      [items],
    );
    const names = rows.map((row) => String(row['name']));
    if (names.includes('extra')) await this.#sql.query(`ALTER TABLE ${items} RENAME COLUMN extra TO renamed`);
    else if (names.includes('renamed')) await this.#sql.query(`ALTER TABLE ${items} DROP COLUMN renamed`);
    else
      await this.#sql.query(
        `ALTER TABLE ${items} ADD COLUMN extra integer DEFAULT ${this.#random.int(1, 9)}`,
      );
    await this.#statement();
  }

  async #change(text: string, params: readonly unknown[]): Promise<void> {
    const { rows } = await this.#sql.query(`${text} RETURNING 1`, params);
    this.#changes += rows.length;
  }
}
