import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import type { RecordHeader } from '@pgstream/kafka-client';
import { formatPosition, parsePosition, type Position } from '@pgstream/wal-event';

export const KIND_HEADER = 'pgstream-kind';
export const AFTER_HEADER = 'pgstream-after';

/** Written to every partition at start, every ten minutes and every few MiB. Has no key; consumers skip it. */
export interface Heartbeat {
  readonly sourceId: string;
  readonly epoch: number;
  /** Every setting that decides where a record goes, by name: on a change the message can say which. */
  readonly routing: Readonly<Record<string, string>>;
  /** The partition's last record that is no heartbeat; `null` before the first. */
  readonly position: Position | null;
  /** Its offset, `-1n` before the first. */
  readonly dataOffset: bigint;
  /** Written to lock out a predecessor, before the end of the log was known: its position says nothing. */
  readonly isFence: boolean;
}

export const HEARTBEAT_HEADERS: readonly RecordHeader[] = [
  { key: KIND_HEADER, value: Buffer.from('heartbeat') },
];

export function encodeHeartbeat(heartbeat: Heartbeat): Buffer {
  return Buffer.from(
    JSON.stringify({
      source_id: heartbeat.sourceId,
      epoch: heartbeat.epoch,
      routing_hash: routingHash(heartbeat.routing),
      routing: heartbeat.routing,
      position: heartbeat.position === null ? null : formatPosition(heartbeat.position),
      data_offset: String(heartbeat.dataOffset),
      ...(heartbeat.isFence ? { fence: true } : {}),
    }),
  );
}

/** `null` for bytes that are no heartbeat of ours. */
export function decodeHeartbeat(value: Buffer): Heartbeat | null {
  try {
    const parsed: unknown = JSON.parse(value.toString());
    return isRecord(parsed) ? fromJson(parsed) : null;
  } catch {
    return null;
  }
}

/** 64 hexadecimal digits; the same for the same settings in any order. */
export function routingHash(routing: Readonly<Record<string, string>>): string {
  const entries = Object.entries(routing).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(entries)).digest('hex');
}

function fromJson(json: Readonly<Record<string, unknown>>): Heartbeat | null {
  const { source_id: sourceId, epoch, routing, position, data_offset: dataOffset, fence } = json;
  if (typeof sourceId !== 'string' || typeof epoch !== 'number' || !isRecord(routing)) return null;
  return {
    sourceId,
    epoch,
    routing: Object.fromEntries(Object.entries(routing).map(([name, value]) => [name, String(value)])),
    position: typeof position === 'string' ? parsePosition(position) : null,
    dataOffset: typeof dataOffset === 'string' ? BigInt(dataOffset) : -1n,
    isFence: fence === true,
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
