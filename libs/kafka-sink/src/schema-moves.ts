import { DDL_PREFIX, decodeRecord, type SchemaChange, type ShapeChange } from '@pgstream/wal-event';
import type { Buffer } from 'node:buffer';

/** A schema change as far as it decides where records go. */
export interface SchemaRoute {
  /** Key of the record. */
  readonly schemaName: string;
  /** Every schema that it touches, old names included. */
  readonly schemas: readonly string[];
  /** Old and new name of what changed its schema. */
  readonly schemaMoves: readonly { readonly from: string; readonly to: string }[];
  /** Whether the rows of some table have another name from here on. */
  readonly renamesTables: boolean;
}

/** `null` for a logical message of somebody else. @throws {RecordFormatError} */
export function schemaRoute(value: Buffer): SchemaRoute | null {
  const { message } = decodeRecord(value);
  if (message?.prefix !== DDL_PREFIX) return null;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own source, see SchemaChange
  const change = JSON.parse(message.content) as SchemaChange;
  const schemaMoves = change.changes.flatMap((shape) => moveOf(shape));
  const touched = change.changes.flatMap((shape) => [
    schemaOf(shape),
    ...moveOf(shape).map(({ from }) => from),
  ]);
  return {
    schemaName: change.schema_name,
    schemas: [...new Set([change.schema_name, ...touched])],
    schemaMoves,
    renamesTables: change.changes.some((shape) => renames(shape)),
  };
}

function schemaOf(shape: ShapeChange): string {
  return shape.kind === 'table_created' || shape.kind === 'table_altered' ? shape.table.schema : shape.schema;
}

function moveOf(shape: ShapeChange): { from: string; to: string }[] {
  if (shape.kind === 'schema_renamed') return [{ from: shape.from, to: shape.schema }];
  if (shape.kind !== 'table_altered' || shape.from === null || shape.from.schema === shape.table.schema)
    return [];
  return [{ from: shape.from.schema, to: shape.table.schema }];
}

function renames(shape: ShapeChange): boolean {
  return shape.kind === 'schema_renamed' || (shape.kind === 'table_altered' && shape.from !== null);
}
