import { Buffer } from 'node:buffer';
import { put, putJsonString, putRange } from './json-bytes.ts';
import { KIND } from './table-template.ts';

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

/** Writes the text `source[from, to)` of a column as a JSON value; answers the end. @param kind of {@link KIND} */
// oxlint-disable-next-line max-params -- called once per column on the hot path
export function putValue(
  b: Buffer,
  at: number,
  source: Buffer,
  from: number,
  to: number,
  kind: number,
): number {
  if (kind === KIND.text) return putJsonString(b, at, source, from, to);
  if (kind === KIND.number) {
    return isLiteral(source, from)
      ? putRange(b, at, source, from, to)
      : putJsonString(b, at, source, from, to);
  }
  if (kind === KIND.boolean) return put(b, at, source[from] === 0x74 ? TRUE : FALSE);
  const base64 = Buffer.from(source.toString('latin1', from + 2, to), 'hex').toString('base64');
  return at + b.write(`"${base64}"`, at, 'latin1');
}

/** Whether a number's text is a JSON literal: `NaN`, `Infinity` and `-Infinity` are not. */
function isLiteral(source: Buffer, from: number): boolean {
  const first = source[from] ?? 0;
  const digit = first === 0x2d ? (source[from + 1] ?? 0) : first;
  return digit >= 0x30 && digit <= 0x39;
}
