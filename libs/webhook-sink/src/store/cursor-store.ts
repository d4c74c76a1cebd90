import type { PostgresPool } from '@pgstream/postgres-client';
import { numberOrNull } from './rows.ts';

export type LaneState = 'attached' | 'catching_up' | 'detached';

export interface CursorRow {
  readonly subscriptionId: string;
  readonly partition: number;
  /** Everything before it is settled. */
  readonly nextOffset: number;
  readonly laneState: LaneState;
  /** Of the ownership that moved it. */
  readonly epoch: string;
}

export interface Gap {
  readonly subscriptionId: string;
  readonly partition: number;
  readonly fromOffset: number;
  readonly toOffset: number;
  readonly reason: string;
}

/** How far each subscription has come in each partition of one topic, and who may move it. */
export class CursorStore {
  readonly topic: string;
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool, topic: string) {
    this.#pool = pool;
    this.topic = topic;
  }

  /** From here on cursors of earlier owners of the partition stand still. @returns our epoch. */
  async claim(partition: number): Promise<string> {
    const { rows } = await this.#pool.query(
      `INSERT INTO pgstream.webhook_owner (topic, partition, epoch) VALUES ($1, $2, 1)
       ON CONFLICT (topic, partition) DO UPDATE SET epoch = webhook_owner.epoch + 1 RETURNING epoch::text AS epoch`,
      [this.topic, partition],
    );
    return String(rows[0]?.['epoch']);
  }

  /**
   * Next offsets of the subscriptions of this topic; `null` for a partition that is younger than the subscription. One
   * that was made for another topic is not among them.
   */
  async ofPartition(partition: number): Promise<Map<string, number | null>> {
    const { rows } = await this.#pool.query(
      `SELECT s.id::text AS id, c.next_offset::text AS next_offset
       FROM (SELECT DISTINCT subscription_id AS id FROM pgstream.webhook_cursor WHERE topic = $1) s
       LEFT JOIN pgstream.webhook_cursor c ON c.subscription_id = s.id AND c.topic = $1 AND c.partition = $2`,
      [this.topic, partition],
    );
    return new Map(rows.map((row) => [String(row['id']), numberOrNull(row['next_offset'])]));
  }

  async ofSubscription(id: string): Promise<readonly Omit<CursorRow, 'epoch'>[]> {
    const { rows } = await this.#pool.query(
      `SELECT partition, next_offset::text AS next_offset, lane_state FROM pgstream.webhook_cursor
       WHERE topic = $1 AND subscription_id = $2 ORDER BY partition`,
      [this.topic, id],
    );
    return rows.map((row) => ({
      subscriptionId: id,
      partition: Number(row['partition']),
      nextOffset: Number(row['next_offset']),
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by save alone
      laneState: String(row['lane_state']) as LaneState,
    }));
  }

  /**
   * Writes cursors whose partition is still owned under their epoch, and of subscriptions that still exist.
   * @returns the partitions that are owned under another epoch.
   */
  async save(cursors: readonly CursorRow[]): Promise<readonly number[]> {
    const { rows } = await this.#pool.query(
      `WITH given AS (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::text[], $6::bigint[])
           AS g(id, partition, next_offset, lane_state, epoch)),
       owned AS (
         SELECT o.partition, o.epoch FROM pgstream.webhook_owner o
         WHERE o.topic = $1 AND o.partition = ANY ($3::int[]) FOR SHARE),
       saved AS (
         INSERT INTO pgstream.webhook_cursor AS c (subscription_id, topic, partition, next_offset, lane_state)
         SELECT g.id, $1, g.partition, g.next_offset, g.lane_state
         FROM given g JOIN owned USING (partition, epoch) JOIN pgstream.webhook_subscription s ON s.id = g.id
         ON CONFLICT (subscription_id, topic, partition) DO UPDATE
           SET next_offset = excluded.next_offset, lane_state = excluded.lane_state, updated_at = now())
       SELECT DISTINCT g.partition FROM given g LEFT JOIN owned USING (partition, epoch) WHERE owned.partition IS NULL`,
      [
        this.topic,
        cursors.map(({ subscriptionId }) => subscriptionId),
        cursors.map(({ partition }) => partition),
        cursors.map(({ nextOffset }) => nextOffset),
        cursors.map(({ laneState }) => laneState),
        cursors.map(({ epoch }) => epoch),
      ],
    );
    return rows.map((row) => Number(row['partition']));
  }

  /** Idempotent by where it begins. */
  async recordGap({ subscriptionId, partition, fromOffset, toOffset, reason }: Gap): Promise<void> {
    await this.#pool.query(
      `INSERT INTO pgstream.webhook_gap (subscription_id, topic, partition, from_offset, to_offset, reason)
       SELECT $1, $2, $3, $4, $5, $6 WHERE EXISTS (SELECT FROM pgstream.webhook_subscription WHERE id = $1)
       ON CONFLICT (subscription_id, topic, partition, from_offset) DO NOTHING`,
      [subscriptionId, this.topic, partition, fromOffset, toOffset, reason],
    );
  }

  /** The newest hundred. */
  async gapsOf(id: string): Promise<readonly (Omit<Gap, 'subscriptionId'> & { readonly at: string })[]> {
    const { rows } = await this.#pool.query(
      `SELECT partition, from_offset::text, to_offset::text, reason,
         to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
       FROM pgstream.webhook_gap WHERE subscription_id = $1 AND topic = $2 ORDER BY id DESC LIMIT 100`,
      [id, this.topic],
    );
    return rows.map((row) => ({
      partition: Number(row['partition']),
      fromOffset: Number(row['from_offset']),
      toOffset: Number(row['to_offset']),
      reason: String(row['reason']),
      at: String(row['at']),
    }));
  }
}
