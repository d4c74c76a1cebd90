import type { PostgresPool } from '@pgstream/postgres-client';
import { numberOrNull } from './rows.ts';

/** `delivered` (2xx), `endpoint` (it took nothing) or `event` (it refused this one). */
export const ATTEMPT_OUTCOMES = ['delivered', 'endpoint', 'event'] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** One request to an endpoint. Neither what was sent nor what was answered. */
export interface Attempted {
  readonly subscriptionId: string;
  readonly partition: number;
  readonly offset: number;
  /** The webhook-id. */
  readonly eventId: string;
  /** 1 for the first of its event. */
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
  /** `null`: there was no answer. */
  readonly status: number | null;
  readonly reason: string;
  readonly durationMs: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export interface AttemptRow extends Omit<Attempted, 'atMs'> {
  readonly id: string;
  readonly at: string;
}

/** So many are kept of each subscription. */
export const MAX_ATTEMPTS_KEPT = 200;

/** The newest attempts of each subscription, over all workers. */
export class AttemptStore {
  readonly #pool: PostgresPool;
  readonly #topic: string;

  constructor(pool: PostgresPool, topic: string) {
    this.#pool = pool;
    this.#topic = topic;
  }

  /** In the order in which they are given; the oldest of the same subscriptions make room. */
  async add(attempts: readonly Attempted[]): Promise<void> {
    await this.#pool.query(
      `INSERT INTO pgstream.webhook_attempt
         (subscription_id, topic, partition, log_offset, event_id, attempt, outcome, http_status, reason, duration_ms, at)
       SELECT g.id, $1, g.partition, g.log_offset, g.event_id, g.attempt, g.outcome, g.http_status, g.reason, g.duration_ms,
         to_timestamp(g.at_ms / 1000)
       FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::int[], $9::text[], $10::int[],
           $11::float8[]) WITH ORDINALITY
         AS g(id, partition, log_offset, event_id, attempt, outcome, http_status, reason, duration_ms, at_ms, place)
       WHERE EXISTS (SELECT FROM pgstream.webhook_subscription s WHERE s.id = g.id) ORDER BY g.place`,
      [
        this.#topic,
        attempts.map(({ subscriptionId }) => subscriptionId),
        attempts.map(({ partition }) => partition),
        attempts.map(({ offset }) => offset),
        attempts.map(({ eventId }) => eventId),
        attempts.map(({ attempt }) => attempt),
        attempts.map(({ outcome }) => outcome),
        attempts.map(({ status }) => status),
        attempts.map(({ reason }) => reason),
        attempts.map(({ durationMs }) => Math.round(durationMs)),
        attempts.map(({ atMs }) => atMs),
      ],
    );
    await this.#pool.query(
      `DELETE FROM pgstream.webhook_attempt a USING unnest($1::uuid[]) AS v(id)
       WHERE a.subscription_id = v.id AND a.id <= (
         SELECT b.id FROM pgstream.webhook_attempt b WHERE b.subscription_id = v.id ORDER BY b.id DESC OFFSET $2 LIMIT 1)`,
      [[...new Set(attempts.map(({ subscriptionId }) => subscriptionId))], MAX_ATTEMPTS_KEPT],
    );
  }

  /** The newest first. */
  async ofSubscription(options: {
    readonly subscriptionId: string;
    /** None: any. */
    readonly outcomes: readonly AttemptOutcome[];
    readonly beforeId?: string;
    readonly limit: number;
  }): Promise<readonly AttemptRow[]> {
    const { rows } = await this.#pool.query(
      `SELECT id::text AS id, partition, log_offset::text AS log_offset, event_id, attempt, outcome, http_status, reason,
         duration_ms, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at
       FROM pgstream.webhook_attempt a
       WHERE subscription_id = $1 AND topic = $2 AND (cardinality($3::text[]) = 0 OR outcome = ANY ($3))
         AND ($4::bigint IS NULL OR a.id < $4)
       ORDER BY a.id DESC LIMIT $5`,
      [options.subscriptionId, this.#topic, options.outcomes, options.beforeId ?? null, options.limit],
    );
    return rows.map((row) => ({
      id: String(row['id']),
      subscriptionId: options.subscriptionId,
      partition: Number(row['partition']),
      offset: Number(row['log_offset']),
      eventId: String(row['event_id']),
      attempt: Number(row['attempt']),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- held to by a CHECK of its table
      outcome: String(row['outcome']) as AttemptOutcome,
      status: numberOrNull(row['http_status']),
      reason: String(row['reason']),
      durationMs: Number(row['duration_ms']),
      at: String(row['at']),
    }));
  }
}
