import { Cluster, createKafka, LogReader, type KafkaConnectionOptions } from '@pgstream/kafka-client';
import { decodeRecord, formatPosition, type ChangeRecord } from '@pgstream/wal-event';

export interface LogEntry {
  readonly partition: number;
  readonly offset: bigint;
  readonly record: ChangeRecord;
}

/** Every record of the topic, per partition in its order. Heartbeats are left out. */
export async function readLog(connection: KafkaConnectionOptions, topic: string): Promise<LogEntry[]> {
  createKafka(connection, () => undefined); // makes the codecs known
  const cluster = new Cluster(connection, topic);
  const entries: LogEntry[] = [];
  try {
    await cluster.refresh();
    const reader = new LogReader(cluster, 30_000);
    for (let partition = 0; partition < cluster.partitionCount; partition++) {
      const end = await reader.endOffset(partition);
      for (let offset = await reader.startOffset(partition); offset < end;) {
        const batch = await reader.batchAt(partition, offset);
        for (const { offset: at, value, headers } of batch.records) {
          const isHeartbeat = headers.some(({ key, value: kind }) => {
            return key === 'pgstream-kind' && kind?.toString() === 'heartbeat';
          });
          if (value !== null && !isHeartbeat)
            entries.push({ partition, offset: at, record: decodeRecord(value) });
        }
        offset = batch.lastOffset + 1n;
      }
    }
  } finally {
    cluster.close();
  }
  return entries;
}

/** Records that stand in the log twice, or behind one of a later position: at most ten, in words. */
export function disorderIn(log: readonly LogEntry[]): string[] {
  const found: string[] = [];
  const newest = new Map<number, LogEntry>();
  for (const entry of log) {
    const before = newest.get(entry.partition);
    if (before !== undefined && compare(entry.record, before.record) <= 0) {
      const what = compare(entry.record, before.record) === 0 ? 'again' : 'after';
      found.push(`partition ${entry.partition}: ${nameOf(entry)} ${what} ${nameOf(before)}`);
    } else {
      newest.set(entry.partition, entry);
    }
  }
  return found.slice(0, 10);
}

function compare(a: ChangeRecord, b: ChangeRecord): number {
  const differences = [
    a.epoch - b.epoch,
    Number(a.position.commitLsn - b.position.commitLsn),
    a.position.seq - b.position.seq,
    a.position.sub - b.position.sub,
  ];
  return differences.find((difference) => difference !== 0) ?? 0;
}

/** Records that stand more than once in a partition: at most ten, in words. */
export function duplicatesIn(log: readonly LogEntry[]): string[] {
  const found: string[] = [];
  const seen = new Map<string, LogEntry>();
  for (const entry of log) {
    const { epoch, position } = entry.record;
    const id = `${entry.partition} ${epoch} ${formatPosition(position)}`;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, entry);
    else found.push(`partition ${entry.partition}: ${nameOf(entry)} again, first at offset ${first.offset}`);
  }
  return found.slice(0, 10);
}

function nameOf({ offset, record }: LogEntry): string {
  return `${record.action} at ${formatPosition(record.position)} (epoch ${record.epoch}, offset ${offset})`;
}
