import type { Buffer } from 'node:buffer';
import type { ByteSink } from './byte-sink.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Fewer open arrays and objects than any check counts, and shorter numbers: see `embeddableJson`. */
const PLAIN_DEPTH = 12;
const PLAIN_NUMBER = 300;

/**
 * Appends the JSON that stands in the JSON string `bytes[start, end)`, byte by byte, where nothing in it needs a closer
 * look: `convertText` gives the same at four times the cost. False, with nothing written, where something does: escapes
 * other than `\"` and `\\`, deep nesting, numbers that are long or have an exponent.
 *
 * @param bytes JSON as PostgreSQL prints a jsonb, as a JSON string
 */
// oxlint-disable-next-line complexity -- one pass over bytes, the hottest of the sink; the property test holds it to the slow way
export function writePlainJsonb(out: ByteSink, bytes: Buffer, start: number, end: number): boolean {
  out.reserve(end - start);
  const to = out.bytes;
  const last = end - 1;
  let at = out.length;
  let inString = false;
  let depth = 0;
  /** Where the number, if it is one, began. */
  let token = start;
  for (let p = start + 1; p < last; p += 1) {
    let byte = bytes[p] ?? 0;
    if (byte === BACKSLASH) {
      p += 1;
      byte = bytes[p] ?? 0;
      if (byte !== QUOTE && byte !== BACKSLASH) return false;
    } else if (byte < 0x20) return false; // no JSON: whoever parses it says so
    to[at] = byte;
    at += 1;
    if (inString) {
      if (byte === QUOTE) inString = false;
      else if (byte === BACKSLASH) {
        // An escape of the JSON itself: `\\n` or `\\\"` here, of which the second part is of no interest.
        p += 1;
        byte = bytes[p] ?? 0;
        if (byte === BACKSLASH) {
          p += 1;
          byte = bytes[p] ?? 0;
          if (byte !== QUOTE && byte !== BACKSLASH) return false;
        } else if (byte < 0x20) return false;
        to[at] = byte;
        at += 1;
      }
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > PLAIN_DEPTH) return false;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    else if (byte === 0x20 || byte === 0x2c || byte === 0x3a) token = p;
    else if (p - token > PLAIN_NUMBER) return false;
    else if ((byte | 0x20) === 0x65 && isDigit(bytes[p - 1] ?? 0)) return false;
  }
  out.length = at;
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
