import { randomUUID } from 'node:crypto';
import type { PostgresPool, Queries } from '@pgstream/postgres-client';
import type { Subscription, SubscriptionState } from '../subscription.ts';
import { SUBSCRIPTION_COLUMNS, subscriptionOf, tlsOwner } from './rows.ts';
import type { SecretBox } from './secret-box.ts';

/** What a subscription is made of; the rest is given to it. */
export type SubscriptionSpec = Omit<
  Subscription,
  'id' | 'state' | 'stateReason' | 'failingSinceMs' | 'createdAtMs'
>;

/** Where a new subscription begins: next offsets by partition. */
export interface StartOffsets {
  readonly topic: string;
  readonly next: ReadonlyMap<number, number>;
}

export interface ListOptions {
  readonly afterId?: string;
  readonly limit: number;
}

/** Subscriptions and their secrets. Every change raises one version, by which workers learn of it. */
export class SubscriptionStore {
  readonly #pool: PostgresPool;
  readonly #box: SecretBox;

  constructor(pool: PostgresPool, box: SecretBox) {
    this.#pool = pool;
    this.#box = box;
  }

  /** Another one whenever something changed. */
  async version(): Promise<string> {
    const { rows } = await this.#pool.query('SELECT version::text AS version FROM pgstream.webhook_state');
    return String(rows[0]?.['version']);
  }

  /** Version and subscriptions as of one moment. */
  async all(): Promise<{ readonly version: string; readonly subscriptions: readonly Subscription[] }> {
    const { rows } = await this.#pool.query(
      `SELECT v.version::text AS version, ${SUBSCRIPTION_COLUMNS}
       FROM pgstream.webhook_state v LEFT JOIN pgstream.webhook_subscription s ON true ORDER BY s.created_at, s.id`,
    );
    return {
      version: String(rows[0]?.['version']),
      subscriptions: rows.filter((row) => row['id'] !== null).map((row) => subscriptionOf(row, this.#box)),
    };
  }

  /** In the order of their ids. */
  async list({ afterId, limit }: ListOptions): Promise<readonly Subscription[]> {
    const { rows } = await this.#pool.query(
      `SELECT ${SUBSCRIPTION_COLUMNS} FROM pgstream.webhook_subscription s
       WHERE $1::uuid IS NULL OR s.id > $1 ORDER BY s.id LIMIT $2`,
      [afterId ?? null, limit],
    );
    return rows.map((row) => subscriptionOf(row, this.#box));
  }

  async find(id: string): Promise<Subscription | undefined> {
    const { rows } = await this.#pool.query(
      `SELECT ${SUBSCRIPTION_COLUMNS} FROM pgstream.webhook_subscription s WHERE s.id = $1`,
      [id],
    );
    return rows[0] === undefined ? undefined : subscriptionOf(rows[0], this.#box);
  }

  /**
   * When it resolves, nothing that is committed to the log later is missed.
   * @param id of one that may have been made already: then it stays as it is.
   * @returns the id.
   */
  async create(spec: SubscriptionSpec, start: StartOffsets, id: string = randomUUID()): Promise<string> {
    return await this.#changing(async (sql) => {
      const { rows } = await sql.query(
        `INSERT INTO pgstream.webhook_subscription
          (url, description, origin, legacy_schema, legacy_table, body_format, filters, ordering, max_in_flight,
           rate_per_second, timeout_ms, id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING RETURNING id`,
        [...insertValues(spec), id],
      );
      if (rows.length > 0) await this.#fill(sql, id, spec, start);
      return id;
    });
  }

