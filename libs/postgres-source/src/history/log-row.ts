import type { DdlObject, Position, SchemaChange, ShapeChange } from '@pgstream/wal-event';
import type { KnownTable } from './known-table.ts';
import { diffTable, tableDropped } from './shape-diff.ts';
import { markOf, type ShapeLedger } from './shape-ledger.ts';
import { columnId, ddlObject, type IdOf } from './table-shape.ts';

interface DroppedObject {
  readonly kind: 'table' | 'schema';
  readonly oid: number;
  readonly schema: string | null;
  readonly name: string;
}

/** A row of pgstream.schema_log as the stream carries it: each column's text, by name. */
export interface LogRow {
  readonly id: string;
  readonly version: number;
  readonly schemaName: string;
  readonly createdAt: string;
  readonly acked: boolean;
  readonly schema: unknown;
  readonly ddl: string;
  readonly commandTag: string;
  readonly objects: readonly Pick<DdlObject, 'type' | 'identity' | 'schema' | 'oid'>[];
  readonly shapes: readonly KnownTable[];
  readonly dropped: readonly DroppedObject[];
  readonly schemas: readonly { readonly oid: number; readonly name: string }[];
  readonly source: 'trigger' | 'catalogue';
  /** By `table:OID` or `schema:OID`, what the producer knew when it wrote the row; null for rows of triggers. */
  readonly expected: Readonly<Record<string, string>> | null;
}

export function parseLogRow(row: ReadonlyMap<string, string | null>): LogRow {
  const text = (name: string): string => row.get(name) ?? '';
  const list = (name: string): never[] => {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own triggers and reconciliation, in the form of the member it is read for
    return JSON.parse(row.get(name) ?? '[]') as never[];
  };
  const expected = row.get('expected') ?? null;
  return {
    id: text('id'),
    version: Number(text('version')),
    schemaName: text('schema_name'),
    createdAt: text('created_at'),
    acked: text('acked') === 't',
    schema: JSON.parse(row.get('schema') ?? 'null'),
    ddl: text('ddl'),
    commandTag: text('command_tag'),
    objects: list('objects'),
    shapes: list('shapes'),
    dropped: list('dropped'),
    schemas: list('schemas'),
    source: text('source') === 'catalogue' ? 'catalogue' : 'trigger',
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own reconciliation
    expected: expected === null ? null : (JSON.parse(expected) as Record<string, string>),
  };
}

/** The record of a row, once its changes are known. `null` when the row tells nothing. */
export function changeOfRow(row: LogRow, changes: readonly ShapeChange[], idOf: IdOf): SchemaChange | null {
  const objects = row.objects.filter(({ type }) => type !== 'schema' || row.dropped.length > 0);
  if (changes.length === 0 && objects.length === 0) return null;
  const shapes = new Map(row.shapes.map((shape) => [shape.oid, shape]));
  return {
    ddl: row.ddl,
    schema_name: row.schemaName,
    command_tag: row.commandTag,
    objects: objects.map((object) => ddlObject(object, shapes.get(Number(object.oid)), idOf)),
    schema_log: {
      id: row.id,
      version: row.version,
      schema_name: row.schemaName,
      created_at: row.createdAt,
      acked: row.acked,
      schema: withIds(row.schema, idOf),
    },
    source: row.source,
    changes,
  };
}

interface SeedTable {
  readonly oid: string;
  readonly columns: readonly { readonly attnum: number }[];
}

/** The original's `schema` column: its tables with the ids that only the producer can make. */
function withIds(schema: unknown, idOf: IdOf): unknown {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by our own triggers
  const { tables, ...rest } = (schema ?? { tables: null }) as { tables?: readonly SeedTable[] | null };
  return {
    tables:
      tables?.map(({ oid, columns, ...table }) => ({
        oid,
        ...table,
        pgstream_id: idOf(Number(oid)),
        columns: columns?.map(({ attnum, ...column }) => ({
          pgstream_id: columnId(idOf(Number(oid)), attnum),
          ...column,
        })),
      })) ?? null,
    ...rest,
  };
}

/** Takes a row into the ledger. @returns what it changes against what was known. */
export class LogRowReader {
  readonly #ledger: ShapeLedger;
  readonly #idOf: IdOf;

  constructor(ledger: ShapeLedger, idOf: IdOf) {
    this.#ledger = ledger;
    this.#idOf = idOf;
  }

