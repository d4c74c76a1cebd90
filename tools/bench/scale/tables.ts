import type { Queries } from '@pgstream/postgres-client';

/** Tables of the five narrow columns; what is loaded again and again gets ids of its own. */
const COLUMNS = `(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, acct int NOT NULL, delta int NOT NULL,
  balance bigint NOT NULL, ts timestamptz NOT NULL)`;
const ROW = '(random() * 100000)::int, (random() * 10000)::int, (random() * 1e12)::bigint, clock_timestamp()';
export const ROWS_PER_TRANSACTION = 100;

/** So many tables, `perSchema` to a schema `PREFIX_1`, `PREFIX_2` …; answers their names. Each is a transaction of its own. */
export async function createTables(
  sql: Queries,
  prefix: string,
  { tables, perSchema }: { readonly tables: number; readonly perSchema: number },
): Promise<string[]> {
  const schemas = Math.ceil(tables / perSchema);
  await sql.query(`DO $$ BEGIN
    FOR s IN 1..${schemas} LOOP
      EXECUTE 'CREATE SCHEMA ${prefix}_' || s;
      FOR t IN 1..LEAST(${perSchema}, ${tables} - (s - 1) * ${perSchema}) LOOP
        EXECUTE 'CREATE TABLE ${prefix}_' || s || '.t_' || t || ' ${COLUMNS}';
      END LOOP;
      COMMIT;
    END LOOP;
  END $$`);
  return Array.from({ length: tables }, (_, i) => {
    return `${prefix}_${1 + Math.floor(i / perSchema)}.t_${1 + (i % perSchema)}`;
  });
}

/** Small transactions, each into one table, the tables in turn. @param rows a multiple of a hundred */
export async function loadInTurn(sql: Queries, tables: readonly string[], rows: number): Promise<void> {
  const names = tables.map((name) => `'${name}'`).join(',');
  await sql.query(`DO $$ DECLARE names text[] := ARRAY[${names}]; BEGIN
    FOR t IN 0..${rows / ROWS_PER_TRANSACTION - 1} LOOP
      EXECUTE 'INSERT INTO ' || names[1 + t % ${tables.length}] ||
        ' (acct, delta, balance, ts) SELECT ${ROW} FROM generate_series(1, ${ROWS_PER_TRANSACTION})';
      COMMIT;
    END LOOP;
  END $$`);
}

export async function loadAtOnce(sql: Queries, table: string, rows: number): Promise<void> {
  await sql.query(
    `INSERT INTO ${table} (acct, delta, balance, ts) SELECT ${ROW} FROM generate_series(1, ${rows})`,
  );
}
