import { PipelineError } from '@pgstream/failure';
import { ACTION, formatLsn, type Lsn, type Position, type RecordEncoder } from '@pgstream/wal-event';
import type { SchemaHistoryPort, TableState } from '../history-port.ts';
import type { DecodedRow, LogicalMessage, PgoutputHandler } from '../pgoutput/decoder.ts';
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts';
import { rowValues } from '../pgoutput/row-values.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { FlightRecorder } from '../recorder/flight-recorder.ts';
import type { BatchCutter } from './batch-cutter.ts';
import { filterChange, schemaEvent } from './schema-records.ts';
import type { SourceFacts, SourceObserver } from './source-facts.ts';
import type { TableFilter } from './table-filter.ts';

export interface AssemblerParts {
  readonly encoder: RecordEncoder;
  readonly history: SchemaHistoryPort;
  readonly filter: TableFilter;
  readonly cutter: BatchCutter;
  readonly acknowledger: Acknowledger;
  readonly facts: SourceFacts;
  readonly observer: SourceObserver;
  readonly recorder?: FlightRecorder | undefined;
  readonly mustSee?: Lsn | undefined;
}

interface Relation {
  readonly oid: number;
  readonly message: RelationMessage;
  readonly state: TableState;
  readonly width: number;
  /** Its rows become records. */
  readonly emitted: boolean;
  /** Of the schema `pgstream`: never emitted as rows. */
  readonly own: boolean;
  readonly isSchemaLog: boolean;
}

const OWN_SCHEMA = 'pgstream';
const SCHEMA_LOG = 'schema_log';
/** A message under such a prefix could pass for one of ours downstream. */
const RESERVED_PREFIX = 'pgstream.';
const MS_2000 = 946_684_800_000;

/**
 * Turns the messages of one connection into records with positions.
 *
 * Position = (LSN of the COMMIT record, seq, sub). `seq` counts rows, tables of a TRUNCATE and transactional messages, whether
 * they are emitted or not, and never RELATION or TYPE, which are sent again on each connection: so it is the same after any
 * restart and under any filter.
 */
export class Assembler implements PgoutputHandler {
  readonly #parts: AssemblerParts;
  readonly #relations = new Map<number, Relation>();
  #last: Relation | undefined;
  #open = false;
  #commitLsn = 0n;
  #seq = 0;
  /** Records emitted before the open transaction. */
  #recordsBefore = 0;

  /** Published before: see {@link expect}. */
  #awaited: bigint | undefined;

  constructor(parts: AssemblerParts) {
    this.#parts = parts;
  }

  /** The stream starts at `from`: a transaction behind it that was published must come again, or the history is another. */
  expect(from: Lsn): void {
    const { mustSee } = this.#parts;
    this.#awaited = mustSee !== undefined && mustSee >= from ? mustSee : undefined;
  }

  get inTransaction(): boolean {
    return this.#open;
  }

  begin(commitLsn: bigint, commitTimeUs: number, xid: number): void {
    const { encoder, facts } = this.#parts;
    if (this.#awaited !== undefined && commitLsn >= this.#awaited) this.#meet(commitLsn, this.#awaited);
    this.#open = true;
    this.#commitLsn = commitLsn;
    this.#seq = 0;
    this.#recordsBefore = facts.records;
    facts.receivedLsn = lsnOf(commitLsn);
    facts.lastCommitTimeMs = MS_2000 + Math.floor(commitTimeUs / 1000);
    encoder.begin({ commitLsn, commitTimeUs, xid });
  }

  #meet(commitLsn: bigint, awaited: bigint): void {
    this.#awaited = undefined;
    if (commitLsn === awaited) return;
    throw new PipelineError('PG_HISTORY_CHANGED', {
      detail: `The log holds the transaction of ${formatLsn(lsnOf(awaited))}; the server goes on with ${formatLsn(lsnOf(commitLsn))}.`,
      facts: { lostFrom: formatLsn(lsnOf(awaited)) },
    });
  }

