import { Literal } from './json-bytes.ts';
import type { TableRef, TableSpec, ValueEncoding } from './table.ts';

export const KIND = { number: 0, boolean: 1, text: 2, bytea: 3 } as const satisfies Record<
  ValueEncoding,
  number
>;

/** Everything of a row's record that is the same for all rows of one version of a table, as bytes. */
export class TableTemplate {
  readonly spec: TableSpec;
  readonly ref: TableRef;
  /** `,"schema":…,"table":…,"columns":` */
  readonly head: Literal;
  /** Per column `{"id":…,"name":…,"type":…,"value":` */
  readonly prefixes: readonly Literal[];
  readonly kinds: Uint8Array;
  /** 1 for the columns of the key. */
  readonly isKey: Uint8Array;
  /** Names as JSON strings, for `unchanged`. */
  readonly names: readonly Literal[];
  /** `,"metadata":{…}` */
  readonly metadata: Literal;
  /** Bytes a record may take beyond its values. */
  readonly overhead: number;

  constructor(spec: TableSpec) {
    this.spec = spec;
    const { schema, table, tableId, keyColumnIds } = spec;
    this.ref = { schema, table, tableId, keyColumnIds };
    this.head = new Literal(
      `,"schema":${JSON.stringify(schema)},"table":${JSON.stringify(table)},"columns":`,
    );
    this.prefixes = spec.columns.map(({ id, name, type }) => {
      return new Literal(
        `{"id":${JSON.stringify(id)},"name":${JSON.stringify(name)},"type":${JSON.stringify(type)},"value":`,
      );
    });
    this.kinds = Uint8Array.from(spec.columns, (column) => KIND[column.encoding]);
    const keys = new Set(keyColumnIds);
    this.isKey = Uint8Array.from(spec.columns, (column) => (keys.has(column.id) ? 1 : 0));
    this.names = spec.columns.map(({ name }) => new Literal(JSON.stringify(name)));
    this.metadata = new Literal(metadataOf(tableId, keyColumnIds.length === 0 ? null : keyColumnIds));
    const perRow = this.prefixes.reduce((sum, bytes) => sum + bytes.length + 16, 0);
    const names = this.names.reduce((sum, bytes) => sum + bytes.length + 1, 0);
    this.overhead = 2 * perRow + names + this.head.length + this.metadata.length + 512;
  }
}

export function metadataOf(tableId: string, keyColumnIds: readonly string[] | null): string {
  const id = JSON.stringify(tableId);
  const keys = JSON.stringify(keyColumnIds);
  return `,"metadata":{"schema_id":null,"table_pgstream_id":${id},"id_col_pgstream_id":${keys}}`;
}
