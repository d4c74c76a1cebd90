import { Buffer } from 'node:buffer';

/** Of the size in front of every answer, https://kafka.apache.org/protocol#protocol_common */
const PREFIX_BYTES = 4;
/** Above what one fetch of one batch can need, so that a forged length allocates nothing. */
export const MAX_RESPONSE_BYTES = 128 * 1024 * 1024;

/** Cuts what a broker sends into whole answers. One per socket: what a lost connection left unfinished goes with it. */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #received = 0;
  /** Bytes needed before another look is worth it. */
  #wanted = PREFIX_BYTES;

  /**
   * @param take is given each whole answer with the size in front of it, a view of what came, and says whether to go on
   * @returns the size that no answer can have, which is the end of the connection; `undefined` while all is well
   */
  push(chunk: Buffer, take: (frame: Buffer) => boolean): number | undefined {
    this.#chunks.push(chunk);
    this.#received += chunk.length;
    if (this.#received < this.#wanted) return undefined;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    while (bytes.length >= PREFIX_BYTES) {
      const size = bytes.readInt32BE(0);
      if (size < 0 || size > MAX_RESPONSE_BYTES) return size;
      if (bytes.length < PREFIX_BYTES + size) break;
      const goesOn = take(bytes.subarray(0, PREFIX_BYTES + size));
      bytes = bytes.subarray(PREFIX_BYTES + size);
      if (!goesOn) break;
    }
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#received = bytes.length;
    this.#wanted = bytes.length >= PREFIX_BYTES ? PREFIX_BYTES + bytes.readInt32BE(0) : PREFIX_BYTES;
    return undefined;
  }
}
