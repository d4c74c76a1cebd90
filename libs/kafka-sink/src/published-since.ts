import type { LogReader } from '@pgstream/kafka-client';
import {
  comparePositions,
  decodeRecord,
  formatPosition,
  type ChangeRecord,
  type Lsn,
  type Position,
} from '@pgstream/wal-event';
import { KIND_HEADER } from './heartbeat.ts';

/** Records of one table. */
export interface Published {
  /** `schema.table`; of a message, its prefix. */
  readonly table: string;
  readonly records: number;
  readonly first: string;
  readonly last: string;
}

interface Range {
  records: number;
  first: Position;
  last: Position;
}

/**
 * What the log holds of transactions that committed at `from` or later in this epoch, by table. Reads each partition from its
 * end back to there.
 */
export async function publishedSince(
  log: LogReader,
  partitions: number,
  { epoch, from }: { readonly epoch: number; readonly from: Lsn },
): Promise<Published[]> {
  const tables = new Map<string, Range>();
  for (let partition = 0; partition < partitions; partition += 1) {
    // oxlint-disable-next-line no-await-in-loop -- rare, and one partition after the other is gentle
    await collect(log, partition, { epoch, from }, tables);
  }
  return [...tables]
    .map(([table, { records, first, last }]) => {
      return { table, records, first: formatPosition(first), last: formatPosition(last) };
    })
    .toSorted((a, b) => b.records - a.records);
}

// oxlint-disable-next-line max-params -- where, from where, into what
async function collect(
  log: LogReader,
  partition: number,
  { epoch, from }: { readonly epoch: number; readonly from: Lsn },
  tables: Map<string, Range>,
): Promise<void> {
  for await (const batch of log.backwards(partition)) {
    for (const { value, headers } of batch.records.toReversed()) {
      if (value === null || headers.some(({ key, value: kind }) => isHeartbeatKind(key, kind))) continue;
      const record = decodeRecord(value);
      if (record.epoch < epoch || record.position.commitLsn < from) return;
      count(tables, record);
    }
  }
}

function count(tables: Map<string, Range>, record: ChangeRecord): void {
  const { position } = record;
  const name = record.action === 'M' ? (record.message?.prefix ?? '') : `${record.schema}.${record.table}`;
  const known = tables.get(name) ?? { records: 0, first: position, last: position };
  known.records += 1;
  if (comparePositions(position, known.first) < 0) known.first = position;
  if (comparePositions(position, known.last) > 0) known.last = position;
  tables.set(name, known);
}

function isHeartbeatKind(key: string, kind: Buffer | null): boolean {
  return key === KIND_HEADER && kind?.toString() === 'heartbeat';
}
