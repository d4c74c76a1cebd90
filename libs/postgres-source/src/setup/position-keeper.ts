import { PipelineError } from '@pgstream/failure';
import { formatLsn, type Lsn } from '@pgstream/wal-event';
import type { SchemaHistoryPort } from '../history-port.ts';
import type { Sql } from '../sql.ts';
import { randomUUID } from 'node:crypto';
import { lastReserver, savePosition, settlePosition } from './state.ts';

/**
 * WAL that may be confirmed per save. Each save writes some 300 bytes of WAL itself, so an idle database must not save for
 * each status; and what is reserved is what somebody else can take unnoticed after a crash of ours.
 */
const MIN_HEADROOM_BYTES = 64n * 1024n;
const MAX_HEADROOM_BYTES = 16n * 1024n * 1024n;
/** Saves that come faster than this double the headroom, slower ones halve it. */
const SAVE_EVERY_MS = 500;

/**
 * Keeps the stored position ahead of the slot, so that a start can tell whether somebody else advanced it: after a crash to
 * what is written in about a second (64 KiB at least, 16 MiB at most), to the byte after {@link settle}, and to the byte
 * for the process that leads, when it connects again.
 */
export class PositionKeeper {
  readonly #sql: Sql;
  readonly #slot: string;
  #reserved = -1n;
  #headroom = MIN_HEADROOM_BYTES;
  #savedMs = -Infinity;
  /** Ours since the last START. */
  #token = randomUUID();
  /** Who had reserved when it began. */
  #before = '';

  constructor(sql: Sql, slot: string) {
    this.#sql = sql;
    this.#slot = slot;
  }

  /** Names the session since the last START in the stored state. */
  get token(): string {
    return this.#token;
  }

  /** Cheap: whether `lsn` may not be confirmed before {@link reserve}. */
  needsReserve(lsn: Lsn): boolean {
    return lsn > this.#reserved;
  }

  /**
   * Await it before the slot is told `lsn`, which is durable.
   * @throws {PipelineError} PG_SLOT_ACTIVE where another session has reserved since {@link begin}: the slot is no longer
   *   ours, whatever our connection still believes. PG_CONFLICT where a session of our own began meanwhile: try again.
   */
  async reserve(lsn: Lsn): Promise<void> {
    if (!this.needsReserve(lsn)) return;
    const nowMs = performance.now();
    this.#headroom = nextHeadroom(this.#headroom, nowMs - this.#savedMs);
    this.#savedMs = nowMs;
    const reserved = lsn + this.#headroom;
    const [slot, by] = [this.#slot, this.#token];
    const reservation = { lsn: lsnText(reserved), by, after: this.#before };
    const isOurs = await savePosition(this.#sql, slot, formatLsn(lsn), reservation);
    // What was saved, or refused, of the session before counts for nothing in this one
    if (by !== this.#token)
      throw new PipelineError('PG_CONFLICT', { detail: 'The session ended meanwhile.' });
    if (!isOurs) throw await this.#refusal();
    this.#reserved = reserved;
  }

  async #refusal(): Promise<PipelineError> {
    const slot = this.#slot;
    if ((await lastReserver(this.#sql, slot)) === null) {
      return new PipelineError('PG_NOT_INITIALISED', { detail: `Slot ${slot}.` });
    }
    const detail = 'It has stored a position since this session began.';
    return new PipelineError('PG_SLOT_ACTIVE', { detail, facts: { slot } });
  }

  /** Before each START: another producer may have had the slot, and settled lower, in the meantime. */
  async begin(): Promise<void> {
    const before = await lastReserver(this.#sql, this.#slot);
    this.#reserved = -1n;
    this.#before = before ?? '';
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

function nextHeadroom(bytes: bigint, sinceSaveMs: number): bigint {
  const next = sinceSaveMs < SAVE_EVERY_MS ? bytes * 2n : bytes / 2n;
  if (next < MIN_HEADROOM_BYTES) return MIN_HEADROOM_BYTES;
  return next > MAX_HEADROOM_BYTES ? MAX_HEADROOM_BYTES : next;
}

/** The same history, whose checkpoints reserve positions as well: give it to the source in place of `history`. */
export function keepingPosition(history: SchemaHistoryPort, keeper: PositionKeeper): SchemaHistoryPort {
  return {
    load: async (confirmed) => {
      await keeper.begin();
      await history.load(confirmed);
    },
    type: (message) => history.type(message),
    relation: (relation) => history.relation(relation),
    witnessed: (oid, at) => history.witnessed(oid, at),
    logRow: (row, at) => history.logRow(row, at),
    pendingCheckpoint: (upTo) => keeper.needsReserve(upTo) || history.pendingCheckpoint(upTo),
    // Positions first: where the slot is another one's, shapes are not stored either
    checkpoint: async (upTo) => {
      await keeper.reserve(upTo);
      if (history.pendingCheckpoint(upTo)) await history.checkpoint(upTo);
    },
    settle: (confirmed) => keeper.settle(confirmed),
  };
}

function lsnText(lsn: bigint): string {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a sum of an LSN and a length is an LSN
  return formatLsn(lsn as Lsn);
}