  commit(_commitLsn: bigint, endLsn: bigint): void {
    const { acknowledger, cutter, facts } = this.#parts;
    this.#open = false;
    facts.transactions++;
    facts.changes += this.#seq;
    const end = lsnOf(endLsn);
    if (facts.records > this.#recordsBefore) acknowledger.records(end);
    else acknowledger.idle(end);
    cutter.boundary(end);
  }

  type(message: TypeMessage): void {
    this.#parts.recorder?.type(message);
    this.#parts.history.type(message);
  }

  relation(message: RelationMessage): void {
    const { history, filter } = this.#parts;
    this.#parts.recorder?.relation(message);
    const own = message.schema === OWN_SCHEMA;
    const state = history.relation(message);
    const relation = {
      oid: message.oid,
      message,
      state,
      width: message.columns.length,
      emitted: !own && state.captured && filter.includes(message.schema, message.table),
      own,
      isSchemaLog: own && message.table === SCHEMA_LOG,
    };
    this.#relations.set(message.oid, relation);
    this.#last = relation;
  }

  row(row: DecodedRow): void {
    const relation = this.#relationOf(row.relationOid);
    if (relation.width !== row.columnCount) throw this.#mismatch(relation, row.columnCount);
    const seq = this.#seq++;
    if (!relation.emitted) {
      this.#unemitted(relation, row, seq);
      return;
    }
    if (relation.state.witness !== null) this.#witness(relation, seq, lsnFrom(row.lsnHi, row.lsnLo));
    const { encoder, cutter, facts } = this.#parts;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one field of the flyweight that is ours to set
    (row as { seq: number }).seq = seq;
    encoder.row(cutter.target, relation.state.template, row);
    facts.records++;
  }

  truncate(relationOids: readonly number[], lsnHi: number, lsnLo: number): void {
    const { encoder, cutter, facts } = this.#parts;
    for (const oid of relationOids) {
      const relation = this.#relationOf(oid);
      const seq = this.#seq++;
      if (!relation.emitted) {
        if (!relation.own) facts.filtered++;
        continue;
      }
      if (relation.state.witness !== null) this.#witness(relation, seq, lsnFrom(lsnHi, lsnLo));
      encoder.truncate(cutter.target, relation.state.template, { lsnHi, lsnLo, seq });
      facts.records++;
    }
  }

  message(message: LogicalMessage): void {
    const { encoder, cutter, facts, acknowledger } = this.#parts;
    const { transactional, lsn, prefix, content } = message;
    const seq = transactional ? this.#seq++ : 0;
    const at = this.#position(transactional ? this.#commitLsn : lsn, seq, 1);
    if (!transactional) facts.changes++;
    if (prefix.startsWith(RESERVED_PREFIX)) {
      facts.reservedMessages++;
      this.#parts.observer.onReservedMessage?.(prefix, at);
      return;
    }
    const event = { lsn, seq, sub: 1 as const, prefix, content, table: NO_TABLE };
    encoder.message(cutter.target, transactional ? event : { ...event, outsideTransaction: true });
    facts.records++;
    if (transactional) return;
    // Its own LSN lies after every COMMIT received and before every one to come: confirming it skips nothing
    acknowledger.records(at.commitLsn);
    cutter.boundary(at.commitLsn);
  }

  #unemitted(relation: Relation, row: DecodedRow, seq: number): void {
    const { history, encoder, cutter, facts, filter } = this.#parts;
    if (!relation.isSchemaLog) {
      if (!relation.own) facts.filtered++;
      return;
    }
    if (row.action !== ACTION.insert) return; // acknowledged or removed: bookkeeping of ours
    const at = this.#position(this.#commitLsn, seq, 1);
    const change = history.logRow(rowValues(row.bytes, row.newTuple, relation.message.columns), at);
    const emitted = change === null ? null : filterChange(change, filter);
    if (emitted === null) return;
    encoder.message(cutter.target, schemaEvent(emitted, at, lsnFrom(row.lsnHi, row.lsnLo)));
    facts.records++;
  }

  #witness(relation: Relation, seq: number, lsn: bigint): void {
    const { history, encoder, cutter, facts } = this.#parts;
    const { witness } = relation.state;
    if (witness === null) return;
    const at = this.#position(this.#commitLsn, seq, 0);
    encoder.message(cutter.target, schemaEvent(witness, at, lsn));
    facts.records++;
    history.witnessed(relation.oid, at);
  }

  #relationOf(oid: number): Relation {
    if (this.#last?.oid === oid) return this.#last;
    const relation = this.#relations.get(oid);
    if (relation === undefined) {
      throw new PipelineError('PG_PROTOCOL', {
        detail: 'A row of a relation that was not announced.',
        facts: { oid },
      });
    }
    this.#last = relation;
    return relation;
  }

  #position(commitLsn: bigint, seq: number, sub: 0 | 1): Position {
    return { commitLsn: lsnOf(commitLsn), seq, sub };
  }

  #mismatch(relation: Relation, columns: number): PipelineError {
    const facts = { oid: relation.oid, columns, announced: relation.width };
    return new PipelineError('PG_PROTOCOL', { detail: 'A row of another width than announced.', facts });
  }
}

const NO_TABLE = { schema: '', table: '', tableId: '', keyColumnIds: [] };

function lsnFrom(hi: number, lo: number): bigint {
  return (BigInt(hi) << 32n) | BigInt(lo);
}

function lsnOf(value: bigint): Lsn {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- read from an LSN field of the protocol
  return value as Lsn;
}
