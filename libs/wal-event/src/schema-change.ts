/** A column of a table's shape, as the catalogue had it in the transaction that made the shape. */
export interface ColumnShape {
  /** `<table id>-<attnum>` */
  readonly id: string;
  readonly attnum: number;
  readonly name: string;
  /** As `format_type` prints it. */
  readonly type: string;
  /** The type under all domains; equal to `type` where there is none. `enum` and `composite` for those kinds. */
  readonly base_type: string;
  readonly nullable: boolean;
  readonly default: string | null;
  /** Stored generated columns are not in the stream before PostgreSQL 18. */
  readonly generated: boolean;
  readonly identity: 'ALWAYS' | 'BY DEFAULT' | null;
  readonly unique: boolean;
  /** COMMENT ON COLUMN */
  readonly metadata: string | null;
  /** Attributes of a composite type in order; absent for others. */
  readonly attributes?: readonly { readonly name: string; readonly type: string }[];
}

export interface TableShape {
  readonly table_id: string;
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** In attnum order. */
  readonly columns: readonly ColumnShape[];
  readonly primary_key_columns: readonly string[];
  /** Names of the columns that identify a row: replica identity, key, or a UNIQUE NOT NULL index under FULL. */
  readonly identity_columns: readonly string[];
  /** `d`efault, `n`othing, `f`ull, `i`ndex: pg_class.relreplident. */
  readonly replica_identity: 'd' | 'n' | 'f' | 'i';
}

export interface AddedColumn {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  /** The server's own text of the constant that old rows now show; `null` for none (or for NULL). */
  readonly constant_default: string | null;
}

/** What one schema change did to one table or schema. Sinks act on these and never on the text of the DDL. */
export type ShapeChange =
  | { readonly kind: 'schema_created' | 'schema_dropped'; readonly schema: string }
  | { readonly kind: 'schema_renamed'; readonly schema: string; readonly from: string }
  | { readonly kind: 'table_created'; readonly table: TableShape }
  | {
      readonly kind: 'table_dropped';
      readonly table_id: string;
      readonly schema: string;
      readonly name: string;
    }
  | {
      readonly kind: 'table_altered';
      readonly table: TableShape;
      /** The names before, where the table was renamed or moved. */
      readonly from: { readonly schema: string; readonly name: string } | null;
      readonly added: readonly AddedColumn[];
      readonly dropped: readonly { readonly id: string; readonly name: string }[];
      readonly renamed: readonly { readonly id: string; readonly from: string; readonly to: string }[];
      readonly retyped: readonly {
        readonly id: string;
        readonly name: string;
        readonly from: string;
        readonly to: string;
      }[];
      readonly key_changed: boolean;
      /** Why stored rows changed without row events: `retyped`, `volatile_default`, `key_changed`, `generated`. */
      readonly stale: readonly string[];
    };

/** An object of the original's DDL message. */
export interface DdlObject {
  readonly type: string;
  readonly identity: string;
  readonly schema: string;
  readonly oid: string;
  readonly pgstream_id: string | null;
  readonly columns?: readonly {
    readonly attnum: number;
    readonly name: string;
    readonly type: string;
    readonly nullable: boolean;
    readonly default: string | null;
    readonly generated: boolean;
    readonly identity: string | null;
    readonly unique: boolean;
  }[];
  /** `null` where the table has none. */
  readonly primary_key_columns?: readonly string[] | null;
}

/** Prefix of the message that carries a schema change; its content is a {@link SchemaChange} as JSON. */
export const DDL_PREFIX = 'pgstream.ddl';

/** The content of a schema record: the original's members first, then ours. */
export interface SchemaChange {
  /** The whole client string, several statements included; for people, never parsed. Empty without a trigger. */
  readonly ddl: string;
  readonly schema_name: string;
  readonly command_tag: string;
  readonly objects: readonly DdlObject[];
  /** The row of `pgstream.schema_log`, or `null` where no trigger wrote one. */
  readonly schema_log: {
    readonly id: string;
    readonly version: number;
    readonly schema_name: string;
    readonly created_at: string;
    readonly acked: boolean;
    /** `{"tables": [...] | null, "dropped"?: true}` as the original's `schema` column. */
    readonly schema: unknown;
  } | null;
  /** Who saw it: an event trigger, a RELATION message nobody had explained, or the comparison with the catalogue. */
  readonly source: 'trigger' | 'relation' | 'catalogue';
  readonly changes: readonly ShapeChange[];
}
