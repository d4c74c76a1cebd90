import type { Lsn, Position, SchemaChange, TableTemplate } from '@pgstream/wal-event';
import type { RelationMessage, TypeMessage } from './pgoutput/messages.ts';

/** How the rows of one relation are encoded until its next RELATION message. */
export interface TableState {
  readonly template: TableTemplate;
  /** False for tables that the history knows not to be followed; their rows are counted and not emitted. */
  readonly captured: boolean;
  /**
   * A schema change that only this RELATION reveals: it is emitted in front of the next row of the relation, at
   * that row's position with `sub` 0, and then reported through {@link SchemaHistoryPort.witnessed}, which sets it
   * to `null` on this object.
   */
  readonly witness: SchemaChange | null;
}

/**
 * What the stream asks of the schema history. Everything but `load` and `checkpoint` is called while frames are
 * decoded: synchronous, and in the order of the stream.
 */
export interface SchemaHistoryPort {
  /** Takes up the shapes as of the confirmed position. Called before every START, so also after a reconnect. */
  load(confirmed: Lsn): Promise<void>;
  type(message: TypeMessage): void;
  /** Called for each RELATION. The state holds until the next RELATION of this OID. */
  relation(relation: RelationMessage): TableState;
  /** The witness of `oid` was emitted at `at` (`sub` 0). Clears it. */
  witnessed(oid: number, at: Position): void;
  /** An INSERT into pgstream.schema_log, by column name. The change to emit at `at`, or `null` for none. */
  logRow(row: ReadonlyMap<string, string | null>, at: Position): SchemaChange | null;
  /** Persists the shapes up to here. Awaited before any status with an LSN at or above them is sent. */
  checkpoint(upTo: Lsn): Promise<void>;
  /** At a clean end: the server was told `confirmed` for the last time. */
  settle?(confirmed: Lsn): Promise<void>;
  /** Cheap: whether {@link checkpoint} has anything to do. */
  pendingCheckpoint(upTo: Lsn): boolean;
}
