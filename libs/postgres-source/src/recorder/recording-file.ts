import { Buffer } from 'node:buffer';
import { PipelineError } from '@pgstream/failure';
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts';

/** What a recording says beside the bytes. Member names are part of the file: add, never rename. */
export interface RecordingHeader {
  /** Of the form of the file. */
  readonly version: 1;
  readonly recordedAt: string;
  readonly slot: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly serverVersion: number;
  readonly epoch: number;
  readonly publications: readonly string[];
  /** Where this connection started, in LSN text. */
  readonly startedAt: string;
  /** Bytes of the connection before the first one recorded: 0 where the whole of it is here. */
  readonly skippedBytes: number;
  /** What decoding failed with. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly facts: Readonly<Record<string, string | number>>;
  };
  /** As announced before the first recorded byte. */
  readonly relations: readonly RelationMessage[];
  /** Announced in the read that the recording begins in: the announcement itself may be cut off. */
  readonly lateRelations: readonly RelationMessage[];
  readonly types: readonly TypeMessage[];
}

export interface Recording {
  readonly header: RecordingHeader;
  /** Messages of the frontend/backend protocol, as the socket brought them. */
  readonly bytes: Buffer;
}

const MAGIC = 'pgstream-frames';

/** A line of JSON, a newline, and the bytes. */
export function writeRecording({ header, bytes }: Recording): Buffer {
  const head = JSON.stringify({ magic: MAGIC, ...header });
  return Buffer.concat([Buffer.from(`${head}\n`), bytes]);
}

/** @throws {PipelineError} RECORDING_UNREADABLE for a file that is none, or of a newer version. */
export function readRecording(file: Buffer): Recording {
  const end = file.indexOf('\n');
  const header = end < 0 ? null : headerOf(file.toString('utf8', 0, end));
  if (header === null) {
    throw new PipelineError('RECORDING_UNREADABLE', { detail: 'It does not begin with a header.' });
  }
  if (header.version !== 1) {
    throw new PipelineError('RECORDING_UNREADABLE', {
      detail: `Its version is ${String(header.version)}, this program reads version 1.`,
    });
  }
  return { header, bytes: file.subarray(end + 1) };
}

function headerOf(text: string): RecordingHeader | null {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null || !('magic' in parsed) || parsed.magic !== MAGIC) {
      return null;
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by writeRecording
    return parsed as unknown as RecordingHeader;
  } catch {
    return null;
  }
}

const COPY_DATA = 0x64; // d
const XLOG_DATA = 0x77; // w
const KEEPALIVE = 0x6b; // k
/** So many messages in a row that fit are no coincidence. */
const CONVINCING = 4;

/**
 * Where the first whole message of a recording begins whose start was overwritten: the first place from which messages
 * follow each other. `null` where there is none.
 */
export function firstMessageAt(bytes: Buffer): number | null {
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] === COPY_DATA && isChain(bytes, at)) return at;
  }
  return null;
}

function isChain(bytes: Buffer, from: number): boolean {
  let at = from;
  for (let count = 0; count < CONVINCING; count += 1) {
    const size = sizeOfCopyData(bytes, at);
    if (size === null) return false;
    at += size;
    if (at >= bytes.length) return true;
  }
  return true;
}

/** Of a CopyData message with a frame of the replication stream; `null` for anything else. */
function sizeOfCopyData(bytes: Buffer, at: number): number | null {
  if (at + 6 > bytes.length || bytes[at] !== COPY_DATA) return null;
  const length = bytes.readUInt32BE(at + 1);
  const kind = bytes[at + 5];
  const fits = (kind === XLOG_DATA && length >= 4 + 26) || (kind === KEEPALIVE && length === 4 + 18);
  return fits ? 1 + length : null;
}
