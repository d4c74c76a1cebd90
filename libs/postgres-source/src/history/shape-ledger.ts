import { createHash } from 'node:crypto';
import type { Lsn, Position } from '@pgstream/wal-event';
import type { KnownTable } from './known-table.ts';

/** What the ledger holds of a table or schema from a position on; `shape` null: it was dropped there. */
export interface LedgerEntry {
  readonly object: 'table' | 'schema';
  readonly oid: number;
  readonly at: Position;
  readonly shape: KnownTable | { readonly name: string } | null;
}

/** The tables and schemas as of the point the stream has reached, and what of it is not persisted yet. */
export class ShapeLedger {
  readonly #tables = new Map<number, KnownTable>();
  readonly #schemas = new Map<number, string>();
  #pending: LedgerEntry[] = [];
  #changes = 0;

  /** Forgets everything and starts from persisted entries. */
  reset(tables: Iterable<KnownTable>, schemas: Iterable<readonly [number, string]>): void {
    this.#tables.clear();
    this.#schemas.clear();
    this.#pending = [];
    for (const table of tables) this.#tables.set(table.oid, table);
    for (const [oid, name] of schemas) this.#schemas.set(oid, name);
  }

  tables(): IterableIterator<KnownTable> {
    return this.#tables.values();
  }

  schemas(): IterableIterator<[number, string]> {
    return this.#schemas.entries();
  }

  table(oid: number): KnownTable | undefined {
    return this.#tables.get(oid);
  }

  schema(oid: number): string | undefined {
    return this.#schemas.get(oid);
  }

  setTable(table: KnownTable, at: Position): void {
    this.#tables.set(table.oid, table);
    this.#note({ object: 'table', oid: table.oid, at, shape: table });
  }

  dropTable(oid: number, at: Position): void {
    if (this.#tables.delete(oid)) this.#note({ object: 'table', oid, at, shape: null });
  }

  setSchema(oid: number, name: string, at: Position): void {
    this.#schemas.set(oid, name);
    this.#note({ object: 'schema', oid, at, shape: { name } });
  }

  dropSchema(oid: number, at: Position): void {
    if (this.#schemas.delete(oid)) this.#note({ object: 'schema', oid, at, shape: null });
  }

  /** How often anything was noted. */
  get changes(): number {
    return this.#changes;
  }

  hasPending(upTo: Lsn): boolean {
    const [first] = this.#pending;
    return first !== undefined && first.at.commitLsn < upTo;
  }

  /** Entries of transactions that end at or below `upTo`, oldest first. They stay pending until {@link settle}. */
  pending(upTo: Lsn): readonly LedgerEntry[] {
    return this.#pending.filter(({ at }) => at.commitLsn < upTo);
  }

  #note(entry: LedgerEntry): void {
    this.#pending.push(entry);
    this.#changes += 1;
  }

  settle(entries: readonly LedgerEntry[]): void {
    const done = new Set(entries);
    this.#pending = this.#pending.filter((entry) => !done.has(entry));
  }
}

/** A short text that differs when what is known of a table differs; `none` for a table that is not known. */
export function markOf(table: KnownTable | undefined): string {
  if (table === undefined) return 'none';
  const { former_schemas: _, root: _root, columns, ...rest } = table;
  const told = columns.map(({ missing: _missing, ...column }) => sorted(column));
  return createHash('sha256')
    .update(JSON.stringify([sorted(rest), told]))
    .digest('base64url')
    .slice(0, 22);
}

/** The members in one order: jsonb has its own. */
function sorted(object: object): [string, unknown][] {
  return Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
