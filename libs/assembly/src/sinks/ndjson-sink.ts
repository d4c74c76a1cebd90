import { failpoint } from '@pgstream/failure';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { open, type FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import {
  comparePositions,
  decodeRecord,
  positionAt,
  type BatchOutcome,
  type Position,
  type RecordBatch,
  type Sink,
} from '@pgstream/wal-event';

const NEWLINE = 0x0a;

/** Records as lines, one after the other, in a buffer that is reused. Starts at record `from`. */
function linesOf(batch: RecordBatch, from: number, space: { buffer: Buffer }): Buffer {
  const first = batch.starts[from] ?? 0;
  const last = batch.ends[batch.count - 1] ?? first;
  const need = last - first + batch.count - from;
  if (space.buffer.length < need)
    space.buffer = Buffer.allocUnsafeSlow(Math.max(need, space.buffer.length * 2));
  let at = 0;
  for (let i = from; i < batch.count; i += 1) {
    at += batch.bytes.copy(space.buffer, at, batch.starts[i], batch.ends[i]);
    space.buffer[at] = NEWLINE;
    at += 1;
  }
  return space.buffer.subarray(0, at);
}

/** Records on a stream, usually standard output. A batch settles when the stream has taken it. */
export class StreamSink implements Sink {
  readonly name = 'stdout';
  readonly #out: Writable;
  readonly #space = { buffer: Buffer.allocUnsafeSlow(65_536) };

  constructor(out: Writable) {
    this.#out = out;
  }

  async write(batch: RecordBatch, outcome: BatchOutcome): Promise<void> {
    if (batch.count > 0) {
      // Resolved when written: the buffer is free again, and a reader that is slow slows us down.
      await new Promise<void>((resolve, reject) => {
        this.#out.write(linesOf(batch, 0, this.#space), (error) =>
          error === null || error === undefined ? resolve() : reject(error),
        );
      });
    }
    outcome.settled();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    if (this.#out.writableNeedDrain) await once(this.#out, 'drain');
  }
}

/**
 * Records appended to a file, each once: what the file holds already after a restart is skipped, and a line that a crash
 * cut in half is removed before the first write. Each batch is synced to the disk before it settles.
 */
export class FileSink implements Sink {
  readonly name = 'ndjson';
  readonly #file: FileHandle;
  readonly #space = { buffer: Buffer.allocUnsafeSlow(65_536) };
  #last: Tail | null;

  private constructor(file: FileHandle, last: Tail | null) {
    this.#file = file;
    this.#last = last;
  }

  /** @throws of the file system; the caller names the setting. */
  static async open(path: string): Promise<FileSink> {
    const file = await open(path, 'a+');
    try {
      return new FileSink(file, await FileSink.#recover(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async #recover(file: FileHandle): Promise<Tail | null> {
    const { size } = await file.stat();
    const { end, line } = await lastLine(file, size);
    // Somebody's own file must not lose a byte, so both are read before anything is cut off.
    const last = line === null ? null : tailOf(line);
    if (end < size) {
      await requireTornRecord(file, end);
      await file.truncate(end);
    }
    return last;
  }

  async write(batch: RecordBatch, outcome: BatchOutcome): Promise<void> {
    const from = this.#firstNew(batch);
    if (from < batch.count) {
      const lines = linesOf(batch, from, this.#space);
      await this.#file.appendFile(lines);
      failpoint?.('ndjson.appended');
      await this.#file.datasync();
      failpoint?.('ndjson.synced');
      this.#last = { epoch: batch.epoch, position: positionAt(batch, batch.count - 1) };
    }
    outcome.settled();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  #firstNew(batch: RecordBatch): number {
    const last = this.#last;
    if (last === null || batch.epoch > last.epoch) return 0;
    let i = 0;
    while (i < batch.count && comparePositions(positionAt(batch, i), last.position) <= 0) i += 1;
    return i;
  }
}

interface Tail {
  readonly epoch: number;
  readonly position: Position;
}

function tailOf(line: Buffer): Tail {
  const { epoch, position } = decodeRecord(line);
  return { epoch, position };
}

/** How every record begins. */
const BEGINNING = '{"action":"';

async function requireTornRecord(file: FileHandle, at: number): Promise<void> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(BEGINNING.length), 0, BEGINNING.length, at);
  const text = buffer.toString('latin1', 0, bytesRead);
  if (!BEGINNING.startsWith(text)) throw new Error('the end of the file is not a record');
}

const CHUNK = 65_536;

/** The last line that ends in a newline, and where it ends. Reads backwards, so a large file costs nothing. */
async function lastLine(file: FileHandle, size: number): Promise<{ end: number; line: Buffer | null }> {
  let tail = Buffer.alloc(0);
  for (let from = size; from > 0;) {
    const length = Math.min(CHUNK, from);
    from -= length;
    const chunk = Buffer.alloc(length);
    // oxlint-disable-next-line no-await-in-loop -- backwards until two newlines are found
    await file.read(chunk, 0, length, from);
    tail = Buffer.concat([chunk, tail]);
    const end = tail.lastIndexOf(NEWLINE);
    const start = end <= 0 ? -1 : tail.lastIndexOf(NEWLINE, end - 1);
    if (end >= 0 && (start >= 0 || from === 0)) {
      return { end: from + end + 1, line: tail.subarray(start + 1, end) };
    }
  }
  return { end: 0, line: null };
}
