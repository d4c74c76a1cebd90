import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { ByteSink, classifyType, convertText } from './index.ts';
import { writePlainJsonb } from './jsonb-bytes.ts';
import { writerOf } from './value-writer.ts';

const JSONB = classifyType('jsonb');

/** What the writer makes of a value, and whether it needed the long way. */
function written(text: string) {
  const bytes = Buffer.from(`..${JSON.stringify(text)}..`);
  const [start, end] = [2, bytes.length - 2];
  const out = new ByteSink(8);
  out.writeAscii('x');
  const plain = writePlainJsonb(out, bytes, start, end);
  const leftAlone = plain || out.length === 1;
  const lossy = !plain && writerOf(JSONB, 'table')?.(out, bytes, start, end) === true;
  return { json: out.view(1).toString(), plain, lossy, leftAlone };
}

test('a jsonb is the same by bytes as by its text', () => {
  fc.assert(
    fc.property(
      fc.jsonValue({ stringUnit: 'binary', maxDepth: 4 }),
      fc.constantFrom(0, 1),
      (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const note = { lossy: false };
        const { json, lossy, leftAlone } = written(text);
        expect(leftAlone).toBe(true);
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
  expect(written(text)).toEqual({ json: text, plain: true, lossy: false, leftAlone: true });
});

test.each([
  ['1e400', convertText(JSONB, '1e400', { lossy: false })],
  [`[${'1'.repeat(1001)}]`, convertText(JSONB, `[${'1'.repeat(1001)}]`, { lossy: false })],
  [
    `${'['.repeat(13)}${']'.repeat(13)}`,
    convertText(JSONB, `${'['.repeat(13)}${']'.repeat(13)}`, { lossy: false }),
  ],
  ['[1e5]', '[1e5]'],
  ['{"a": 1E-7}', '{"a": 1E-7}'],
])('%s is looked at closely', (text, expected) => {
  const { json, plain } = written(text);
  expect([plain, json]).toEqual([false, expected]);
});

test('a raw line end, which is no JSON, is never copied', () => {
  const bytes = Buffer.from('"{\\"a\\":\n1}"');
  expect(writePlainJsonb(new ByteSink(8), bytes, 0, bytes.length)).toBe(false);
});
