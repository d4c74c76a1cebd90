import type { PostgresPool, Queries } from '@pgstream/postgres-client';
import type { StartOffsets } from './subscription-store.ts';

export interface TakenOver {
  readonly subscriptions: number;
  /** Disabled, because nothing could ever be sent to their URL. */
  readonly unusable: number;
}

export interface TakeOverOptions {
  /** Where they begin. */
  readonly start: StartOffsets;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
}

interface OriginalRow {
  readonly url: string;
  readonly schema: string;
  readonly table: string;
  readonly eventTypes: readonly string[];
}

const IS_THERE = `SELECT original_taken_at IS NULL AND to_regclass('pgstream.webhook_subscriptions') IS NOT NULL AS found
  FROM pgstream.webhook_state`;

/** What the original wrote to `pgstream.webhook_subscriptions`. That table is read once and left as it is. */
export class OriginalSubscriptions {
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** Whether there is a table of the original that was not taken over yet. */
  async areThere(): Promise<boolean> {
    const { rows } = await this.#pool.query(IS_THERE);
    return rows[0]?.['found'] === true;
  }

  /**
   * Makes them subscriptions of ours, as POST /webhooks/subscribe would. One that is subscribed here already stays as it is.
   * @returns `undefined` where another process was faster.
   */
  async takeOver(options: TakeOverOptions): Promise<TakenOver | undefined> {
    return await this.#pool.transaction(async (sql) => {
      // Its lock makes processes that start together come one after the other.
      await sql.query('UPDATE pgstream.webhook_state SET version = version + 1');
      const { rows } = await sql.query(IS_THERE);
      if (rows[0]?.['found'] !== true) return undefined;
      const originals = await readOriginals(sql);
      let subscriptions = 0;
      // oxlint-disable-next-line no-await-in-loop -- once, on one connection
      for (const row of originals) if (await insert(sql, row, options)) subscriptions++;
      await sql.query('UPDATE pgstream.webhook_state SET original_taken_at = now()');
      return { subscriptions, unusable: originals.filter(({ url }) => !isUsable(url)).length };
    });
  }
}

async function readOriginals(sql: Queries): Promise<readonly OriginalRow[]> {
  const { rows } = await sql.query(
    'SELECT url, schema_name, table_name, event_types FROM pgstream.webhook_subscriptions ORDER BY 1, 2, 3',
  );
  return rows.map(({ url, schema_name: schema, table_name: table, event_types: types }) => ({
    url: String(url),
    schema: typeof schema === 'string' ? schema : '',
    table: typeof table === 'string' ? table : '',
    eventTypes: Array.isArray(types) ? types.map(String) : [],
  }));
}

/** @returns false where it is subscribed already. */
async function insert(
  sql: Queries,
  { url, schema, table, eventTypes }: OriginalRow,
  { start, timeoutMs, maxInFlight }: TakeOverOptions,
): Promise<boolean> {
  const isActive = isUsable(url);
  const { rows } = await sql.query(
    `WITH made AS (
       INSERT INTO pgstream.webhook_subscription
         (url, origin, legacy_schema, legacy_table, body_format, filters, ordering, max_in_flight, timeout_ms, state, state_reason)
       VALUES ($1, 'legacy', $2, $3, 'pgstream', $4, 'key', $5, $6, $7, $8)
       ON CONFLICT (md5(url), legacy_schema, legacy_table) WHERE origin = 'legacy' DO NOTHING RETURNING id),
     placed AS (
       INSERT INTO pgstream.webhook_cursor (subscription_id, topic, partition, next_offset)
       SELECT made.id, $9, v.partition, v.next_offset
       FROM made, unnest($10::int[], $11::bigint[]) AS v(partition, next_offset))
     SELECT id FROM made`,
    [
      url,
      schema,
      table,
      JSON.stringify(eventTypes),
      maxInFlight,
      timeoutMs,
      isActive ? 'active' : 'disabled',
      isActive ? '' : 'taken over with a URL that cannot be called',
      start.topic,
      [...start.next.keys()],
      [...start.next.values()],
    ],
  );
  return rows.length > 0;
}

/** Whether it may be called is asked at each delivery: until an address is allowed, the events wait. */
function isUsable(url: string): boolean {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && new URL(url).hostname !== '';
}
