import {
  encodingOfType,
  TableTemplate,
  type Lsn,
  type Position,
  type SchemaChange,
  type TableSpec,
} from '@pgstream/wal-event';
import type { SchemaHistoryPort, TableState } from '../history-port.ts';
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts';
import type { Sql } from '../sql.ts';
import type { KnownColumn, KnownTable } from './known-table.ts';
import { changeOfRow, LogRowReader, parseLogRow } from './log-row.ts';
import { explainedColumns, learnTable } from './relation-match.ts';
import { diffTable } from './shape-diff.ts';
import { ShapeLedger } from './shape-ledger.ts';
import { ack, databaseOid, loadShapes, pruneShapes, saveEntries } from './shape-store.ts';
import { tableIdOf, type SourceIdentity } from './table-ids.ts';
import { columnId, ddlObject, quotedIdentity } from './table-shape.ts';

export interface SchemaHistoryOptions {
  /** Ordinary SQL on the source database, not the replication connection. */
  readonly sql: Sql;
  readonly slot: string;
  /** As IDENTIFY_SYSTEM prints it. */
  readonly systemId: string;
  /** Grows when the cluster's LSNs start over. */
  readonly epoch: number;
  /** `acked` could not be set, or old versions not removed: nothing depends on it. */
  readonly onBookkeepingFailure?: (cause: unknown) => void;
}

interface MutableState extends TableState {
  witness: SchemaChange | null;
}

interface Witness {
  readonly state: MutableState;
  readonly learned: KnownTable;
}

interface LogReceipt {
  readonly id: string;
  readonly commitLsn: Lsn;
}

const OWN_SCHEMA = 'pgstream';

/**
 * Which shape a table had at each point of the stream. Rows of `pgstream.schema_log`, written by event triggers in the
 * transaction of the DDL, say it exactly; a RELATION message that they do not explain says the rest.
 */
export class SchemaHistory implements SchemaHistoryPort {
  readonly #options: SchemaHistoryOptions;
  readonly #ledger = new ShapeLedger();
  readonly #types = new Map<number, TypeMessage>();
  readonly #witnesses = new Map<number, Witness>();
  readonly #ids = new Map<number, string>();
  readonly #rows: LogRowReader;
  #source: SourceIdentity;
  #unacked: LogReceipt[] = [];
  #loads = 0;

  constructor(options: SchemaHistoryOptions) {
    this.#options = options;
    this.#source = { systemId: options.systemId, epoch: options.epoch, databaseOid: 0 };
    this.#rows = new LogRowReader(this.#ledger, this.idOf);
  }

  /** What is known now. For comparing with the catalogue; changes as the stream goes on. */
  get ledger(): ShapeLedger {
    return this.#ledger;
  }

  /** Differs when anything known has changed since, a load included. */
  get revision(): string {
    return `${this.#loads}.${this.#ledger.changes}`;
  }

