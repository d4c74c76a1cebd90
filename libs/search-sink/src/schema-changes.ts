import { failpoint } from '@pgstream/failure';
import { deleteIndex, type SearchStore } from '@pgstream/search-store';
import {
  assertNever,
  type Position,
  type SchemaChange,
  type ShapeChange,
  type TableRef,
  type TableShape,
} from '@pgstream/wal-event';
import type { Fence } from './fence.ts';
import type { BoundFunctions } from './functions.ts';
import { Generations } from './generations.ts';
import { writeHistory } from './history.ts';
import { deleteOlder } from './mass-change.ts';
import type { SearchObserver } from './observer.ts';
import { rewriteRows } from './row-rewrite.ts';
import type { SystemNames } from './system-indices.ts';
import { mergeColumns, newColumns, type KnownColumn, type TableIndex } from './table-index.ts';
import { refOf, TableRenames } from './table-renames.ts';
import type { Tables } from './tables.ts';

export interface SchemaChangesOptions {
  readonly store: SearchStore;
  readonly functions: BoundFunctions;
  readonly observer: SearchObserver;
  readonly names: SystemNames;
  readonly indexSettings: Readonly<Record<string, unknown>>;
  readonly handleDdl: boolean;
  readonly tables: Tables;
}

interface RowOfTable {
  readonly ref: TableRef;
  readonly columns: readonly KnownColumn[];
  readonly version: bigint;
}

export interface SchemaRecord {
  readonly content: string;
  readonly position: Position;
  readonly fence: Fence;
}

type Altered = Extract<ShapeChange, { kind: 'table_altered' }>;

/**
 * Makes indices follow tables. Everything here may run again, late, or after a newer change: what is older than the
 * state of a table leaves it alone.
 */
export class SchemaChanges {
  readonly #options: SchemaChangesOptions;
  readonly #tables: Tables;
  readonly #generations: Generations;
  readonly #renames: TableRenames;
  /** Lanes that find the same index missing wait for one recovery: two would each save the state they read. */
  readonly #recoveries = new Map<string, Promise<'gone' | 'again'>>();

  constructor(options: SchemaChangesOptions) {
    this.#options = options;
    this.#tables = options.tables;
    this.#generations = new Generations(options);
    this.#renames = new TableRenames(options);
  }

  /** Before a row of a table, or of columns, that were not met yet. Nothing else need be drained for that. */
  async openForRow(row: RowOfTable, drain: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { ref, columns, version } = row;
    const table = await this.#tables.open(ref, columns, version);
    if (table.dropped || columns.length === 0) return;
    await this.#generations.finish(table, signal);
    const added = newColumns(table.state.columns, columns);
    if (added.length > 0 && version >= table.version)
      await this.#reshape(table, { added, version, drain }, signal);
    // A row that is older than the shape may show columns that are gone by now: they stay in `_source`.
    table.mapped.add(columns);
  }

  /** The index of a table was not there when a bulk came: dropped, or removed by hand. */
  async missing(table: TableIndex): Promise<'gone' | 'again'> {
    const { tableId } = table;
    const recovery =
      this.#recoveries.get(tableId) ?? this.#recover(table).finally(() => this.#recoveries.delete(tableId));
    this.#recoveries.set(tableId, recovery);
    return recovery;
  }

