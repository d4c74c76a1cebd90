import type { Queries } from '@pgstream/postgres-client';

export interface Workload {
  readonly name: string;
  readonly table: string;
  /** Rows that the slot delivers. */
  readonly rows: number;
  /** The first of them, which are not counted: a process that has just started compiles its code meanwhile. */
  readonly warmUpRows: number;
  readonly create: string;
  readonly load: string;
}

/** 600,000 inserts and 600,000 updates of five columns, a hundred to a transaction. */
export const NARROW = narrowOf(1_200_000);

/** Inserts, then updates of five columns, half and half, a hundred to a transaction. @param rows a multiple of 200 */
export function narrowOf(rows: number): Workload {
  const last = rows / 200 - 1;
  return {
    name: 'narrow',
    table: 'narrow',
    rows,
    warmUpRows: rows / 6,
    create: `CREATE TABLE narrow (id bigint PRIMARY KEY, acct int NOT NULL, delta int NOT NULL, balance bigint NOT NULL, ts timestamptz NOT NULL)`,
    load: `DO $$ BEGIN
    FOR t IN 0..${last} LOOP
      INSERT INTO narrow SELECT t * 100 + g, (random() * 100000)::int, (random() * 10000 - 5000)::int,
        (random() * 1e12)::bigint, clock_timestamp() FROM generate_series(0, 99) g;
      COMMIT;
    END LOOP;
    FOR t IN 0..${last} LOOP
      UPDATE narrow SET delta = delta + 1, balance = balance + delta, ts = clock_timestamp()
       WHERE id BETWEEN t * 100 AND t * 100 + 99;
      COMMIT;
    END LOOP;
  END $$`,
  };
}

export const WIDE = wideOf(400_000);

/** Rows of about 505 bytes in ten columns of common types, a hundred to a transaction. @param rows a multiple of 100 */
export function wideOf(rows: number): Workload {
  return {
    name: 'wide',
    table: 'wide',
    rows,
    warmUpRows: rows / 4,
    create: `CREATE TABLE wide (id bigint PRIMARY KEY, uid uuid NOT NULL, name text NOT NULL, email text, descr text,
    amount numeric(20,4), qty int, active boolean, attrs jsonb, updated_at timestamptz)`,
    load: `DO $$ BEGIN
    FOR t IN 0..${rows / 100 - 1} LOOP
      INSERT INTO wide SELECT t * 100 + g, gen_random_uuid(), 'Customer "' || md5(random()::text) || '"',
        md5(random()::text) || '@example.com', repeat(md5(random()::text), 7) || E'\\n' || 'é',
        (random() * 1e9)::numeric(20,4), (random() * 1000)::int, random() < 0.5,
        jsonb_build_object('k', (random() * 1e6)::int, 'tag', md5(random()::text), 'list', jsonb_build_array(1, 2, 3)),
        clock_timestamp() FROM generate_series(0, 99) g;
      COMMIT;
    END LOOP;
  END $$`,
  };
}

export async function createTables(sql: Queries, workloads: readonly Workload[]): Promise<void> {
  for (const { create } of workloads) await sql.query(create);
}
