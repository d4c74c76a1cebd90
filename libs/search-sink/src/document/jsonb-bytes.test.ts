import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { ByteSink, classifyType, convertText } from './index.ts';
import { writePlainJsonb } from './jsonb-bytes.ts';
import { writerOf } from './value-writer.ts';

const JSONB = classifyType('jsonb');

/** What the writer makes of a value, and whether it needed the long way. */
function written(text: string) {
  const bytes = Buffer.from(`..${JSON.stringify(text)}..`);
  const value = { start: 2, end: bytes.length - 2 };
  const out = new ByteSink(8);
  out.writeAscii('x');
  const plain = writePlainJsonb(out, bytes, value.start, value.end);
  const note = { lossy: false };
  if (!plain) {
    expect(out.length).toBe(1);
    writerOf(JSONB, 'table')?.(out, bytes, value, note);
  }
  return { json: out.view(1).toString(), plain, lossy: note.lossy };
}

test('a jsonb is the same by bytes as by its text', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }),
      fc.constantFrom(0, 1),
      (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const note = { lossy: false };
        const { json, lossy } = written(text);
        expect(json).toBe(convertText(JSONB, text, note));
        expect(lossy).toBe(note.lossy);
      },
    ),
    { numRuns: 1000 },
  );
});

test('what is usual takes the short way', () => {
  const text =
    '{"k": -12.50, "tag": "a \\"b\\\\ \\n é", "list": [1, true, false, null, [], {}], "e1": "1e9"}';
  expect(written(text)).toEqual({ json: text, plain: true, lossy: false });
});

test.each([
  ['1e400', 'null'],
  [`[${'1'.repeat(1001)}]`, 'text'],
  [`${'['.repeat(13)}${']'.repeat(13)}`, 'text'],
  ['[1e5]', 'same'],
  ['{"a": 1E-7}', 'same'],
])('%s is looked at closely', (text, form) => {
  const note = { lossy: false };
  const { json, plain } = written(text);
  expect(plain).toBe(false);
  expect(json).toBe(convertText(JSONB, text, note));
  if (form === 'same') expect(json).toBe(text);
});

test('a raw line end, which is no JSON, is never copied', () => {
  const bytes = Buffer.from('"{\\"a\\":\n1}"');
  expect(writePlainJsonb(new ByteSink(8), bytes, 0, bytes.length)).toBe(false);
});
