import { Buffer } from 'node:buffer';
import type { PostgresPool } from '@pgstream/postgres-client';

/** Names one event of one subscription; the topic is the store's. */
export interface EventRef {
  readonly subscriptionId: string;
  readonly partition: number;
  readonly offset: number;
}

export interface ParkedRow extends EventRef {
  readonly keyHashes: readonly string[];
  /** Deliveries that failed so far. */
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly nextAtMs: number;
}

export interface NewlyParked extends ParkedRow {
  readonly eventId: string;
  readonly lastStatus: number | null;
  readonly lastError: string;
  readonly record: Buffer;
}

export interface Postponed {
  readonly attempts: number;
  readonly nextAtMs: number;
  readonly lastStatus: number | null;
  readonly lastError: string;
}

export interface NewLetter {
  readonly eventId: string;
  /** Deliveries that were tried. */
  readonly attempts: number;
  readonly reason: string;
  readonly record: Buffer;
}

export interface DeadLetterRow extends EventRef {
  readonly id: string;
  readonly eventId: string;
  readonly attempts: number;
  readonly reason: string;
  readonly at: string;
}

const KEY = 'subscription_id = $1 AND topic = $2 AND partition = $3 AND log_offset = $4';

/** Events that wait outside the log, each until it is delivered, and those that were given up. */
export class RetryStore {
  readonly #pool: PostgresPool;
  readonly #topic: string;

  constructor(pool: PostgresPool, topic: string) {
    this.#pool = pool;
    this.#topic = topic;
  }

  /** In the order of the log. */
  async ofPartition(partition: number): Promise<readonly ParkedRow[]> {
    const { rows } = await this.#pool.query(
      `SELECT subscription_id::text AS id, log_offset::text AS log_offset, key_hashes, attempts,
         (extract(epoch FROM next_at) * 1000)::float8 AS next_at_ms
       FROM pgstream.webhook_retry WHERE topic = $1 AND partition = $2 ORDER BY webhook_retry.log_offset`,
      [this.#topic, partition],
    );
    return rows.map((row) => ({
      subscriptionId: String(row['id']),
      partition,
      offset: Number(row['log_offset']),
      keyHashes: Array.isArray(row['key_hashes']) ? row['key_hashes'].map(String) : [],
      attempts: Number(row['attempts']),
      nextAtMs: Number(row['next_at_ms']),
    }));
  }

