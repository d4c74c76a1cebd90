import { Buffer } from 'node:buffer';
import type { TransformOptions } from 'node:stream';
// A namespace: to name what an older Node does not export would stop the process before anything could be said about it.
import * as zlib from 'node:zlib';
import { PipelineError } from '@pgstream/failure';

/** Node has zstd since 22.15. */
export const HAS_ZSTD = 'zstdCompress' in zlib;

/**
 * Level 1, and a window of 128 KiB: rows resemble their neighbours, so the log grows no larger than with the 512 KiB that the
 * level asks for, and a context that fits the cache takes half the CPU (0.48 against 1.0 µs a row of 760 bytes).
 */
const PARAMS = HAS_ZSTD
  ? { [zlib.constants.ZSTD_c_compressionLevel]: 1, [zlib.constants.ZSTD_c_windowLog]: 17 }
  : {};
const OUTPUT_CHUNK_BYTES = 128 * 1024;

/** @throws {PipelineError} KAFKA_CODEC_UNSUPPORTED under a Node without zstd; so do all of these. */
export function zstdCompressSync(body: Buffer): Buffer {
  requireZstd();
  return zlib.zstdCompressSync(body, { chunkSize: OUTPUT_CHUNK_BYTES, params: PARAMS });
}

/** On another thread, in a context that is used again. `body` must not change until this resolves. */
export async function zstdCompress(body: Buffer): Promise<Buffer> {
  requireZstd();
  const lane = await borrowLane();
  try {
    const frame = await lane.compress(body);
    giveBack(lane);
    return frame;
  } catch (cause) {
    giveBack(undefined);
    throw cause;
  }
}

/** @param options `chunkSize`: bytes that are made for the result at a time; what is longer is put together from several. */
export function zstdDecompressSync(
  body: Buffer,
  options: { readonly maxOutputLength: number; readonly chunkSize?: number },
): Buffer {
  requireZstd();
  return zlib.zstdDecompressSync(body, { chunkSize: OUTPUT_CHUNK_BYTES, ...options });
}

/** One compression context: making one for each batch costs as much in page faults as the batch does. */
class Lane {
  readonly #stream = zlib.createZstdCompress(lanePlan());
  #onError: (cause: unknown) => void = () => {};

  constructor() {
    this.#stream.on('error', (cause) => this.#onError(cause));
  }

  async compress(body: Buffer): Promise<Buffer> {
    const stream = this.#stream;
    await new Promise<void>((resolve, reject) => {
      this.#onError = reject;
      stream.write(body, (cause) => (cause ? reject(cause) : resolve()));
    });
    const parts: Buffer[] = [];
    for (let part: unknown = stream.read(); Buffer.isBuffer(part); part = stream.read()) parts.push(part);
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }
}

/** Stream options that the types of zlib leave out are options all the same. */
function lanePlan(): zlib.ZstdOptions & Pick<TransformOptions, 'readableHighWaterMark'> {
  return {
    params: PARAMS,
    chunkSize: OUTPUT_CHUNK_BYTES,
    // every write is a frame of its own
    flush: zlib.constants.ZSTD_e_end,
    // what comes out is taken when the frame is whole, so it must not make the stream wait
    readableHighWaterMark: Number.MAX_SAFE_INTEGER,
  };
}

/** As many as Node has threads for them; each holds about half a MiB. */
const MAX_LANES = 4;
const idle: Lane[] = [];
const waiting: ((lane: Lane) => void)[] = [];
let lanes = 0;

async function borrowLane(): Promise<Lane> {
  const lane = idle.pop();
  if (lane !== undefined) return lane;
  if (lanes < MAX_LANES) {
    lanes += 1;
    return new Lane();
  }
  return await new Promise((resolve) => {
    waiting.push(resolve);
  });
}

/** @param lane `undefined` for one that failed and is not used again */
function giveBack(lane: Lane | undefined): void {
  const next = waiting.shift();
  if (next !== undefined) next(lane ?? new Lane());
  else if (lane !== undefined) idle.push(lane);
  else lanes -= 1;
}

function requireZstd(): void {
  if (HAS_ZSTD) return;
  throw new PipelineError('KAFKA_CODEC_UNSUPPORTED', {
    detail: `zstd needs Node 22.15 or newer; this is ${process.version}.`,
  });
}
