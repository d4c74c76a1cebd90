import { Buffer } from 'node:buffer';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PipelineError } from '@pgstream/failure';
import { formatLsn, type Lsn } from '@pgstream/wal-event';
import type { RelationMessage, TypeMessage } from '../pgoutput/messages.ts';
import type { StartFacts } from '../stream/prepare.ts';
import { writeRecording, type RecordingHeader } from './recording-file.ts';

export interface FlightRecorderOptions {
  /** Kept of the newest bytes, and allocated with the first of them. */
  readonly bytes: number;
  /** Where recordings are written. They hold values of rows. */
  readonly dir: string;
  readonly slot: string;
  readonly epoch: number;
  readonly publications: readonly string[];
}

type RecordedConnection = Pick<RecordingHeader, 'systemId' | 'timeline' | 'serverVersion' | 'startedAt'>;

interface Announced<T> {
  readonly message: T;
  /** Bytes of the connection up to the end of the read that brought it. */
  readonly by: number;
}

/** A process that is started again and again fails at the same place: more of the same says nothing. */
const MAX_RECORDINGS = 5;

/**
 * Keeps the newest bytes of a replication connection as the socket brought them, and writes them to a file when they
 * could not be decoded. Costs one copy of each read (a few hundred KiB at a time), and nothing per row.
 */
export class FlightRecorder {
  readonly #options: FlightRecorderOptions;
  #ring: Buffer | undefined;
  /** Bytes of this connection so far. */
  #total = 0;
  #connection: RecordedConnection | undefined;
  /** By OID, oldest first: the one in force before the ring begins, and all later ones. */
  readonly #relations = new Map<number, Announced<RelationMessage>[]>();
  readonly #types = new Map<number, TypeMessage>();

  constructor(options: FlightRecorderOptions) {
    this.#options = options;
  }

  /** A new connection: what an earlier one brought has nothing to do with it. */
  begin({ systemId, timeline, serverVersion }: StartFacts, from: Lsn): void {
    this.#connection = { systemId, timeline, serverVersion, startedAt: formatLsn(from) };
    this.#total = 0;
    this.#relations.clear();
    this.#types.clear();
  }

  /** One read of the socket, before it is decoded. */
  read(chunk: Buffer): void {
    const { bytes: size } = this.#options;
    this.#ring ??= Buffer.allocUnsafeSlow(size);
    const from = Math.max(0, chunk.length - size);
    const at = (this.#total + from) % size;
    const untilWrap = Math.min(chunk.length - from, size - at);
    chunk.copy(this.#ring, at, from, from + untilWrap);
    chunk.copy(this.#ring, 0, from + untilWrap);
    this.#total += chunk.length;
  }

  relation(message: RelationMessage): void {
    const known = this.#relations.get(message.oid) ?? [];
    const inForce = known.findLastIndex(({ by }) => by <= this.#start);
    this.#relations.set(message.oid, [...known.slice(Math.max(0, inForce)), { message, by: this.#total }]);
  }

  type(message: TypeMessage): void {
    this.#types.set(message.oid, message);
  }

  /** Writes the recording. Answers `cause` with the path of the file, or with why there is none. */
  dump(cause: PipelineError): PipelineError {
    const { facts, code, detail, cause: inner } = cause;
    const error = { code, message: cause.message, facts };
    const said = detail === undefined ? '' : `${detail} `;
    try {
      const path = this.#write(error);
      return new PipelineError(code, {
        cause: inner,
        facts: { ...facts, recording: path },
        detail: `${said}The frames are in ${path}: pgstream replay shows them; they hold values of rows.`,
      });
    } catch (failure) {
      const why = failure instanceof Error ? failure.message : String(failure);
      return new PipelineError(code, { cause: inner, facts, detail: `${said}No recording: ${why}` });
    }
  }

  get #start(): number {
    return Math.max(0, this.#total - this.#options.bytes);
  }

  #write(error: RecordingHeader['error']): string {
    const { dir, slot, epoch, publications } = this.#options;
    if (this.#connection === undefined) throw new Error('nothing was received');
    const recordedAt = new Date().toISOString();
    const prefix = `pgstream-${slot}-`;
    const path = join(dir, `${prefix}${recordedAt.replaceAll(/[:.]/g, '-')}-${process.pid}${EXTENSION}`);
    const header: RecordingHeader = {
      version: 1,
      recordedAt,
      slot,
      epoch,
      publications,
      ...this.#connection,
      skippedBytes: this.#start,
      error,
      relations: this.#announced((list) => list.findLast(({ by }) => by <= this.#start)),
      lateRelations: this.#announced((list) => list.find(({ by }) => by > this.#start)),
      types: [...this.#types.values()],
    };
    removeOldest(dir, prefix);
    writeFileSync(path, writeRecording({ header, bytes: this.#bytes() }), { mode: 0o600, flag: 'wx' });
    return path;
  }

  #announced(
    pick: (list: readonly Announced<RelationMessage>[]) => Announced<RelationMessage> | undefined,
  ): RelationMessage[] {
    return [...this.#relations.values()].flatMap((list) => pick(list)?.message ?? []);
  }

  #bytes(): Buffer {
    const { bytes: size } = this.#options;
    if (this.#ring === undefined) return Buffer.alloc(0);
    if (this.#total <= size) return this.#ring.subarray(0, this.#total);
    const at = this.#total % size;
    return Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)]);
  }
}

const EXTENSION = '.frames';

/** Names begin with the slot and go on with the time, so that their order is that of age. */
function removeOldest(dir: string, prefix: string): void {
  const names = readdirSync(dir).filter((name) => name.startsWith(prefix) && name.endsWith(EXTENSION));
  for (const name of names.toSorted().slice(0, Math.max(0, names.length - MAX_RECORDINGS + 1))) {
    rmSync(join(dir, name), { force: true });
  }
}
