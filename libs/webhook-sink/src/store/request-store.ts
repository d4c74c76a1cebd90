import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { PostgresPool } from '@pgstream/postgres-client';
import type { SecretBox } from './secret-box.ts';

export interface RequestAnswer {
  readonly status: number;
  readonly body: string;
  /** Of the header of that name; empty: none. */
  readonly location: string;
}

/** What becomes of a request that names its key. */
export type Claim =
  /** It is to be done. What it makes gets `madeId`, also when it is done again after a crash. */
  | { readonly state: 'ours'; readonly madeId: string }
  | { readonly state: 'answered'; readonly answer: RequestAnswer }
  /** It is being done. */
  | { readonly state: 'busy' }
  /** The key belongs to another request. */
  | { readonly state: 'taken' };

/** A request that was begun is left to whoever began it for so long: longer than any of them may take. */
const BUSY_S = 120;

/** Answers to requests with an Idempotency-Key, for a day. */
export class RequestStore {
  readonly #pool: PostgresPool;
  readonly #box: SecretBox;

  constructor(pool: PostgresPool, box: SecretBox) {
    this.#pool = pool;
    this.#box = box;
  }

  /** @param fingerprint the same for the same request. */
  async claim(key: string, fingerprint: string): Promise<Claim> {
    const keyHash = hashOf(key);
    await this.#pool.query(
      `DELETE FROM pgstream.webhook_request WHERE created_at < now() - interval '1 day'`,
    );
    const claimed = await this.#pool.query(
      `INSERT INTO pgstream.webhook_request AS r (key_hash, fingerprint, busy_until)
       VALUES ($1, $2, now() + make_interval(secs => $3))
       ON CONFLICT (key_hash) DO UPDATE SET busy_until = excluded.busy_until, fingerprint = excluded.fingerprint,
         made_id = CASE WHEN r.fingerprint = excluded.fingerprint THEN r.made_id ELSE gen_random_uuid() END
       WHERE r.http_status IS NULL AND r.busy_until <= now() RETURNING made_id::text AS made_id`,
      [keyHash, fingerprint, BUSY_S],
    );
    const madeId = claimed.rows[0]?.['made_id'];
    if (typeof madeId === 'string') return { state: 'ours', madeId };
    const { rows } = await this.#pool.query(
      'SELECT fingerprint, http_status, answer FROM pgstream.webhook_request WHERE key_hash = $1',
      [keyHash],
    );
    const [row] = rows;
    if (row !== undefined && row['fingerprint'] !== fingerprint) return { state: 'taken' };
    const answer = row?.['answer'];
    if (!(answer instanceof Uint8Array)) return { state: 'busy' };
    const kept: Omit<RequestAnswer, 'status'> = JSON.parse(this.#box.open(Buffer.from(answer), keyHash));
    return { state: 'answered', answer: { ...kept, status: Number(row?.['http_status']) } };
  }

  /** It was done: whoever asks again gets this. */
  async answer(key: string, { status, body, location }: RequestAnswer): Promise<void> {
    const keyHash = hashOf(key);
    await this.#pool.query(
      'UPDATE pgstream.webhook_request SET http_status = $2, answer = $3 WHERE key_hash = $1',
      [keyHash, status, this.#box.seal(JSON.stringify({ body, location }), keyHash)],
    );
  }

  /** It was not done, or not to its end: it may be tried again at once. */
  async release(key: string): Promise<void> {
    await this.#pool.query(
      'UPDATE pgstream.webhook_request SET busy_until = now() WHERE key_hash = $1 AND http_status IS NULL',
      [hashOf(key)],
    );
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}
