import { formatLsn, type Lsn } from '@pgstream/wal-event';
import type { SchemaHistoryPort } from '../history-port.ts';
import type { Sql } from '../sql.ts';
import { randomUUID } from 'node:crypto';
import { savePosition, settlePosition } from './state.ts';

/** WAL that may be confirmed per save. Each save writes WAL itself, so an idle database must not save for each status. */
const HEADROOM_BYTES = 16n * 1024n * 1024n;

/**
 * Keeps the stored position ahead of the slot, so that a start can tell whether somebody else advanced it: to 16 MiB after
 * a crash, to the byte after {@link settle}.
 */
export class PositionKeeper {
  readonly #sql: Sql;
  readonly #slot: string;
  #reserved = -1n;
  /** Ours since the last START. */
  #token = randomUUID();

  constructor(sql: Sql, slot: string) {
    this.#sql = sql;
    this.#slot = slot;
  }

  /** Cheap: whether `lsn` may not be confirmed before {@link reserve}. */
  needsReserve(lsn: Lsn): boolean {
    return lsn > this.#reserved;
  }

  /** Await it before the slot is told `lsn`, which is durable. */
  async reserve(lsn: Lsn): Promise<void> {
    if (!this.needsReserve(lsn)) return;
    const reserved = lsn + HEADROOM_BYTES;
    const { sql, slot } = { sql: this.#sql, slot: this.#slot };
    await savePosition(sql, slot, formatLsn(lsn), { lsn: lsnText(reserved), by: this.#token });
    this.#reserved = reserved;
  }

  /** Before a new START: another producer may have had the slot, and settled lower, in the meantime. */
  forget(): void {
    this.#reserved = -1n;
    this.#token = randomUUID();
  }

  /**
   * At a clean end, after the slot was told `lsn` for the last time. A standby may have taken the slot over by then: what it
   * reserved stays.
   */
  async settle(lsn: Lsn): Promise<void> {
    if (this.#reserved < 0n) return;
    await settlePosition(this.#sql, this.#slot, formatLsn(lsn), this.#token);
    this.#reserved = lsn;
  }
}

/** The same history, whose checkpoints reserve positions as well: give it to the source in place of `history`. */
export function keepingPosition(history: SchemaHistoryPort, keeper: PositionKeeper): SchemaHistoryPort {
  return {
    load: (confirmed) => {
      keeper.forget();
      return history.load(confirmed);
    },
    type: (message) => history.type(message),
    relation: (relation) => history.relation(relation),
    witnessed: (oid, at) => history.witnessed(oid, at),
    logRow: (row, at) => history.logRow(row, at),
    pendingCheckpoint: (upTo) => keeper.needsReserve(upTo) || history.pendingCheckpoint(upTo),
    checkpoint: async (upTo) => {
      if (history.pendingCheckpoint(upTo)) await history.checkpoint(upTo);
      await keeper.reserve(upTo);
    },
    settle: (confirmed) => keeper.settle(confirmed),
  };
}

function lsnText(lsn: bigint): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a sum of an LSN and a length is an LSN
  return formatLsn(lsn as Lsn);
}
