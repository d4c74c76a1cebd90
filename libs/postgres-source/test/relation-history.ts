import { encodingOfType, TableTemplate, type Position, type SchemaChange } from '@pgstream/wal-event';
import type { RelationMessage, SchemaHistoryPort, TableState, TypeMessage } from '../src/index.ts';

/** A schema history that knows what RELATION says and nothing else: column ids are counted, key flags are the key. */
export class RelationHistory implements SchemaHistoryPort {
  readonly relations: RelationMessage[] = [];
  readonly types: TypeMessage[] = [];
  readonly logRows: { row: ReadonlyMap<string, string | null>; at: Position }[] = [];
  readonly witnessedAt: Position[] = [];
  readonly checkpoints: bigint[] = [];
  /** Set to give the next RELATION of this table a witness. */
  witnessFor: string | undefined;
  /** Set to let checkpoints wait. */
  gate: Promise<void> | undefined;
  pending = false;
  readonly #states = new Map<number, { witness: SchemaChange | null }>();

  load(): Promise<void> {
    return Promise.resolve();
  }

  type(message: TypeMessage): void {
    this.types.push(message);
  }

  relation(relation: RelationMessage): TableState {
    this.relations.push(relation);
    const { oid, schema, table } = relation;
    const tableId = `t${oid}`;
    const columns = relation.columns.map(({ name, typeOid }, i) => {
      const encoding = encodingOfType(typeOid);
      return { id: `${tableId}-${i + 1}`, name, type: `oid ${typeOid}`, encoding };
    });
    const keyColumnIds = columns.filter((_, i) => relation.columns[i]!.key).map(({ id }) => id);
    const template = new TableTemplate({ schema, table, tableId, keyColumnIds, columns });
    const state = { template, captured: true, witness: this.witnessFor === table ? change(schema) : null };
    this.#states.set(oid, state);
    return state;
  }

  witnessed(oid: number, at: Position): void {
    this.witnessedAt.push(at);
    const state = this.#states.get(oid);
    if (state !== undefined) state.witness = null;
  }

  logRow(row: ReadonlyMap<string, string | null>, at: Position): SchemaChange | null {
    this.logRows.push({ row, at });
    return change(row.get('schema_name') ?? '');
  }

  async checkpoint(upTo: bigint): Promise<void> {
    await this.gate;
    this.checkpoints.push(upTo);
  }

  pendingCheckpoint(): boolean {
    return this.pending;
  }
}

function change(schema: string): SchemaChange {
  return {
    ddl: '',
    schema_name: schema,
    command_tag: '',
    objects: [],
    schema_log: null,
    source: 'relation',
    changes: [],
  };
}