  /** Resolves when it is durable. Idempotent, also where a restart gave the event another offset. Of a subscription that is gone nothing is kept. */
  async park(event: NewlyParked): Promise<void> {
    await this.#pool.query(
      `INSERT INTO pgstream.webhook_retry
         (subscription_id, topic, partition, log_offset, event_id, key_hashes, attempts, next_at, last_status, last_error, record)
       SELECT s.id, $2, $3, $4, $5, $6, $7, to_timestamp($8::float8 / 1000), $9, $10, $11
       FROM pgstream.webhook_subscription s
       WHERE s.id = $1 AND NOT EXISTS (SELECT FROM pgstream.webhook_retry
         WHERE subscription_id = $1 AND topic = $2 AND partition = $3 AND event_id = $5)
       FOR KEY SHARE OF s
       ON CONFLICT (subscription_id, topic, partition, log_offset) DO NOTHING`,
      [
        ...this.#key(event),
        event.eventId,
        event.keyHashes,
        event.attempts,
        event.nextAtMs,
        event.lastStatus,
        event.lastError,
        event.record,
      ],
    );
  }

  /** The record of a parked event; `undefined` when it is not parked any more. */
  async recordOf(event: EventRef): Promise<Buffer | undefined> {
    const { rows } = await this.#pool.query(
      `SELECT record FROM pgstream.webhook_retry WHERE ${KEY}`,
      this.#key(event),
    );
    const record = rows[0]?.['record'];
    return record instanceof Uint8Array ? Buffer.from(record) : undefined;
  }

  async postpone(event: EventRef, { attempts, nextAtMs, lastStatus, lastError }: Postponed): Promise<void> {
    await this.#pool.query(
      `UPDATE pgstream.webhook_retry SET attempts = $5, next_at = to_timestamp($6::float8 / 1000), last_status = $7,
         last_error = $8 WHERE ${KEY}`,
      [...this.#key(event), attempts, nextAtMs, lastStatus, lastError],
    );
  }

  async delivered(event: EventRef): Promise<void> {
    await this.#pool.query(`DELETE FROM pgstream.webhook_retry WHERE ${KEY}`, this.#key(event));
  }

  /** Given up: kept as a dead letter. */
  async giveUp(event: EventRef, reason: string): Promise<void> {
    await this.#pool.query(
      `WITH gone AS (DELETE FROM pgstream.webhook_retry WHERE ${KEY} RETURNING *)
       INSERT INTO pgstream.webhook_dead_letter
         (subscription_id, topic, partition, log_offset, event_id, attempts, reason, record)
       SELECT subscription_id, topic, partition, log_offset, event_id, attempts + 1, $5, record FROM gone
       ON CONFLICT (subscription_id, topic, partition, log_offset) DO NOTHING`,
      [...this.#key(event), reason],
    );
  }

  /** Given up without having been parked: kept as a dead letter. Idempotent. Of a subscription that is gone nothing is kept. */
  async deadLetter(event: EventRef, letter: NewLetter): Promise<void> {
    await this.#pool.query(
      `INSERT INTO pgstream.webhook_dead_letter
         (subscription_id, topic, partition, log_offset, event_id, attempts, reason, record)
       SELECT $1, $2, $3, $4, $5, $6, $7, $8
       WHERE EXISTS (SELECT FROM pgstream.webhook_subscription WHERE id = $1)
       ON CONFLICT (subscription_id, topic, partition, log_offset) DO NOTHING`,
      [...this.#key(event), letter.eventId, letter.attempts, letter.reason, letter.record],
    );
  }

  async parkedCount(subscriptionId: string): Promise<number> {
    const { rows } = await this.#pool.query(
      'SELECT count(*)::int AS parked FROM pgstream.webhook_retry WHERE subscription_id = $1 AND topic = $2',
      [subscriptionId, this.#topic],
    );
    return Number(rows[0]?.['parked'] ?? 0);
  }

  /** The oldest first. */
  async deadLetters(options: {
    readonly subscriptionId?: string;
    readonly afterId?: string;
    readonly limit: number;
  }): Promise<readonly DeadLetterRow[]> {
    const { rows } = await this.#pool.query(
      `SELECT id::text AS id, subscription_id::text AS subscription_id, partition, log_offset::text AS log_offset,
         event_id, attempts, reason, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
       FROM pgstream.webhook_dead_letter
       WHERE topic = $1 AND ($2::uuid IS NULL OR subscription_id = $2) AND ($3::bigint IS NULL OR id > $3)
       ORDER BY webhook_dead_letter.id LIMIT $4`,
      [this.#topic, options.subscriptionId ?? null, options.afterId ?? null, options.limit],
    );
    return rows.map((row) => ({
      id: String(row['id']),
      subscriptionId: String(row['subscription_id']),
      partition: Number(row['partition']),
      offset: Number(row['log_offset']),
      eventId: String(row['event_id']),
      attempts: Number(row['attempts']),
      reason: String(row['reason']),
      at: String(row['at']),
    }));
  }

  /** Back among the parked events, due at once; workers learn of it by the version. @returns false where it is not. */
  async retryDeadLetter(id: string): Promise<boolean> {
    return await this.#pool.transaction(async (sql) => {
      await sql.query('UPDATE pgstream.webhook_state SET version = version + 1');
      const { rows } = await sql.query(
        `WITH gone AS (DELETE FROM pgstream.webhook_dead_letter WHERE id = $1 AND topic = $2 RETURNING *)
         INSERT INTO pgstream.webhook_retry
           (subscription_id, topic, partition, log_offset, event_id, key_hashes, attempts, next_at, last_error, record)
         SELECT subscription_id, topic, partition, log_offset, event_id, '{}', 0, now(), reason, record FROM gone
         ON CONFLICT (subscription_id, topic, partition, log_offset) DO NOTHING RETURNING log_offset`,
        [id, this.#topic],
      );
      return rows.length > 0;
    });
  }

  async discardDeadLetter(id: string): Promise<boolean> {
    const { rows } = await this.#pool.query(
      'DELETE FROM pgstream.webhook_dead_letter WHERE id = $1 AND topic = $2 RETURNING id',
      [id, this.#topic],
    );
    return rows.length > 0;
  }

  #key({ subscriptionId, partition, offset }: EventRef): unknown[] {
    return [subscriptionId, this.#topic, partition, offset];
  }
}
