import type { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import {
  encodingOfType,
  formatLsn,
  parseLsn,
  RecordEncoder,
  TableTemplate,
  valueAt,
} from '@pgstream/wal-event';
import type { SchemaHistoryPort, TableState } from '../history-port.ts';
import { tableIdOf, type SourceIdentity } from '../history/table-ids.ts';
import { typeName } from '../history/type-names.ts';
import { PgoutputDecoder } from '../pgoutput/decoder.ts';
import { malformed } from '../pgoutput/malformed.ts';
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts';
import { Acknowledger } from '../stream/acknowledger.ts';
import { Assembler } from '../stream/assembler.ts';
import { BatchCutter } from '../stream/batch-cutter.ts';
import { BatchPool } from '../stream/batch-pool.ts';
import { CopySplitter } from '../stream/copy-splitter.ts';
import { newSourceFacts } from '../stream/source-facts.ts';
import { ALL_TABLES } from '../stream/table-filter.ts';
import { firstMessageAt, type Recording } from './recording-file.ts';

export interface ReplayOutcome {
  readonly frames: number;
  readonly records: number;
  readonly transactions: number;
  /** Bytes in front of the first whole message, of a recording whose beginning was overwritten. */
  readonly passedBytes: number;
  /** What decoding failed with, `null` where the recording decodes to its end. */
  readonly error: PipelineError | null;
  /** Whether that is what the recording says. */
  readonly reproduced: boolean;
}

/**
 * Decodes a recording with the code that decodes the stream, up to its end or to the error.
 *
 * Shapes come from RELATION messages alone, so types that are not built in have the names that the stream gives, and rows of
 * the schema log are counted, not interpreted. Rows of a transaction whose BEGIN is not in the recording have the
 * position 0/0.
 *
 * @param onRecord gets the value of each record, valid during the call; without it records are counted
 */
export function replayRecording(
  { header, bytes }: Recording,
  onRecord?: (value: Buffer) => void,
): ReplayOutcome {
  const { cutter, facts, decoder } = decoding(header);
  const passedBytes = header.skippedBytes === 0 ? 0 : (firstMessageAt(bytes) ?? bytes.length);
  let frames = 0;
  let error: PipelineError | null = null;
  const hand = () => {
    for (let batch = cutter.take(); batch !== undefined; batch = cutter.take()) {
      if (onRecord !== undefined) for (let i = 0; i < batch.count; i += 1) onRecord(valueAt(batch, i));
      batch.release();
    }
  };
  const splitter = new CopySplitter({
    copyData: (chunk, from, to) => {
      decodeFrame(decoder, chunk, from, to);
      frames += 1;
    },
    other: () => undefined,
    ready: () => {
      if (cutter.hasRoom()) return true;
      hand();
      return cutter.hasRoom();
    },
  });
  try {
    splitter.feed(bytes.subarray(passedBytes));
  } catch (cause) {
    error = cause instanceof PipelineError ? cause : new PipelineError('UNCLASSIFIED', { cause });
  }
  // What is whole of the last transaction; the beginning of one that was cut short is shown as well
  cutter.boundary(facts.receivedLsn);
  hand();
  const { records, transactions } = facts;
  return { frames, records, transactions, passedBytes, error, reproduced: isSame(error, header.error) };
}

function decoding(header: Recording['header']) {
  const { epoch, systemId } = header;
  const history = new RecordedShapes({ systemId, databaseOid: 0, epoch });
  const facts = newSourceFacts();
  const pool = new BatchPool({ budgetBytes: 8 * 1024 * 1024, batchBytes: 512 * 1024 }, () => undefined);
  const cutter = new BatchCutter(pool, 512 * 1024);
  const encoder = new RecordEncoder(epoch);
  const acknowledger = new Acknowledger(parseLsn('0/0'), {
    history,
    onAdvance: () => undefined,
    onFailure: () => undefined,
  });
  const parts = { encoder, history, filter: ALL_TABLES, cutter, acknowledger, facts, observer: {} };
  const assembler = new Assembler(parts);
  const decoder = new PgoutputDecoder(assembler);
  for (const type of header.types) assembler.type(type);
  const known = new Set(header.relations.map(({ oid }) => oid));
  for (const relation of header.relations) assembler.relation(relation);
  const cutOff = header.skippedBytes === 0 ? [] : header.lateRelations;
  for (const relation of cutOff) if (!known.has(relation.oid)) assembler.relation(relation);
  encoder.begin({ commitLsn: 0n, commitTimeUs: 0, xid: 0 });
  return { cutter, facts, decoder };
}

const XLOG_DATA = 0x77; // w
const KEEPALIVE = 0x6b; // k

function decodeFrame(decoder: PgoutputDecoder, bytes: Buffer, from: number, to: number): void {
  const kind = to > from ? bytes[from] : 0;
  if (kind === XLOG_DATA) decoder.decode(bytes, from, to);
  else if (kind !== KEEPALIVE) throw malformed('an unknown kind of frame', bytes.subarray(from, to), 0);
  else if (to - from < 18) throw malformed('a keepalive cut short', bytes.subarray(from, to), to - from);
}

function isSame(error: PipelineError | null, recorded: Recording['header']['error']): boolean {
  if (error === null) return false;
  return error.message === recorded.message && JSON.stringify(error.facts) === JSON.stringify(recorded.facts);
}

/** A history that knows what RELATION says, and nothing else. */
class RecordedShapes implements SchemaHistoryPort {
  readonly #source: SourceIdentity;
  readonly #types = new Map<number, TypeMessage>();

  constructor(source: SourceIdentity) {
    this.#source = source;
  }

  load(): Promise<void> {
    return Promise.resolve();
  }

  type(message: TypeMessage): void {
    this.#types.set(message.oid, message);
  }

  relation({ oid, schema, table, columns: announced }: RelationMessage): TableState {
    const tableId = tableIdOf(this.#source, oid);
    const columns = announced.map(({ name, typeOid, typeModifier }, i) => {
      const { type, baseOid } = typeName(typeOid, typeModifier, this.#types);
      return { id: `${tableId}-${i + 1}`, name, type, encoding: encodingOfType(baseOid) };
    });
    const keyColumnIds = columns.filter((_, i) => announced[i]?.key === true).map(({ id }) => id);
    const template = new TableTemplate({ schema, table, tableId, keyColumnIds, columns });
    return { template, captured: true, witness: null };
  }

  witnessed(): void {}

  logRow(): null {
    return null;
  }

  checkpoint(): Promise<void> {
    return Promise.resolve();
  }

  pendingCheckpoint(): boolean {
    return false;
  }
}

/** One line about a recording, for people. */
export function describeRecording({ header, bytes }: Recording): string {
  const { slot, recordedAt, timeline, startedAt, skippedBytes } = header;
  const part = skippedBytes === 0 ? 'the whole connection' : `the last ${bytes.length} bytes`;
  return `slot ${slot}, timeline ${timeline}, recorded ${recordedAt}: ${part} since ${formatLsn(parseLsn(startedAt))}`;
}
