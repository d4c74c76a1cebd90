import type { ColumnShape, DdlObject, TableShape } from '@pgstream/wal-event';
import { quoted } from './type-names.ts';
import { columnsByAttnum, type KnownColumn, type KnownTable } from './known-table.ts';

/** Gives the id of a table by its OID. */
export type IdOf = (oid: number) => string;

export function columnId(tableId: string, attnum: number): string {
  return `${tableId}-${attnum}`;
}

/** The public form of a known table. */
export function tableShape(table: KnownTable, idOf: IdOf): TableShape {
  const tableId = idOf(table.oid);
  return {
    table_id: tableId,
    oid: table.oid,
    schema: table.schema,
    name: table.name,
    columns: table.columns.map((column) => columnShape(column, tableId)),
    primary_key_columns: namesOf(table, table.primary_key),
    identity_columns: namesOf(table, table.identity),
    replica_identity: table.replica_identity,
  };
}

function columnShape(column: KnownColumn, tableId: string): ColumnShape {
  const { attnum, name, type, base_type, nullable, generated, identity, unique, metadata, attributes } =
    column;
  return {
    id: columnId(tableId, attnum),
    attnum,
    name,
    type,
    base_type,
    nullable,
    default: column.default,
    generated,
    identity,
    unique,
    metadata,
    ...(attributes === null ? {} : { attributes }),
  };
}

export function namesOf(table: KnownTable, attnums: readonly number[]): string[] {
  const columns = columnsByAttnum(table);
  return attnums.flatMap((attnum) => columns.get(attnum)?.name ?? []);
}

/** An object of the original's DDL message, with the columns of its table where the table still exists. */
export function ddlObject(
  object: Pick<DdlObject, 'type' | 'identity' | 'schema' | 'oid'>,
  table: KnownTable | undefined,
  idOf: IdOf,
): DdlObject {
  const { type, identity, schema, oid } = object;
  const isTable = type === 'table' || type === 'table column';
  const head = { type, identity, schema, oid, pgstream_id: isTable ? idOf(Number(oid)) : null };
  if (!isTable || table === undefined) return head;
  const key = namesOf(table, table.primary_key);
  return {
    ...head,
    columns: table.columns.map(ddlColumn),
    primary_key_columns: key.length === 0 ? null : key,
  };
}

function ddlColumn(column: KnownColumn): NonNullable<DdlObject['columns']>[number] {
  const { attnum, name, type, nullable, generated, identity, unique } = column;
  return { attnum, name, type, nullable, default: column.default, generated, identity, unique };
}

/** `app."Odd.Na""me"`: as the server prints an identity. */
export function quotedIdentity(schema: string, name: string): string {
  return `${quoted(schema)}.${quoted(name)}`;
}
