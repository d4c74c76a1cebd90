import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { scalarEnd, viewOf } from './json-bytes.ts';
import { escapedSize, putJsonString, stringEnd } from './json-text.ts';

const ANY = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', '\\', '\u0000', '\u001f', ' ', '\u007f', 'é', '\u{1f600}'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
});

/** `text` written from and to places that no word begins at, with other bytes around it. */
function written(text: string, shift: number): Buffer {
  const around = 'x'.repeat(shift);
  const source = Buffer.from(`${around}${text}"\\${around}`);
  const target = Buffer.alloc(source.length * 6 + 64, '?');
  const size = Buffer.byteLength(text);
  const end = putJsonString(viewOf(target), shift, viewOf(source), shift, shift + size);
  expect(target.subarray(0, shift).toString()).toBe('?'.repeat(shift));
  expect(target[end]).toBe(0x3f);
  return target.subarray(shift, end);
}

test('text is written as JSON.stringify does, wherever it stands', () => {
  fc.assert(
    fc.property(ANY, fc.nat(9), (text, shift) => {
      const whole = Buffer.from(text).toString(); // lone surrogates are no UTF-8
      expect(written(whole, shift).toString()).toBe(JSON.stringify(whole));
    }),
    { numRuns: 500 },
  );
});

test.each(Array.from({ length: 128 }, (_, code) => code))('byte %i, at each of nine places', (code) => {
  for (let at = 0; at < 9; at++) {
    const text = 'a'.repeat(at) + String.fromCodePoint(code) + 'a'.repeat(9 - at);
    expect(written(text, 1).toString()).toBe(JSON.stringify(text));
  }
});

test('the size foretold is never too small, and exact where each escape is a long one', () => {
  fc.assert(
    fc.property(ANY, (text) => {
      const bytes = Buffer.from(text);
      expect(escapedSize(viewOf(bytes), 0, bytes.length)).toBeGreaterThanOrEqual(
        written(bytes.toString(), 0).length - 2,
      );
    }),
  );
  expect(escapedSize(viewOf(Buffer.from('a\u0001b')), 0, 3)).toBe(8);
});

test('a string ends at its first quote that no backslash takes away', () => {
  fc.assert(
    fc.property(ANY, fc.nat(9), (text, shift) => {
      const json = Buffer.from(`${' '.repeat(shift)}${JSON.stringify(text)}"`);
      expect(stringEnd(viewOf(json), shift + 1, json.length)).toBe(json.length - 1);
      expect(stringEnd(viewOf(json), shift + 1, json.length - 2)).toBe(-1);
      expect(scalarEnd(viewOf(json), shift, json.length)).toBe(json.length - 1);
    }),
    { numRuns: 500 },
  );
});

test.each(['', '"', '"a', '"a\\', '"abcdefgh\\"'])('%j has no end', (text) => {
  const bytes = Buffer.from(text);
  expect(scalarEnd(viewOf(bytes), 0, bytes.length)).toBe(-1);
});
