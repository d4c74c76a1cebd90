/**
 * How the text that PostgreSQL sends for a column becomes a JSON value. The record never passes a value through
 * a JavaScript number or `Date`.
 *
 * - `number`: the literal as it is; `NaN` and infinities, which JSON lacks, as strings.
 * - `boolean`: `t` and `f`.
 * - `bytea`: `\x` hex as base64.
 * - `text`: everything else, as a JSON string.
 */
export type ValueEncoding = 'number' | 'boolean' | 'bytea' | 'text';

/** One column of a table as its rows were written. */
export interface ColumnSpec {
  /** `<table id>-<attnum>`: stays the same when the column is renamed. */
  readonly id: string;
  readonly name: string;
  /** As `format_type` prints it: `numeric(10,2)`, `timestamp(3) without time zone`, `app.mood`. */
  readonly type: string;
}

/** Names and identity of a table as records carry them. Interned: one object per version of a table. */
export interface TableRef {
  readonly schema: string;
  readonly table: string;
  /** 20 characters, stable over renames, new when a table is dropped and created again; `''` for messages. */
  readonly tableId: string;
  /** Ids of the columns that identify a row, in key order; empty where a table has no usable key. */
  readonly keyColumnIds: readonly string[];
}

/** What the encoder needs to write rows of one version of a table. */
export interface TableSpec extends TableRef {
  /** In the order of the RELATION message. */
  readonly columns: readonly (ColumnSpec & { readonly encoding: ValueEncoding })[];
}

/**
 * The encoding of a built-in type by its OID (pg_type.dat). Domains, enums, arrays and extension types are `text`,
 * except that the caller passes the base type's OID for a domain.
 */
export function encodingOfType(typeOid: number): ValueEncoding {
  switch (typeOid) {
    case 16:
      return 'boolean';
    case 17:
      return 'bytea';
    case 20: // int8
    case 21: // int2
    case 23: // int4
    case 26: // oid
    case 700: // float4
    case 701: // float8
    case 1700: // numeric
      return 'number';
    default:
      return 'text';
  }
}
