import type { Buffer } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import { PipelineError } from '@pgstream/failure';
import { zstdDecompressSync } from '../protocol/zstd.ts';

/** A batch that unpacks to more than this is refused rather than allowed to exhaust the memory. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;
/** What zlib is given to write to at a time: as much as the whole batch is expected to be, within these. */
const [MIN_PIECE_BYTES, MAX_PIECE_BYTES] = [128 * 1024, 4 * 1024 * 1024];

/**
 * Unpacks what Kafka batches hold. Their frames do not say how long they become, and zlib joins the pieces that it wrote,
 * which made of each batch twice its bytes: so much memory outside of the heap that V8 collected all of it several times
 * a second. Batches of one partition resemble each other, so one piece is made as long as the last ones were.
 */
export class Unpacker {
  /** Of what came out to what went in, a little more than of the last batches. */
  #ratio = 1;

  /** @throws {PipelineError} KAFKA_RECORDS_CORRUPT, KAFKA_CODEC_UNSUPPORTED */
  unpack(codec: number, packed: Buffer, baseOffset: number): Buffer {
    const unpacked = unpackedBy(codec, packed, { baseOffset, pieceBytes: this.#pieceBytes(packed.length) });
    const ratio = (unpacked.length / Math.max(1, packed.length)) * 1.1;
    this.#ratio = Math.max(ratio, this.#ratio * 0.9 + ratio * 0.1);
    return unpacked;
  }

  #pieceBytes(packedBytes: number): number {
    return Math.min(MAX_PIECE_BYTES, Math.max(MIN_PIECE_BYTES, Math.ceil(packedBytes * this.#ratio)));
  }
}

function unpackedBy(
  codec: number,
  packed: Buffer,
  { baseOffset, pieceBytes }: { readonly baseOffset: number; readonly pieceBytes: number },
): Buffer {
  const options = { maxOutputLength: MAX_UNPACKED_BYTES, chunkSize: pieceBytes };
  try {
    if (codec === 4) return zstdDecompressSync(packed, options);
    if (codec === 1) return gunzipSync(packed, options);
  } catch (cause) {
    if (cause instanceof PipelineError) throw cause;
    throw new PipelineError('KAFKA_RECORDS_CORRUPT', {
      cause,
      facts: { baseOffset, codec },
      detail: `The batch at offset ${baseOffset} cannot be unpacked.`,
    });
  }
  throw new PipelineError('KAFKA_CODEC_UNSUPPORTED', {
    facts: { baseOffset, codec },
    detail: `The batch at offset ${baseOffset} uses codec ${codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : codec}.`,
  });
}