  readonly idOf = (oid: number): string => {
    let id = this.#ids.get(oid);
    if (id === undefined) {
      id = tableIdOf(this.#source, oid);
      this.#ids.set(oid, id);
    }
    return id;
  };

  async load(confirmed: Lsn): Promise<void> {
    const { sql, slot } = this.#options;
    if (this.#source.databaseOid === 0)
      this.#source = { ...this.#source, databaseOid: await databaseOid(sql) };
    const { tables, schemas } = await loadShapes(sql, slot, confirmed);
    this.#ledger.reset(
      tables,
      schemas.map(({ oid, name }) => [oid, name]),
    );
    this.#types.clear();
    this.#witnesses.clear();
    this.#unacked = [];
    this.#loads += 1;
  }

  type(message: TypeMessage): void {
    this.#types.set(message.oid, message);
  }

  relation(relation: RelationMessage): TableState {
    this.#witnesses.delete(relation.oid);
    const known = this.#ledger.table(relation.oid);
    if (isOwn(relation.schema)) {
      const own = learnTable(known, relation, this.#types);
      return { template: this.#template(own, own.columns), captured: false, witness: null };
    }
    const columns = known === undefined ? null : explainedColumns(known, relation);
    if (known !== undefined && columns !== null) {
      return { template: this.#template(known, columns), captured: true, witness: null };
    }
    return this.#unexplained(known, relation);
  }

  #unexplained(known: KnownTable | undefined, relation: RelationMessage): TableState {
    const learned = learnTable(known, relation, this.#types);
    const sent = explainedColumns(learned, relation) ?? learned.columns;
    const state = {
      template: this.#template(learned, sent),
      captured: true,
      witness: this.#witnessOf(known, learned),
    };
    this.#witnesses.set(relation.oid, { state, learned });
    return state;
  }

  #witnessOf(known: KnownTable | undefined, learned: KnownTable): SchemaChange {
    const { schema, name, oid } = learned;
    const object = { type: 'table', identity: quotedIdentity(schema, name), schema, oid: String(oid) };
    const change = diffTable(known, learned, this.idOf);
    return {
      ddl: '',
      schema_name: schema,
      command_tag: known === undefined ? 'CREATE TABLE' : 'ALTER TABLE',
      objects: [ddlObject(object, learned, this.idOf)],
      schema_log: null,
      source: 'relation',
      changes: change === null ? [] : [change],
    };
  }

  witnessed(oid: number, at: Position): void {
    const witness = this.#witnesses.get(oid);
    if (witness === undefined) return;
    this.#witnesses.delete(oid);
    witness.state.witness = null;
    this.#ledger.setTable(witness.learned, at);
  }

  logRow(row: ReadonlyMap<string, string | null>, at: Position): SchemaChange | null {
    const parsed = parseLogRow(row);
    for (const { oid } of parsed.shapes) {
      // What the RELATION alone revealed is told now; a fresh RELATION precedes the next row.
      const witness = this.#witnesses.get(oid);
      if (witness !== undefined) witness.state.witness = null;
      this.#witnesses.delete(oid);
    }
    const changes = this.#rows.apply(parsed, at);
    this.#unacked.push({ id: parsed.id, commitLsn: at.commitLsn });
    return changeOfRow(parsed, changes, this.idOf);
  }

  pendingCheckpoint(upTo: Lsn): boolean {
    const [receipt] = this.#unacked;
    return this.#ledger.hasPending(upTo) || (receipt !== undefined && receipt.commitLsn < upTo);
  }

  async checkpoint(upTo: Lsn): Promise<void> {
    const { sql, slot } = this.#options;
    const entries = this.#ledger.pending(upTo);
    if (entries.length > 0) await saveEntries(sql, slot, entries);
    this.#ledger.settle(entries);
    const acked = this.#unacked.filter(({ commitLsn }) => commitLsn < upTo);
    this.#unacked = this.#unacked.slice(acked.length);
    try {
      if (acked.length > 0)
        await ack(
          sql,
          acked.map(({ id }) => id),
        );
      if (entries.length > 0) await pruneShapes(sql, slot, upTo);
    } catch (cause) {
      this.#options.onBookkeepingFailure?.(cause);
    }
  }

  #template(table: KnownTable, columns: readonly KnownColumn[]): TableTemplate {
    const tableId = this.idOf(table.oid);
    const sent = new Set(columns.map(({ attnum }) => attnum));
    const spec: TableSpec = {
      schema: table.schema,
      table: table.name,
      tableId,
      keyColumnIds: table.identity
        .filter((attnum) => sent.has(attnum))
        .map((attnum) => columnId(tableId, attnum)),
      columns: columns.map(({ attnum, name, type, base_oid }) => ({
        id: columnId(tableId, attnum),
        name,
        type,
        encoding: encodingOfType(base_oid),
      })),
    };
    return new TableTemplate(spec);
  }
}

function isOwn(schema: string): boolean {
  return schema === OWN_SCHEMA || schema === 'pgroll';
}
