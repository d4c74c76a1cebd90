import { Buffer } from 'node:buffer';

const MS_2000 = 946_684_800_000;

/**
 * A standby status update as CopyData. Written, flushed and applied are the same LSN: there is one notion of durable.
 * @param replyRequested the server answers with a keepalive at once
 * @see https://www.postgresql.org/docs/current/protocol-replication.html
 */
export function statusMessage(lsn: bigint, nowMs: number, replyRequested: boolean): Buffer {
  const message = Buffer.alloc(39);
  message[0] = 0x64; // d
  message.writeUInt32BE(38, 1);
  message[5] = 0x72; // r
  message.writeBigUInt64BE(lsn, 6);
  message.writeBigUInt64BE(lsn, 14);
  message.writeBigUInt64BE(lsn, 22);
  message.writeBigInt64BE(BigInt(Math.round(nowMs - MS_2000)) * 1000n, 30);
  message[38] = replyRequested ? 1 : 0;
  return message;
}

export const COPY_DONE: Buffer = Buffer.from([0x63, 0, 0, 0, 4]);
