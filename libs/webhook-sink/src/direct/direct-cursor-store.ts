import type { PostgresPool } from '@pgstream/postgres-client';
import {
  CursorStore,
  type CursorRow,
  type RefusedCursors,
  type StoredCursor,
} from '../store/cursor-store.ts';
import type { DirectLog } from './direct-log.ts';

/**
 * Cursors over the stream of a slot. Offsets mean something to one process only, so beside each it stores the position
 * that every process knows again.
 */
export class DirectCursorStore extends CursorStore {
  readonly #log: DirectLog;

  constructor(pool: PostgresPool, topic: string, log: DirectLog) {
    super(pool, topic);
    this.#log = log;
  }

  override async claim(partition: number): Promise<string> {
    const epoch = await super.claim(partition);
    this.#log.ownerEpoch = epoch;
    return epoch;
  }

  /** Nobody moves these cursors back: there is no log to replay from. */
  override async ofPartition(): Promise<Map<string, StoredCursor>> {
    const openings = await this.#log.openings();
    return new Map([...openings].map(([id, nextOffset]) => [id, { nextOffset, generation: 0, ahead: [] }]));
  }

  override async save(cursors: readonly CursorRow[]): Promise<RefusedCursors> {
    return await super.save(
      cursors.map((row) => {
        const reached = this.#log.reachedAt(row.subscriptionId, row.nextOffset);
        // Offsets beyond it mean something else to the next process.
        const stored = { ...row, ahead: [] };
        return reached === undefined ? stored : { ...stored, reached };
      }),
    );
  }
}
