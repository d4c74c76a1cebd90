import { Buffer } from 'node:buffer';
import { put, putHex, putInteger } from './json-bytes.ts';

const MS_2000 = 946_684_800_000;
/** The code of the action stands behind this. */
const ACTION_HEAD = Buffer.from('{"action":"');
const TIMESTAMP = Buffer.from(' ","timestamp":"', 'latin1');
const COMMIT_LSN = Buffer.from('+00","commit_lsn":"');
const NO_TIME_COMMIT_LSN = Buffer.from('","commit_lsn":"');
const LSN = Buffer.from(',"lsn":"');
const SEQ = Buffer.from('","seq":');

/**
 * What all records of a transaction begin with, written once for each transaction: from `{"action":` to the value of
 * `"lsn"`. Transactions may be as small as their records, so this makes no strings either.
 */
export class TransactionBytes {
  readonly #bytes = Buffer.allocUnsafeSlow(256);
  #length = 0;
  readonly #epoch: Buffer;
  readonly #secondText = Buffer.allocUnsafeSlow(19);
  #second = -1;
  /** One LSN as a bigint and as its two words, low first. */
  readonly #lsn = new BigUint64Array(1);
  readonly #words = new Uint32Array(this.#lsn.buffer);

  constructor(epoch: number) {
    this.#epoch = Buffer.from(`","epoch":${epoch},"xid":`);
    ACTION_HEAD.copy(this.#bytes);
  }

  /** @param commitTimeUs microseconds since 2000-01-01 UTC */
  begin(commitLsn: bigint, commitTimeUs: number, xid: number): void {
    const b = this.#bytes;
    const second = Math.floor(commitTimeUs / 1e6);
    if (second !== this.#second) this.#nameSecond(second);
    let p = put(b, ACTION_HEAD.length, TIMESTAMP);
    p = put(b, p, this.#secondText);
    p = putFraction(b, p, commitTimeUs - second * 1e6);
    p = put(b, p, COMMIT_LSN);
    this.#finish(p, commitLsn, xid);
  }

  /** Of a message outside transactions: no time, no xid, and its own LSN. */
  outside(lsn: bigint): void {
    let p = put(this.#bytes, ACTION_HEAD.length, TIMESTAMP);
    p = put(this.#bytes, p, NO_TIME_COMMIT_LSN);
    this.#finish(p, lsn, 0);
  }

  /** Writes a record's beginning, up to and with the value of `seq`; answers its end. Takes at most 300 bytes. */
  // oxlint-disable-next-line max-params -- called once per record on the hot path
  write(b: Buffer, at: number, action: number, lsnHi: number, lsnLo: number, seq: number): number {
    this.#bytes.copy(b, at, 0, this.#length);
    b[at + ACTION_HEAD.length] = action;
    let p = putHex(b, at + this.#length, lsnHi);
    b[p++] = 0x2f; // /
    p = putHex(b, p, lsnLo);
    p = put(b, p, SEQ);
    return putInteger(b, p, seq);
  }

  #finish(at: number, commitLsn: bigint, xid: number): void {
    const b = this.#bytes;
    this.#lsn[0] = commitLsn;
    let p = putHex(b, at, this.#words[HIGH] ?? 0);
    b[p++] = 0x2f;
    p = putHex(b, p, this.#words[LOW] ?? 0);
    p = put(b, p, this.#epoch);
    p = putInteger(b, p, xid);
    this.#length = put(b, p, LSN);
  }

  #nameSecond(second: number): void {
    this.#second = second;
    const iso = new Date(MS_2000 + second * 1000).toISOString();
    this.#secondText.write(`${iso.slice(0, 10)} ${iso.slice(11, 19)}`, 'latin1');
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const LOW = isLittleEndian ? 0 : 1;
const HIGH = 1 - LOW;

/** `.5`, `.000012` or nothing: PostgreSQL prints no trailing zeros. */
function putFraction(b: Buffer, at: number, us: number): number {
  if (us === 0) return at;
  b[at] = 0x2e; // .
  let rest = us;
  let end = at + 1;
  for (let i = at + 6; i > at; i--) {
    const digit = rest % 10;
    rest = (rest - digit) / 10;
    b[i] = 0x30 + digit;
    if (digit !== 0 && end === at + 1) end = i + 1;
  }
  return end;
}
