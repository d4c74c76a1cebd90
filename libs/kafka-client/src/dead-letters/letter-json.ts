import { Buffer } from 'node:buffer';
import { eventId, formatPosition, parsePosition, type DeadLetter } from '@pgstream/wal-event';

/** A letter as it lies in the topic. */
export interface StoredDeadLetter extends DeadLetter {
  /** When it was parked, ISO 8601. */
  readonly at: string;
}

/** The value of a letter's record; the parked record is base64, since it need not be text. */
export function encodeLetter(letter: DeadLetter, at: string, maxRecordBytes: number): Buffer {
  const { position, record, ...rest } = letter;
  const fits = record !== undefined && record.length <= maxRecordBytes;
  return Buffer.from(
    JSON.stringify({
      ...rest,
      position: formatPosition(position),
      at,
      ...(fits ? { record: record.toString('base64') } : {}),
    }),
  );
}

/** Says of a letter before it that somebody saw to it. */
export interface Conclusion {
  /** {@link letterIdOf} the letter. */
  readonly closes: string;
  readonly how: 'discarded' | 'retried';
  readonly at: string;
}

/** One per sink and event, however often it was parked. */
export function letterIdOf({
  sink,
  epoch,
  position,
}: Pick<DeadLetter, 'sink' | 'epoch' | 'position'>): string {
  return `${sink}-${eventId(epoch, position)}`;
}

export function encodeConclusion(conclusion: Conclusion): Buffer {
  return Buffer.from(JSON.stringify(conclusion));
}

/** The id of the letter that is closed; `null` for bytes that close none. */
export function decodeConclusion(value: Buffer): string | null {
  try {
    const json: unknown = JSON.parse(value.toString());
    if (typeof json !== 'object' || json === null || !('closes' in json)) return null;
    return typeof json.closes === 'string' ? json.closes : null;
  } catch {
    return null;
  }
}

/** `null` for bytes that are no letter. */
export function decodeLetter(value: Buffer): StoredDeadLetter | null {
  try {
    const json: unknown = JSON.parse(value.toString());
    if (typeof json !== 'object' || json === null) return null;
    const fields: Readonly<Record<string, unknown>> = { ...json };
    const { identity, epoch, record } = fields;
    const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '');
    return {
      sink: text('sink'),
      code: text('code'),
      reason: text('reason'),
      schema: text('schema'),
      table: text('table'),
      identity: typeof identity === 'string' ? identity : null,
      epoch: Number(epoch),
      position: parsePosition(text('position')),
      at: text('at'),
      ...(typeof record === 'string' ? { record: Buffer.from(record, 'base64') } : {}),
    };
  } catch {
    return null;
  }
}
