import type { PostgresPool } from '@pgstream/postgres-client';
import { offsetsOf, rangesText } from './offset-ranges.ts';
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
  /** Of the cursor, as its lane began with it: another one after it was moved back. */
  readonly generation: number;
  /** Settled beyond `nextOffset`; at most a window of them. */
  readonly ahead: Iterable<number>;
  /** Where offsets are given anew by each process: up to where everything is provided for, over all of them. */
  readonly reached?: string;
}

/** Where a lane begins. */
export interface StoredCursor {
  /** `null`: the partition is younger than the subscription. */
  readonly nextOffset: number | null;
  readonly generation: number;
  /** Settled beyond it, as far as the store knows: not to be delivered again. */
  readonly ahead: readonly number[];
}

/** Cursors that were not written, and why. */
export interface RefusedCursors {
  /** Partitions that are owned under another epoch. */
  readonly overtaken: readonly number[];
  /** Moved back since their lane began. */
  readonly rewound: readonly Pick<CursorRow, 'subscriptionId' | 'partition'>[];
}

/** One partition of a replay. */
export interface Rewound {
  readonly partition: number;
  /** Where it goes on from. */
  readonly nextOffset: number;
  /** How far it had come. */
  readonly before: number;
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

  /** Of the subscriptions of this topic; one that was made for another topic is not among them. */
  async ofPartition(partition: number): Promise<Map<string, StoredCursor>> {
    const { rows } = await this.#pool.query(
      `SELECT s.id::text AS id, c.next_offset::text AS next_offset, c.generation::text AS generation,
         CASE WHEN c.ahead_generation = c.generation THEN c.ahead END AS ahead
       FROM (SELECT DISTINCT subscription_id AS id FROM pgstream.webhook_cursor WHERE topic = $1) s
       LEFT JOIN pgstream.webhook_cursor c ON c.subscription_id = s.id AND c.topic = $1 AND c.partition = $2`,
      [this.topic, partition],
    );
    return new Map(
      rows.map((row) => {
        const generation = Number(row['generation'] ?? 0);
        const nextOffset = numberOrNull(row['next_offset']);
        // A process that does not know of them may have moved the cursor past some.
        const ahead = offsetsOf(row['ahead']).filter((offset) => offset >= (nextOffset ?? 0));
        return [String(row['id']), { nextOffset, generation, ahead }];
      }),
    );
  }

  async ofSubscription(id: string): Promise<readonly Omit<CursorRow, 'epoch' | 'generation' | 'ahead'>[]> {
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
   * Writes cursors whose partition is still owned under their epoch, that were not moved back, and of subscriptions that
   * still exist.
   */
  async save(cursors: readonly CursorRow[]): Promise<RefusedCursors> {
    // Subscriptions are locked, so that one that is being removed is gone before its cursor is written again.
    const { rows } = await this.#pool.query(
      `WITH given AS (
         SELECT * FROM unnest($2::uuid[], $3::int[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[])
           AS g(id, partition, next_offset, lane_state, epoch, generation, reached, ahead)),
       owned AS (
         SELECT o.partition, o.epoch FROM pgstream.webhook_owner o
         WHERE o.topic = $1 AND o.partition = ANY ($3::int[]) FOR SHARE),
       known AS (
         SELECT s.id FROM pgstream.webhook_subscription s WHERE s.id = ANY ($2::uuid[]) ORDER BY s.id FOR KEY SHARE),
       saved AS (
         INSERT INTO pgstream.webhook_cursor AS c
           (subscription_id, topic, partition, next_offset, lane_state, generation, reached, ahead, ahead_generation)
         SELECT g.id, $1, g.partition, g.next_offset, g.lane_state, g.generation, g.reached, g.ahead, g.generation
         FROM given g JOIN owned USING (partition, epoch) JOIN known USING (id) ORDER BY g.id, g.partition
         ON CONFLICT (subscription_id, topic, partition) DO UPDATE
           SET next_offset = excluded.next_offset, lane_state = excluded.lane_state,
             reached = greatest(c.reached, excluded.reached), ahead = excluded.ahead,
             ahead_generation = excluded.ahead_generation, updated_at = now()
           WHERE c.generation = excluded.generation
         RETURNING subscription_id AS id, partition)
       SELECT g.partition, g.id::text AS id, owned.partition IS NULL AS overtaken
       FROM given g LEFT JOIN owned USING (partition, epoch) LEFT JOIN known USING (id) LEFT JOIN saved USING (id, partition)
       WHERE owned.partition IS NULL OR (known.id IS NOT NULL AND saved.id IS NULL)`,
      [
        this.topic,
        cursors.map(({ subscriptionId }) => subscriptionId),
        cursors.map(({ partition }) => partition),
        cursors.map(({ nextOffset }) => nextOffset),
        cursors.map(({ laneState }) => laneState),
        cursors.map(({ epoch }) => epoch),
        cursors.map(({ generation }) => generation),
        cursors.map(({ reached }) => reached ?? null),
        cursors.map(({ ahead }) => rangesText(ahead)),
      ],
    );
    const refused = rows.map((row) => ({
      partition: Number(row['partition']),
      subscriptionId: String(row['id']),
      isOvertaken: row['overtaken'] === true,
    }));
    const overtaken = refused.filter((one) => one.isOvertaken).map(({ partition }) => partition);
    return { overtaken: [...new Set(overtaken)], rewound: refused.filter((one) => !one.isOvertaken) };
  }

  /**
   * Makes lanes begin again at their targets, or where their cursors are when those have not come so far: an owner may have
   * delivered more than it has stored. None is moved on, and what is not listed stays as it is. What the present owners
   * write of their old positions later changes nothing; they learn of it by the version.
   * @param targets next offsets by partition.
   * @returns where lanes begin again.
   */
  async rewind(id: string, targets: ReadonlyMap<number, number>): Promise<readonly Rewound[]> {
    return await this.#pool.transaction(async (sql) => {
      await sql.query('UPDATE pgstream.webhook_state SET version = version + 1');
      const { rows } = await sql.query(
        `WITH moved AS (
           SELECT c.partition, c.next_offset AS before, least(v.next_offset, c.next_offset) AS next_offset
           FROM pgstream.webhook_cursor c JOIN unnest($3::int[], $4::bigint[]) AS v(partition, next_offset) USING (partition)
           WHERE c.subscription_id = $1 AND c.topic = $2
           ORDER BY c.partition FOR UPDATE OF c)
         UPDATE pgstream.webhook_cursor c
         SET next_offset = m.next_offset, generation = c.generation + 1, lane_state = 'catching_up', updated_at = now()
         FROM moved m WHERE c.subscription_id = $1 AND c.topic = $2 AND c.partition = m.partition
         RETURNING m.partition, m.next_offset::text AS next_offset, m.before::text AS before`,
        [id, this.topic, [...targets.keys()], [...targets.values()]],
      );
      const moved = rows.map((row) => ({
        partition: Number(row['partition']),
        nextOffset: Number(row['next_offset']),
        before: Number(row['before']),
      }));
      return moved.toSorted((a, b) => a.partition - b.partition);
    });
  }

  /** Idempotent by where it begins. */
  async recordGap({ subscriptionId, partition, fromOffset, toOffset, reason }: Gap): Promise<void> {
    await this.#pool.query(
      `INSERT INTO pgstream.webhook_gap (subscription_id, topic, partition, from_offset, to_offset, reason)
       SELECT s.id, $2, $3, $4, $5, $6 FROM pgstream.webhook_subscription s WHERE s.id = $1 FOR KEY SHARE
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
