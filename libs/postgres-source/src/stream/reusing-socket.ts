import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';

const READ_BYTES = 256 * 1024;

/**
 * A socket that reads into one buffer again and again, in place of a new one for each read. Pausing it also stops the reads
 * themselves, where an ordinary socket goes on filling its queue: resting after a short read saves nothing without that.
 * Under TLS the reads are those of the TLS layer, and this changes nothing.
 */
export class ReusingSocket {
  readonly socket: Socket;
  /** Whether chunks are views, valid until the next read. Copies until this is set, for listeners that keep them. */
  sharing = false;

  constructor() {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    this.socket = new Socket({
      onread: {
        buffer,
        callback: (bytes) => {
          const view = buffer.subarray(0, bytes);
          this.socket.emit('data', this.sharing ? view : Buffer.from(view));
          return !this.socket.isPaused();
        },
      },
    });
  }
}