  /**
   * The legacy subscribe: one per (url, schema, table). One that is there keeps its place in the log, takes the new event
   * types, secret and headers, and is active again.
   */
  async subscribe(spec: SubscriptionSpec, start: StartOffsets): Promise<string> {
    return await this.#changing(async (sql) => {
      const values = insertValues(spec);
      const { rows } = await sql.query(
        `INSERT INTO pgstream.webhook_subscription AS s
          (url, description, origin, legacy_schema, legacy_table, body_format, filters, ordering, max_in_flight,
           rate_per_second, timeout_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (md5(url), legacy_schema, legacy_table) WHERE origin = 'legacy' DO UPDATE
          SET filters = excluded.filters, state = 'active', state_reason = '', failing_since = NULL, updated_at = now()
        RETURNING id::text AS id, xmax = 0 AS made`,
        values,
      );
      const id = String(rows[0]?.['id']);
      await this.#fill(sql, id, spec, rows[0]?.['made'] === true ? start : { ...start, next: new Map() });
      return id;
    });
  }

  /** @returns false where there was none. */
  async unsubscribe(url: string, schema: string, table: string): Promise<boolean> {
    return await this.#changing(async (sql) => {
      const { rows } = await sql.query(
        `DELETE FROM pgstream.webhook_subscription
         WHERE origin = 'legacy' AND url = $1 AND legacy_schema = $2 AND legacy_table = $3 RETURNING id`,
        [url, schema, table],
      );
      return rows.length > 0;
    });
  }

  async remove(id: string): Promise<boolean> {
    return await this.#changing(async (sql) => {
      const { rows } = await sql.query(
        'DELETE FROM pgstream.webhook_subscription WHERE id = $1 RETURNING id',
        [id],
      );
      return rows.length > 0;
    });
  }

  /**
   * Replaces what `spec` holds, apart from origin and secrets. With other filters, what is settled beyond the cursors is
   * forgotten: an event that is wanted now may stand before it.
   */
  async update(id: string, spec: SubscriptionSpec): Promise<boolean> {
    return await this.#changing(async (sql) => {
      await sql.query(
        `UPDATE pgstream.webhook_cursor SET ahead = '' WHERE subscription_id = $1 AND EXISTS
           (SELECT FROM pgstream.webhook_subscription WHERE id = $1 AND filters <> $2::jsonb)`,
        [id, filtersJson(spec)],
      );
      const { rows } = await sql.query(
        `UPDATE pgstream.webhook_subscription SET url = $2, description = $3, body_format = $4, filters = $5,
           ordering = $6, max_in_flight = $7, rate_per_second = $8, timeout_ms = $9, headers = $10, tls = $11,
           max_payload_bytes = $12, updated_at = now()
         WHERE id = $1 RETURNING id`,
        [
          id,
          spec.url,
          spec.description,
          spec.format,
          filtersJson(spec),
          spec.ordering,
          spec.maxInFlight,
          spec.ratePerSecond,
          spec.timeoutMs,
          this.#sealedHeaders(id, spec.headers),
          this.#sealedTls(id, spec),
          spec.maxPayloadBytes,
        ],
      );
      return rows.length > 0;
    });
  }

  /** @returns false where it is gone. */
  async setState(id: string, state: SubscriptionState, reason: string): Promise<boolean> {
    return await this.#changing(async (sql) => {
      const { rows } = await sql.query(
        `UPDATE pgstream.webhook_subscription SET state = $2, state_reason = $3, updated_at = now(),
           failing_since = CASE WHEN $2 = 'active' THEN NULL ELSE failing_since END
         WHERE id = $1 RETURNING id`,
        [id, state, reason],
      );
      return rows.length > 0;
    });
  }

  /** Since when nothing succeeded, the earliest that any worker saw; `null` after a success. Changes no version. */
  async noteFailing(id: string, sinceMs: number | null): Promise<number | null> {
    const { rows } = await this.#pool.query(
      `UPDATE pgstream.webhook_subscription
       SET failing_since = CASE WHEN $2::float8 IS NULL THEN NULL
         ELSE least(failing_since, to_timestamp($2::float8 / 1000)) END
       WHERE id = $1 RETURNING (extract(epoch FROM failing_since) * 1000)::float8 AS since`,
      [id, sinceMs],
    );
    const since = rows[0]?.['since'];
    return since === null || since === undefined ? null : Number(since);
  }

  /** The new secret signs at once, beside the old ones, which stay valid until `oldValidUntilMs`. */
  async rotateSecret(id: string, secret: string, oldValidUntilMs: number): Promise<void> {
    await this.#changing(async (sql) => {
      await sql.query(
        `UPDATE pgstream.webhook_secret SET valid_until = least(valid_until, to_timestamp($2::float8 / 1000))
         WHERE subscription_id = $1`,
        [id, oldValidUntilMs],
      );
      await sql.query(
        'DELETE FROM pgstream.webhook_secret WHERE subscription_id = $1 AND valid_until <= now()',
        [id],
      );
      await this.#addSecret(sql, id, secret);
    });
  }

  async #fill(
    sql: Queries,
    id: string,
    spec: SubscriptionSpec,
    { topic, next }: StartOffsets,
  ): Promise<void> {
    const { headers, secrets } = spec;
    if (Object.keys(headers).length > 0) {
      const sealed = this.#sealedHeaders(id, headers);
      await sql.query('UPDATE pgstream.webhook_subscription SET headers = $2 WHERE id = $1', [id, sealed]);
    }
    if (spec.tls !== null || spec.maxPayloadBytes !== null) {
      await sql.query(
        'UPDATE pgstream.webhook_subscription SET tls = $2, max_payload_bytes = $3 WHERE id = $1',
        [id, this.#sealedTls(id, spec), spec.maxPayloadBytes],
      );
    }
    if (secrets.length > 0)
      await sql.query('DELETE FROM pgstream.webhook_secret WHERE subscription_id = $1', [id]);
    // oxlint-disable-next-line no-await-in-loop -- nearly always one
    for (const secret of secrets.toReversed()) await this.#addSecret(sql, id, secret);
    await sql.query(
      `INSERT INTO pgstream.webhook_cursor (subscription_id, topic, partition, next_offset)
       SELECT $1, $2, v.partition, v.next_offset FROM unnest($3::int[], $4::bigint[]) AS v(partition, next_offset)`,
      [id, topic, [...next.keys()], [...next.values()]],
    );
  }

  async #addSecret(sql: Queries, id: string, secret: string): Promise<void> {
    await sql.query('INSERT INTO pgstream.webhook_secret (subscription_id, sealed) VALUES ($1, $2)', [
      id,
      this.#box.seal(secret, id),
    ]);
  }

  #sealedHeaders(id: string, headers: Readonly<Record<string, string>>): Uint8Array | null {
    return Object.keys(headers).length === 0 ? null : this.#box.seal(JSON.stringify(headers), id);
  }

  #sealedTls(id: string, { tls }: SubscriptionSpec): Uint8Array | null {
    return tls === null ? null : this.#box.seal(JSON.stringify(tls), tlsOwner(id));
  }

  /** One transaction; the row of the version makes changes come one after the other. */
  async #changing<T>(work: (sql: Queries) => Promise<T>): Promise<T> {
    return await this.#pool.transaction(async (sql) => {
      await sql.query('UPDATE pgstream.webhook_state SET version = version + 1');
      return await work(sql);
    });
  }
}

function insertValues(spec: SubscriptionSpec): unknown[] {
  return [
    spec.url,
    spec.description,
    spec.origin,
    spec.legacy?.schema ?? '',
    spec.legacy?.table ?? '',
    spec.format,
    filtersJson(spec),
    spec.ordering,
    spec.maxInFlight,
    spec.ratePerSecond,
    spec.timeoutMs,
  ];
}

function filtersJson({ legacy, filters }: SubscriptionSpec): string {
  return JSON.stringify(legacy === null ? filters : legacy.eventTypes);
}
