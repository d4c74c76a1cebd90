import type { Buffer } from 'node:buffer';
import type { FetchedBatch, FetchedRecord, LogReader } from '@pgstream/kafka-client';
import { PipelineError } from '@pgstream/failure';
import {
  comparePositions,
  decodeRecord,
  type ChangeRecord,
  type Lsn,
  type Position,
} from '@pgstream/wal-event';
import { decodeHeartbeat, KIND_HEADER, type Heartbeat } from './heartbeat.ts';

/** How far the log of one partition reaches. */
export interface PartitionTail {
  readonly partition: number;
  readonly epoch: number;
  readonly position: Position | null;
  readonly dataOffset: bigint;
  /** The last record is a row or a TRUNCATE, and it was read: its transaction is in the slot's WAL. */
  readonly endsInRow: boolean;
  /** The newest one met on the way, fences included. */
  readonly heartbeat: Heartbeat | null;
  /** Of the newest batch; `-1n` for an empty partition. */
  readonly producerId: bigint;
}

export interface RoutingCheck {
  readonly topic: string;
  readonly sourceId: string;
  readonly routing: Readonly<Record<string, string>>;
  /** Whether everything up to and including the transaction that committed at `commitLsn` is confirmed. */
  readonly isConfirmed: (epoch: number, commitLsn: Lsn) => boolean | Promise<boolean>;
}

/**
 * Reads each partition from its end back to its last data record, or to a heartbeat that knows it.
 * @throws {PipelineError} `KAFKA_TOPIC_FOREIGN` for records that pgstream did not write.
 */
export async function readTails(log: LogReader, partitions: number, topic: string): Promise<PartitionTail[]> {
  return await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => await readTail(log, partition, topic)),
  );
}

async function readTail(log: LogReader, partition: number, topic: string): Promise<PartitionTail> {
  const tail = {
    partition,
    epoch: 0,
    position: null,
    dataOffset: -1n,
    producerId: -1n,
    heartbeat: null,
    endsInRow: false,
  };
  let heartbeat: Heartbeat | null = null;
  let producerId = -1n;
  for await (const batch of log.backwards(partition)) {
    if (producerId < 0n) ({ producerId } = batch);
    for (const record of batch.records.toReversed()) {
      const found = decode(record, topic, partition);
      if ('routing' in found) {
        heartbeat ??= found;
        if (found.isFence) continue;
      }
      const { epoch, position } = found;
      const dataOffset = 'routing' in found ? found.dataOffset : record.offset;
      const endsInRow = 'action' in found && found.action !== 'M';
      return { partition, epoch, position, dataOffset, heartbeat, producerId, endsInRow };
    }
  }
  return { ...tail, heartbeat, producerId };
}

function decode(
  record: FetchedRecord,
  topic: string,
  partition: number,
): Heartbeat | Pick<ChangeRecord, 'epoch' | 'position' | 'action'> {
  if (record.value !== null) {
    if (!isHeartbeat(record)) return decodeData(record, record.value, topic, partition);
    const heartbeat = decodeHeartbeat(record.value);
    if (heartbeat !== null) return heartbeat;
  }
  throw foreign(topic, partition, record.offset);
}

// oxlint-disable-next-line max-params -- the place of a record, for the message
function decodeData(record: FetchedRecord, value: Buffer, topic: string, partition: number) {
  try {
    const { epoch, position, action } = decodeRecord(value);
    return { epoch, position, action };
  } catch (cause) {
    throw foreign(topic, partition, record.offset, cause);
  }
}

/**
 * The newest heartbeat of each partition that ends with data is further back, at most a few MiB. One is enough: a
 * producer writes one to every partition before its first data.
 */
export async function findHeartbeats(log: LogReader, tails: readonly PartitionTail[]): Promise<Heartbeat[]> {
  const known = tails.map(({ heartbeat }) => heartbeat).filter((heartbeat) => heartbeat !== null);
  if (known.length > 0) return known;
  for (const { partition, position } of tails) {
    if (position === null) continue;
    // oxlint-disable-next-line no-await-in-loop -- the next partition is read only when this one has none
    const heartbeat = await newestHeartbeat(log.backwards(partition));
    if (heartbeat !== null) return [heartbeat];
  }
  return [];
}

async function newestHeartbeat(batches: AsyncIterable<FetchedBatch>): Promise<Heartbeat | null> {
  for await (const batch of batches) {
    const record = batch.records.findLast(isHeartbeat);
    const heartbeat =
      record?.value === undefined || record.value === null ? null : decodeHeartbeat(record.value);
    if (heartbeat !== null) return heartbeat;
  }
  return null;
}

/**
 * Refuses to go on where that would lose or repeat records.
 * @throws {PipelineError} `KAFKA_TOPIC_FOREIGN`, `KAFKA_ROUTING_CHANGED`.
 */
export async function checkRouting(
  tails: readonly PartitionTail[],
  heartbeats: readonly Heartbeat[],
  check: RoutingCheck,
): Promise<void> {
  const last = lastOf(tails);
  const [newest] = heartbeats;
  if (newest === undefined) {
    if (last === null) return;
    throw foreign(check.topic, last.partition, last.dataOffset);
  }
  const other = heartbeats.find(({ sourceId }) => sourceId !== check.sourceId);
  if (other !== undefined) {
    const detail = `Topic ${check.topic} belongs to source ${other.sourceId}, this is ${check.sourceId}.`;
    throw new PipelineError('KAFKA_TOPIC_FOREIGN', { detail });
  }
  const changes = new Set(heartbeats.flatMap(({ routing }) => routingChanges(routing, check.routing)));
  if (changes.size === 0 || last === null) return;
  if (await check.isConfirmed(last.epoch, last.position.commitLsn)) return;
  throw new PipelineError('KAFKA_ROUTING_CHANGED', { detail: `Changed: ${[...changes].join('; ')}.` });
}

function lastOf(tails: readonly PartitionTail[]): (PartitionTail & { readonly position: Position }) | null {
  let last: (PartitionTail & { readonly position: Position }) | null = null;
  for (const { position, ...tail } of tails) {
    if (position === null) continue;
    const order = last === null ? 1 : tail.epoch - last.epoch || comparePositions(position, last.position);
    if (order > 0) last = { ...tail, position };
  }
  return last;
}

function routingChanges(
  before: Readonly<Record<string, string>>,
  now: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} (was ${before[name] ?? 'unset'}, is ${now[name] ?? 'unset'})`);
}

function isHeartbeat(record: FetchedRecord): boolean {
  return record.headers.some(({ key, value }) => key === KIND_HEADER && value?.toString() === 'heartbeat');
}

// oxlint-disable-next-line max-params -- the place of a record and why, for the message
function foreign(topic: string, partition: number, offset: bigint, cause?: unknown): PipelineError {
  const detail = `Topic ${topic}, partition ${partition}, offset ${offset}: not a record of a pgstream source.`;
  return new PipelineError('KAFKA_TOPIC_FOREIGN', { cause, detail });
}
