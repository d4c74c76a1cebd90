import { Buffer } from 'node:buffer';
import type { PostgresPool } from '@pgstream/postgres-client';
import { numberOrNull } from '../store/rows.ts';

export interface KeptRecord {
  readonly offset: number;
  /** Milliseconds since 1970. */
  readonly commitTimeMs: number;
  readonly record: Buffer;
}

/** What a subscription has in the store, as it is when its lane opens. */
export interface StoredCursor {
  readonly subscriptionId: string;
  /** Of a subscription that is new (`reached` is `null`) it is the LSN at which it begins. */
  readonly nextOffset: number;
  /** Everything up to there is settled or kept for it. */
  readonly reached: string | null;
}

export interface KeptState {
  /** Higher than any offset that was ever stored. */
  readonly nextOffset: number;
  readonly bytes: number;
}

/** What is kept of one stream, and how far it reaches. */
export interface KeptRange {
  /** The bound has taken what was before it. */
  readonly start: number;
  /** The last one; -1 where nothing is kept. */
  readonly last: number;
}

export interface KeptPage {
  readonly records: readonly KeptRecord[];
  /** As in {@link KeptRange}. */
  readonly start: number;
  readonly hasMore: boolean;
}

const MAX_ROWS = 1_000;

/** Records of one stream that a subscription which is behind has not had yet. */
export class KeptStore {
  readonly topic: string;
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool, topic: string) {
    this.#pool = pool;
    this.topic = topic;
  }

  async state(): Promise<KeptState> {
    const { rows } = await this.#pool.query(
      `SELECT (1 + greatest(
           (SELECT max(next_offset) FROM pgstream.webhook_cursor WHERE topic = $1),
           (SELECT max(log_offset) FROM pgstream.webhook_kept WHERE topic = $1),
           (SELECT max(log_offset) FROM pgstream.webhook_kept_start WHERE topic = $1),
           (SELECT max(log_offset) FROM pgstream.webhook_retry WHERE topic = $1),
           (SELECT max(log_offset) FROM pgstream.webhook_dead_letter WHERE topic = $1), 0))::text AS next_offset,
         (SELECT coalesce(sum(octet_length(record)), 0) FROM pgstream.webhook_kept WHERE topic = $1)::text AS bytes`,
      [this.topic],
    );
    return { nextOffset: Number(rows[0]?.['next_offset'] ?? 1), bytes: Number(rows[0]?.['bytes'] ?? 0) };
  }

  async cursors(): Promise<readonly StoredCursor[]> {
    const { rows } = await this.#pool.query(
      `SELECT subscription_id::text AS id, next_offset::text AS next_offset, reached
       FROM pgstream.webhook_cursor WHERE topic = $1 AND partition = 0`,
      [this.topic],
    );
    return rows.map(({ id, next_offset: nextOffset, reached }) => ({
      subscriptionId: String(id),
      nextOffset: Number(nextOffset),
      reached: typeof reached === 'string' ? reached : null,
    }));
  }

  async range(): Promise<KeptRange> {
    const { rows } = await this.#pool.query(
      `SELECT (SELECT log_offset FROM pgstream.webhook_kept_start WHERE topic = $1)::text AS start,
         (SELECT max(log_offset) FROM pgstream.webhook_kept WHERE topic = $1)::text AS last`,
      [this.topic],
    );
    return { start: numberOrNull(rows[0]?.['start']) ?? 0, last: numberOrNull(rows[0]?.['last']) ?? -1 };
  }

  /**
   * Durable when it resolves, together with how far the subscriptions are thereby provided for. Idempotent.
   * @param reached where these records end.
   * @returns false, and nothing is kept, where `epoch` is not the owner's any more.
   */
  async keep(
    epoch: string,
    records: readonly KeptRecord[],
    reached: string,
    subscriptionIds: readonly string[],
  ): Promise<boolean> {
    const { rows } = await this.#pool.query(
      `WITH owned AS (
         SELECT FROM pgstream.webhook_owner WHERE topic = $1 AND partition = 0 AND epoch = $2 FOR SHARE),
       kept AS (
         INSERT INTO pgstream.webhook_kept (topic, log_offset, commit_time, record)
         SELECT $1, g.log_offset, to_timestamp(g.commit_ms / 1000), g.record
         FROM unnest($3::bigint[], $4::float8[], $5::bytea[]) AS g(log_offset, commit_ms, record)
         WHERE EXISTS (SELECT FROM owned)
         ON CONFLICT (topic, log_offset) DO NOTHING),
       moved AS (
         UPDATE pgstream.webhook_cursor SET reached = greatest(reached, $6)
         WHERE topic = $1 AND partition = 0 AND subscription_id = ANY ($7::uuid[]) AND EXISTS (SELECT FROM owned))
       SELECT EXISTS (SELECT FROM owned) AS is_owned`,
      [
        this.topic,
        epoch,
        records.map(({ offset }) => offset),
        records.map(({ commitTimeMs }) => commitTimeMs),
        records.map(({ record }) => record),
        reached,
        subscriptionIds,
      ],
    );
    return rows[0]?.['is_owned'] === true;
  }

  /**
   * Records in `[from, below)`, in order, of about `maxBytes`, at least one where there is any; and where what is kept began
   * at that same moment, so that nothing can be given up unseen in between.
   */
  async read(from: number, below: number, maxBytes: number): Promise<KeptPage> {
    const { rows } = await this.#pool.query(
      `WITH page AS (
         SELECT log_offset, commit_time, record, sum(octet_length(record)) OVER (ORDER BY log_offset) AS upto,
           row_number() OVER (ORDER BY log_offset) AS at
         FROM (SELECT * FROM pgstream.webhook_kept WHERE topic = $1 AND log_offset >= $2 AND log_offset < $3
               ORDER BY log_offset LIMIT $5) AS next)
       SELECT s.start::text AS start, page.log_offset::text AS log_offset, page.record,
         (extract(epoch FROM page.commit_time) * 1000)::float8 AS commit_ms, (SELECT count(*) FROM page)::int AS found
       FROM (SELECT (SELECT log_offset FROM pgstream.webhook_kept_start WHERE topic = $1) AS start) AS s
       LEFT JOIN page ON page.at = 1 OR page.upto <= $4 ORDER BY page.log_offset`,
      [this.topic, from, below, maxBytes, MAX_ROWS],
    );
    const records = rows.flatMap(({ log_offset: offset, commit_ms: commitTimeMs, record }) =>
      record instanceof Uint8Array
        ? [{ offset: Number(offset), commitTimeMs: Number(commitTimeMs), record: Buffer.from(record) }]
        : [],
    );
    const found = Number(rows[0]?.['found'] ?? 0);
    const start = numberOrNull(rows[0]?.['start']) ?? 0;
    return { records, start, hasMore: found === MAX_ROWS || found > records.length };
  }

  /** Removes what no subscription needs any more. @returns the bytes that are gone. */
  async forgetSettled(): Promise<number> {
    const { rows } = await this.#pool.query(
      `WITH gone AS (
         DELETE FROM pgstream.webhook_kept WHERE topic = $1 AND log_offset < coalesce(
           (SELECT min(next_offset) FROM pgstream.webhook_cursor
            WHERE topic = $1 AND partition = 0 AND reached IS NOT NULL), 9223372036854775807)
         RETURNING octet_length(record) AS bytes)
       SELECT coalesce(sum(bytes), 0)::text AS bytes FROM gone`,
      [this.topic],
    );
    return Number(rows[0]?.['bytes'] ?? 0);
  }

  /** Gives up the oldest before `below` beyond `maxBytes`, and remembers that it did. @returns the bytes that are gone. */
  async giveUpBeyond(maxBytes: number, below: number): Promise<number> {
    const { rows } = await this.#pool.query(
      `WITH sized AS (
         SELECT log_offset, sum(octet_length(record)) OVER (ORDER BY log_offset DESC) AS bytes
         FROM pgstream.webhook_kept WHERE topic = $1),
       cut AS (SELECT max(log_offset) AS last FROM sized WHERE bytes > $2 AND log_offset < $3),
       gone AS (
         DELETE FROM pgstream.webhook_kept WHERE topic = $1 AND log_offset <= (SELECT last FROM cut)
         RETURNING octet_length(record) AS bytes),
       started AS (
         INSERT INTO pgstream.webhook_kept_start AS s (topic, log_offset)
         SELECT $1, last + 1 FROM cut WHERE last IS NOT NULL
         ON CONFLICT (topic) DO UPDATE SET log_offset = greatest(s.log_offset, excluded.log_offset))
       SELECT coalesce(sum(bytes), 0)::text AS bytes FROM gone`,
      [this.topic, maxBytes, below],
    );
    return Number(rows[0]?.['bytes'] ?? 0);
  }

  /** The epoch of the owner of the stream, as the store has it; empty where it has none. */
  async ownerEpoch(): Promise<string> {
    const { rows } = await this.#pool.query(
      'SELECT epoch::text AS epoch FROM pgstream.webhook_owner WHERE topic = $1 AND partition = 0',
      [this.topic],
    );
    const epoch = rows[0]?.['epoch'];
    return typeof epoch === 'string' ? epoch : '';
  }
}
