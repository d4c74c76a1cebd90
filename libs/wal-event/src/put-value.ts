import { Buffer } from 'node:buffer';
import { Literal, putRange, type Viewed } from './json-bytes.ts';
import { putJsonString } from './json-text.ts';
import { KIND } from './table-template.ts';

const TRUE = new Literal('true');
const FALSE = new Literal('false');

/** Writes the text `source[from, to)` of a column as a JSON value; answers the end. @param kind of {@link KIND} */
// oxlint-disable-next-line max-params -- called once per column on the hot path
export function putValue(
  out: Viewed,
  at: number,
  source: Viewed,
  from: number,
  to: number,
  kind: number,
): number {
  if (kind === KIND.text) return putJsonString(out.view, at, source.view, from, to);
  const { bytes } = source;
  if (kind === KIND.number) {
    return isLiteral(bytes, from)
      ? putRange(out.bytes, at, bytes, from, to)
      : putJsonString(out.view, at, source.view, from, to);
  }
  if (kind === KIND.boolean) return (bytes[from] === 0x74 ? TRUE : FALSE).put(out.view, at);
  const base64 = Buffer.from(bytes.toString('latin1', from + 2, to), 'hex').toString('base64');
  return at + out.bytes.write(`"${base64}"`, at, 'latin1');
}

/** Whether a number's text is a JSON literal: `NaN`, `Infinity` and `-Infinity` are not. */
function isLiteral(source: Buffer, from: number): boolean {
  const first = source[from] ?? 0;
  const digit = first === 0x2d ? (source[from + 1] ?? 0) : first;
  return digit >= 0x30 && digit <= 0x39;
}
