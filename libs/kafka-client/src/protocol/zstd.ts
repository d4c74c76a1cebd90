import type { Buffer } from 'node:buffer';
import { promisify } from 'node:util';
// A namespace: to name what an older Node does not export would stop the process before anything could be said about it.
import * as zlib from 'node:zlib';
import { PipelineError } from '@pgstream/failure';

/** Node has zstd since 22.15. */
export const HAS_ZSTD = 'zstdCompress' in zlib;

const LEVEL_1 = HAS_ZSTD
  ? { chunkSize: 128 * 1024, params: { [zlib.constants.ZSTD_c_compressionLevel]: 1 } }
  : {};
const aside = HAS_ZSTD ? promisify(zlib.zstdCompress) : undefined;

/** @throws {PipelineError} KAFKA_CODEC_UNSUPPORTED under a Node without zstd; so do all of these. */
export function zstdCompressSync(body: Buffer): Buffer {
  requireZstd();
  return zlib.zstdCompressSync(body, LEVEL_1);
}

/** On another thread. */
export async function zstdCompress(body: Buffer): Promise<Buffer> {
  requireZstd();
  return (await aside?.(body, LEVEL_1)) ?? body;
}

export function zstdDecompressSync(body: Buffer, options: { readonly maxOutputLength: number }): Buffer {
  requireZstd();
  return zlib.zstdDecompressSync(body, options);
}

function requireZstd(): void {
  if (HAS_ZSTD) return;
  throw new PipelineError('KAFKA_CODEC_UNSUPPORTED', {
    detail: `zstd needs Node 22.15 or newer; this is ${process.version}.`,
  });
}