  async #recover(table: TableIndex): Promise<'gone' | 'again'> {
    this.#tables.forget(table);
    const found = await this.#tables.find(table.tableId);
    if (found?.dropped ?? table.dropped) return 'gone';
    // No DROP removes the state: somebody did by hand, and the rows are still wanted.
    const current = found ?? (await this.#tables.restore(table));
    const { state } = current;
    const ref = refOf(state.table_id, state.schema, state.table);
    const present = await this.#tables.physical.read(current.index.writeAlias);
    if (present !== null) return 'again';
    const aliases = [...new Set([current.index.writeAlias, state.alias])];
    await this.#tables.physical.create(ref, state.generation, state.columns, aliases);
    this.#options.observer.notice('index_missing', {
      index: state.index,
      schema: state.schema,
      table: state.table,
    });
    await this.#stale(current, ['index_missing'], current.version);
    return 'again';
  }

  /** Applies a schema record. Every bulk has been drained before. */
  async apply(record: SchemaRecord, signal: AbortSignal): Promise<void> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the content of a message with our prefix
    const change = JSON.parse(record.content) as SchemaChange;
    const { observer, store, names, handleDdl } = this.#options;
    await this.#tables.prepare();
    failpoint?.('search.ddl-before');
    for (const shape of change.changes) {
      // oxlint-disable-next-line no-await-in-loop -- changes build upon each other
      await this.#applyOne(shape, record.fence, signal);
    }
    failpoint?.('search.ddl-applied');
    await writeHistory(store, names, { change, position: record.position, version: record.fence.version });
    failpoint?.('search.ddl-after');
    observer.notice(handleDdl ? 'schema_change_applied' : 'schema_change_ignored', {
      command: change.command_tag,
      schema: change.schema_name,
      changes: change.changes.length,
    });
  }

  async #applyOne(change: ShapeChange, fence: Fence, signal: AbortSignal): Promise<void> {
    switch (change.kind) {
      case 'schema_created':
        return;
      case 'schema_dropped':
        for (const table of await this.#tables.ofSchema(change.schema)) {
          // oxlint-disable-next-line no-await-in-loop -- a schema change is rare
          await this.#drop(table, fence, signal);
        }
        return;
      case 'schema_renamed':
        for (const table of await this.#tables.ofSchema(change.from)) {
          // oxlint-disable-next-line no-await-in-loop -- a schema change is rare
          await this.#renames.rename(
            table,
            { schema: change.schema, name: table.state.table },
            fence.version,
          );
        }
        return;
      case 'table_created':
        await this.#create(change.table, fence.version, signal);
        return;
      case 'table_dropped': {
        const table = await this.#tables.find(change.table_id);
        if (table !== null) await this.#drop(table, fence, signal);
        return;
      }
      case 'table_altered':
        await this.#alter(change, fence, signal);
        return;
      default:
        assertNever(change);
    }
  }

  async #create(shape: TableShape, version: bigint, signal: AbortSignal): Promise<void> {
    // A table without a key has no documents, so it needs no index.
    if (shape.identity_columns.length === 0) return;
    const ref = refOf(shape.table_id, shape.schema, shape.name);
    const table = await this.#tables.open(ref, shape.columns, version);
    if (version < table.version || table.dropped) return;
    await this.#reshape(table, { added: shape.columns, version, drain: async () => {} }, signal);
  }

  async #drop(table: TableIndex, fence: Fence, signal: AbortSignal): Promise<void> {
    const { functions, handleDdl, store, observer } = this.#options;
    if (!handleDdl || fence.version < table.version) return;
    // The state first: from here on late rows are known for what they are. The rest again, should it have been cut short.
    if (!table.dropped) await this.#tables.save(table, { dropped: true }, fence.version);
    failpoint?.('search.drop-saved');
    if (functions.naming.shared) await deleteOlder(store, table, fence, { shared: true, signal });
    else await deleteIndex(store, table.index.name, { signal });
    observer.notice('table_dropped', {
      schema: table.state.schema,
      table: table.state.table,
      index: table.index.name,
    });
  }

  async #alter(change: Altered, fence: Fence, signal: AbortSignal): Promise<void> {
    const { table: shape } = change;
    const ref = refOf(shape.table_id, shape.schema, shape.name);
    const found = await this.#tables.find(shape.table_id);
    if (found === null && shape.identity_columns.length === 0) return;
    const table = found ?? (await this.#tables.open(ref, shape.columns, fence.version));
    if (table.dropped) return;
    if (fence.version < table.version) {
      // It comes again, and with it may have come rows of before it: with the fields that it took away.
      if (this.#options.handleDdl) await this.#editRows(table, change, fence, signal);
      return;
    }
    await this.#renames.rename(table, shape, fence.version);
    if (!this.#options.handleDdl) return;
    await this.#reshape(
      table,
      { added: shape.columns, version: fence.version, drain: async () => {} },
      signal,
    );
    const stale = await this.#editRows(table, change, fence, signal);
    await this.#stale(table, [...change.stale, ...stale], fence.version, shape.columns);
  }

  async #editRows(table: TableIndex, change: Altered, fence: Fence, signal: AbortSignal): Promise<string[]> {
    const { fieldOf, naming } = this.#options.functions;
    return await rewriteRows(
      { ...this.#options, shared: naming.shared },
      { table, change, fence, fieldOf },
      signal,
    );
  }

  /** Maps columns that are new or have changed; a new generation of the index where a field changes its type. */
  async #reshape(
    table: TableIndex,
    change: { added: readonly KnownColumn[]; version: bigint; drain: () => Promise<void> },
    signal: AbortSignal,
  ): Promise<void> {
    const { added, version, drain } = change;
    const columns = mergeColumns(table.state.columns, added);
    const { missing, clashing } = this.#tables.physical.compare(table.index, added);
    const reformed = added.some((column) => isReformed(table.state.columns, column));
    if (!this.#options.handleDdl && table.state.columns.length > 0) {
      const fields = Object.keys(missing).length + clashing.length;
      if (fields > 0) {
        const { schema, table: name } = table.state;
        this.#options.observer.notice('columns_not_mapped', { schema, table: name, fields });
      }
      return;
    }
    if (clashing.length > 0) {
      await drain();
      await this.#generations.next(table, { columns, clashing, version }, signal);
    } else {
      await this.#tables.physical.putFields(table.index, missing);
    }
    await this.#stale(table, reformed ? ['retyped'] : [], version, columns);
  }

  async #stale(
    table: TableIndex,
    reasons: readonly string[],
    version: bigint,
    columns: readonly KnownColumn[] = table.state.columns,
  ): Promise<void> {
    const before = table.state.stale;
    await this.#tables.save(table, { stale: union(before, reasons), columns }, version);
    if (reasons.every((reason) => before.includes(reason))) return;
    const { schema, table: name } = table.state;
    this.#options.observer.notice('table_stale', { schema, table: name, reasons: reasons.join(',') });
  }
}

/**
 * A column that only rows told of shows its domain or composite as text; once its shape is known, later values look
 * otherwise than those that are there.
 */
function isReformed(known: readonly KnownColumn[], { id, type, base_type: base }: KnownColumn): boolean {
  const column = known.find((one) => one.id === id);
  return (
    column !== undefined &&
    column.base_type === undefined &&
    base !== undefined &&
    base !== type &&
    base !== 'enum'
  );
}

/** Whether a message under our prefix can be ours. */
export function isSchemaChange(content: string): boolean {
  try {
    const change: unknown = JSON.parse(content);
    return (
      typeof change === 'object' && change !== null && 'changes' in change && Array.isArray(change.changes)
    );
  } catch {
    return false;
  }
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])];
}