  apply(row: LogRow, at: Position): ShapeChange[] {
    const valid = (key: string, known: string): boolean =>
      row.expected === null || row.expected[key] === known;
    const tableValid = (oid: number): boolean => valid(`table:${oid}`, markOf(this.#ledger.table(oid)));
    const schemaValid = (oid: number): boolean => valid(`schema:${oid}`, this.#ledger.schema(oid) ?? 'none');
    const schemas = row.schemas.filter(({ oid }) => schemaValid(oid));
    const shapes = row.shapes.filter(({ oid }) => tableValid(oid));
    const dropped = row.dropped.filter(({ kind, oid }) =>
      kind === 'table' ? tableValid(oid) : schemaValid(oid),
    );
    const found = row.commandTag === 'CREATE SCHEMA' || row.source === 'catalogue';
    return [
      ...schemas.flatMap(({ oid, name }) => this.#schema(oid, name, found, at)),
      ...shapes.flatMap((shape) => this.#table(shape, at)),
      ...dropped.flatMap((object) => this.#dropped(object, at)),
    ];
  }

  #schema(oid: number, name: string, created: boolean, at: Position): ShapeChange[] {
    const members = [...this.#ledger.tables()].filter((table) => table.schema_oid === oid);
    const from = this.#ledger.schema(oid) ?? members.find((table) => table.schema !== name)?.schema;
    if (this.#ledger.schema(oid) !== name) this.#ledger.setSchema(oid, name, at);
    if (from === undefined) return created ? [{ kind: 'schema_created', schema: name }] : [];
    if (from === name) return [];
    for (const table of members) {
      const former = [...(table.former_schemas ?? []), table.schema].filter((one) => one !== name);
      this.#ledger.setTable({ ...table, schema: name, former_schemas: former }, at);
    }
    return [{ kind: 'schema_renamed', schema: name, from }];
  }

  #table(shape: KnownTable, at: Position): ShapeChange[] {
    const known = this.#ledger.table(shape.oid);
    if (!shape.captured) return [...this.#adopted(shape, at), ...this.#forget(known, at)];
    const attached = (shape.partitions ?? []).filter((oid) => this.#ledger.table(oid) !== undefined);
    const stale = partitionsMoved(known, shape, attached);
    const change = diffTable(known, shape, this.#idOf, stale);
    const former = known?.schema_oid === shape.schema_oid ? known.former_schemas : undefined;
    this.#ledger.setTable(former === undefined ? shape : { ...shape, former_schemas: former }, at);
    const joined = attached.flatMap((oid) => this.#forget(this.#ledger.table(oid), at));
    return change === null ? joined : [...joined, change];
  }

  /** A new partition brings no change of its own; its root must know it, to notice when it goes. */
  #adopted(shape: KnownTable, at: Position): ShapeChange[] {
    const root = typeof shape.root === 'number' ? this.#ledger.table(shape.root) : undefined;
    const isLeaf = shape.partitions === null;
    if (isLeaf && root?.partitions?.includes(shape.oid) === false) {
      const partitions = [...root.partitions, shape.oid].toSorted((left, right) => left - right);
      this.#ledger.setTable({ ...root, partitions }, at);
    }
    return [];
  }

  /** Not carried under its own name any more. */
  #forget(known: KnownTable | undefined, at: Position): ShapeChange[] {
    if (known === undefined) return [];
    this.#ledger.dropTable(known.oid, at);
    return [tableDropped(known, this.#idOf)];
  }

  #dropped(object: DroppedObject, at: Position): ShapeChange[] {
    if (object.kind === 'schema') {
      this.#ledger.dropSchema(object.oid, at);
      return [{ kind: 'schema_dropped', schema: object.name }];
    }
    const known = this.#ledger.table(object.oid);
    return known === undefined ? this.#partitionDropped(object.oid, at) : this.#forget(known, at);
  }

  /** The rows of a dropped partition are gone from its root without row events. */
  #partitionDropped(oid: number, at: Position): ShapeChange[] {
    for (const root of this.#ledger.tables()) {
      if (root.partitions?.includes(oid) !== true) continue;
      const after = { ...root, partitions: root.partitions.filter((one) => one !== oid) };
      const change = diffTable(root, after, this.#idOf, ['partition_dropped']);
      this.#ledger.setTable(after, at);
      return change === null ? [] : [change];
    }
    return [];
  }
}

/** Rows that came to a partitioned table or left it with a partition, without row events. */
function partitionsMoved(
  known: KnownTable | undefined,
  shape: KnownTable,
  attached: readonly number[],
): string[] {
  const left = known?.partitions?.some((oid) => shape.partitions?.includes(oid) === false) ?? false;
  return [...(attached.length > 0 ? ['partition_attached'] : []), ...(left ? ['partition_detached'] : [])];
}
