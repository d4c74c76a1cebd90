import {
  assertNever,
  DDL_PREFIX,
  type MessageEvent,
  type Position,
  type SchemaChange,
  type ShapeChange,
  type TableRef,
} from '@pgstream/wal-event';
import type { TableFilter } from './table-filter.ts';

/**
 * What of a change concerns tables that are emitted; `null` if nothing does. A change without shape changes (a statement
 * that only the history shows) passes.
 */
export function filterChange(change: SchemaChange, filter: TableFilter): SchemaChange | null {
  const changes = change.changes.filter((shape) => concerns(shape, filter));
  if (changes.length === change.changes.length) return change;
  return changes.length === 0 ? null : { ...change, changes };
}

/** The event of a schema record. @param lsn of the row that carried or revealed it */
export function schemaEvent(change: SchemaChange, at: Position, lsn: bigint): MessageEvent {
  return {
    lsn,
    seq: at.seq,
    sub: at.sub,
    prefix: DDL_PREFIX,
    content: JSON.stringify(change),
    table: refOf(change),
  };
}

function concerns(shape: ShapeChange, filter: TableFilter): boolean {
  switch (shape.kind) {
    case 'schema_created':
    case 'schema_dropped':
    case 'schema_renamed':
      return true;
    case 'table_created':
      return filter.includes(shape.table.schema, shape.table.name);
    case 'table_dropped':
      return filter.includes(shape.schema, shape.name);
    case 'table_altered':
      return includesEither(filter, shape.table, shape.from);
    default:
      return assertNever(shape);
  }
}

interface Name {
  readonly schema: string;
  readonly name: string;
}

/** A table that leaves or enters the filter by its name concerns it. */
function includesEither(filter: TableFilter, now: Name, before: Name | null): boolean {
  return (
    filter.includes(now.schema, now.name) || (before !== null && filter.includes(before.schema, before.name))
  );
}

/** Routed like the rows of its schema, and of its table where it is about one. */
function refOf(change: SchemaChange): TableRef {
  const [shape, ...more] = change.changes;
  const schema = change.schema_name;
  if (shape === undefined || more.length > 0) return { schema, table: '', tableId: '', keyColumnIds: [] };
  if (shape.kind === 'table_created' || shape.kind === 'table_altered') {
    return {
      schema: shape.table.schema,
      table: shape.table.name,
      tableId: shape.table.table_id,
      keyColumnIds: [],
    };
  }
  if (shape.kind === 'table_dropped') {
    return { schema: shape.schema, table: shape.name, tableId: shape.table_id, keyColumnIds: [] };
  }
  return { schema, table: '', tableId: '', keyColumnIds: [] };
}
