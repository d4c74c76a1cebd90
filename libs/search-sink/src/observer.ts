import type { DeadLetter } from '@pgstream/wal-event';

/** What happens in the sink, for metrics and logs. Called on the hot path: keep it cheap. */
export interface SearchObserver {
  /** Documents that a bulk wrote or removed. */
  indexed(count: number): void;
  deleted(count: number): void;
  /** Items older than what the index has: replays, and late writers. Success. */
  conflicts(count: number): void;
  /** Documents, or records, newly put aside. */
  parked(code: string, count: number): void;
  /** A document that the store refused is durably parked: its key waits. Told once per key. */
  keyParked(letter: DeadLetter): void;
  /** Changes that came behind a parked key. */
  coalesced(changes: number): void;
  /** Keys that flow again: `resolved` by a delete, `released` here, or `gone`: seen to by somebody else. */
  unparked(why: 'resolved' | 'released' | 'gone', keys: number): void;
  /** How many keys are parked, in all tables and by all workers, as far as is known. */
  parkedKeys(count: number): void;
  /** Columns whose value was not sent and not known: listed in `_pgstream.incomplete` of the document. */
  incomplete(columns: number): void;
  /** Values that the index cannot hold: listed in `_pgstream.ignored` of the document. */
  ignored(values: number): void;
  /** Rows of tables without a key, which cannot be indexed. */
  keyless(rows: number): void;
  /** Rows of dropped tables that arrived after the drop. */
  late(rows: number): void;
  bulk(stats: { readonly documents: number; readonly bytes: number; readonly durationMs: number }): void;
  /** A bulk, or some of its items, will be sent again. */
  retried(code: string, items: number): void;
  refreshed(stats: { readonly indices: number; readonly durationMs: number }): void;
  /** How many tables have rows in the index that changed without row events. */
  staleTables(count: number): void;
  /** Something an operator should read once: a name of the event and facts, never row values. */
  notice(event: SearchNotice, facts: Readonly<Record<string, string | number>>): void;
}

export type SearchNotice =
  | 'index_created'
  | 'index_missing'
  | 'table_state_missing'
  | 'index_generation'
  | 'schema_change_applied'
  | 'schema_change_ignored'
  | 'columns_not_mapped'
  | 'table_keyless'
  | 'table_stale'
  | 'table_dropped'
  | 'late_rows'
  | 'document_refused'
  | 'keys_parked'
  | 'keys_released'
  | 'retrying';

const nothing = () => {};

export const silentObserver: SearchObserver = {
  indexed: nothing,
  deleted: nothing,
  conflicts: nothing,
  parked: nothing,
  keyParked: nothing,
  coalesced: nothing,
  unparked: nothing,
  parkedKeys: nothing,
  incomplete: nothing,
  ignored: nothing,
  keyless: nothing,
  late: nothing,
  bulk: nothing,
  retried: nothing,
  refreshed: nothing,
  staleTables: nothing,
  notice: nothing,
};
