/** The WAL that every system drains while it is killed. */
export interface CrashLoad {
  readonly table: string;
  /** For people. */
  readonly title: string;
  /** Keys that are inserted and then updated; one more ends the log. */
  readonly keys: number;
  /** Records that a log without loss and duplicates has. */
  readonly rows: number;
  readonly create: string;
  /** Run one after the other. */
  readonly write: readonly string[];
}

const ROWS_PER_TRANSACTION = 100;

/** One-row transactions cost the writer a commit each: a fifth of the rows. */
export function crashLoads(rows: number): readonly CrashLoad[] {
  return [
    load('batched', `${ROWS_PER_TRANSACTION} rows per transaction`, { rows, size: ROWS_PER_TRANSACTION }),
    load('single', 'one row per transaction', { rows: rows / 5, size: 1 }),
  ];
}

function load(table: string, title: string, { rows, size }: { rows: number; size: number }): CrashLoad {
  const transactions = Math.ceil(rows / 2 / size);
  const keys = transactions * size;
  const loop = (statement: string) =>
    `DO $$ BEGIN FOR t IN 0..${transactions - 1} LOOP ${statement} COMMIT; END LOOP; END $$`;
  return {
    table,
    title,
    keys,
    rows: keys * 2 + 1,
    create: `CREATE TABLE ${table} (id bigint PRIMARY KEY, version int NOT NULL, amount bigint NOT NULL, note text NOT NULL, at timestamptz NOT NULL)`,
    write: [
      loop(
        `INSERT INTO ${table} SELECT t * ${size} + g, 1, (random() * 1e12)::bigint, md5(random()::text), clock_timestamp() FROM generate_series(0, ${size - 1}) g;`,
      ),
      loop(
        `UPDATE ${table} SET version = 2, amount = amount + 1, at = clock_timestamp() WHERE id BETWEEN t * ${size} AND t * ${size} + ${size - 1};`,
      ),
      `INSERT INTO ${table} VALUES (${keys}, 1, 0, 'the end', clock_timestamp())`,
    ],
  };
}

/** Sizes of the log at which its system is killed: the first at a quarter, the others evenly before the end. */
export function killPoints(rows: number, kills: number): readonly number[] {
  return Array.from({ length: kills }, (_, i) => Math.round(rows * (0.25 + (0.7 * i) / kills)));
}
