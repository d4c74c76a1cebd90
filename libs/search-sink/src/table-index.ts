import { Buffer } from 'node:buffer';
import type { Properties } from '@pgstream/search-store';
import type { ColumnSpec } from '@pgstream/wal-event';

/** A column as the index knows it: a `ColumnShape`, or what a row says where no schema record came. */
export interface KnownColumn extends ColumnSpec {
  readonly base_type?: string;
  readonly attributes?: readonly { readonly name: string; readonly type: string }[];
}

/** What the sink knows of a table, kept in the index `pgstream-tables` so that a restart knows it too. */
export interface TableState {
  readonly table_id: string;
  readonly schema: string;
  readonly table: string;
  /** Every `schema.table` it ever had, the present one last. */
  readonly names: readonly string[];
  readonly alias: string;
  readonly index: string;
  readonly generation: number;
  /** Version of the record that last changed this state: what is older must not undo it. Decimal digits. */
  readonly version: string;
  /** Of the source when the table was first met: versions of different epochs cannot be compared. */
  readonly epoch: number;
  readonly columns: readonly KnownColumn[];
  /** Why rows in the index may differ from the table until it is read again; empty where they do not. */
  readonly stale: readonly string[];
  readonly dropped: boolean;
  /** A copy into `index` that has not ended. */
  readonly copying_from: string | null;
  /** Fields whose values in that copy have another type. */
  readonly retyped_fields: readonly string[];
}

/** A physical index and what is known of it. One object per index, whichever tables share it. */
export class PhysicalIndex {
  /** The alias that bulks address: it follows the table through renames and generations. */
  readonly writeAlias: string;
  name: string;
  generation: number;
  properties: Properties;
  /** Somebody set refresh_interval to -1: then nothing here refreshes it. */
  refreshDisabled = false;
  settingsReadMs = 0;
  /** When the last refresh of ours began. */
  refreshedMs = 0;

  constructor(index: { writeAlias: string; name: string; generation: number; properties: Properties }) {
    this.writeAlias = index.writeAlias;
    this.name = index.name;
    this.generation = index.generation;
    this.properties = index.properties;
  }
}

/** A table as the sink writes it. */
export class TableIndex {
  readonly tableId: string;
  readonly index: PhysicalIndex;
  state: TableState;
  version: bigint;
  /** Column arrays of records whose columns are all mapped; interned by the reader. */
  readonly mapped = new WeakSet<readonly ColumnSpec[]>();
  /** `{"index":{"_index":"…","version_type":"external_gte","version":` */
  readonly indexHead: Buffer;
  readonly deleteHead: Buffer;
  lateNoticed = false;

  constructor(state: TableState, index: PhysicalIndex) {
    this.tableId = state.table_id;
    this.index = index;
    this.state = state;
    this.version = BigInt(state.version);
    const address = `{"_index":${JSON.stringify(index.writeAlias)},"version_type":"external_gte","version":`;
    this.indexHead = Buffer.from(`{"index":${address}`);
    this.deleteHead = Buffer.from(`{"delete":${address}`);
  }

  get dropped(): boolean {
    return this.state.dropped;
  }
}

/** Columns of a row that the table does not have yet, or has under another name or type. */
export function newColumns(known: readonly KnownColumn[], row: readonly ColumnSpec[]): ColumnSpec[] {
  const byId = new Map(known.map((column) => [column.id, column]));
  return row.filter(({ id, name, type }) => {
    const column = byId.get(id);
    return column === undefined || column.name !== name || column.type !== type;
  });
}

export function mergeColumns(known: readonly KnownColumn[], changed: readonly KnownColumn[]): KnownColumn[] {
  const byId = new Map(known.map((column) => [column.id, column]));
  for (const column of changed) byId.set(column.id, column);
  return [...byId.values()];
}

/** Of a field in a mapping. */
export function fieldTypeOf(mapping: unknown): string {
  if (typeof mapping !== 'object' || mapping === null) return '';
  const type: unknown = Reflect.get(mapping, 'type');
  return typeof type === 'string' ? type : 'object';
}

/** Names a document of a table. Hot path. */
export function documentKey({ tableId }: TableIndex, id: string): string {
  return `${tableId} ${id}`;
}
