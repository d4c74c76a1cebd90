/** A column as `pgstream.shapes_of` reads it from the catalogue, or as a RELATION message lets us know it. */
export interface KnownColumn {
  readonly attnum: number;
  readonly name: string;
  readonly type: string;
  readonly type_oid: number;
  readonly type_mod: number;
  readonly base_oid: number;
  readonly base_type: string;
  readonly attributes: readonly { readonly name: string; readonly type: string }[] | null;
  readonly nullable: boolean;
  readonly default: string | null;
  readonly generated: boolean;
  readonly identity: 'ALWAYS' | 'BY DEFAULT' | null;
  readonly unique: boolean;
  readonly metadata: string | null;
  /** The constant that rows older than the column show, as the server prints it. */
  readonly missing: string | null;
}

/** A version of a table as the history keeps and persists it. Columns are named by attnum. */
export interface KnownTable {
  readonly oid: number;
  /** 0 where only a RELATION message was seen. */
  readonly schema_oid: number;
  readonly schema: string;
  readonly name: string;
  /** False for what a publication does not carry under its own name: partitions, unlogged tables. */
  readonly captured: boolean;
  readonly replica_identity: 'd' | 'n' | 'f' | 'i';
  readonly primary_key: readonly number[];
  readonly identity: readonly number[];
  /** OID of the partitioned table that a partition belongs to. */
  readonly root?: number | null;
  /** OIDs of the leaves of a partitioned table; null for others. */
  readonly partitions: readonly number[] | null;
  readonly columns: readonly KnownColumn[];
  /** Names of the schema before it was renamed: a transaction open at that time may still write under them. */
  readonly former_schemas?: readonly string[];
  /** True where a RELATION message is all we have: keys, defaults and nullability are guesses. */
  readonly learned?: boolean;
}

export function columnsByAttnum(table: KnownTable): ReadonlyMap<number, KnownColumn> {
  return new Map(table.columns.map((column) => [column.attnum, column]));
}
