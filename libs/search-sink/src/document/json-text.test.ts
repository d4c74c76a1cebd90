import fc from 'fast-check';
import { embeddableJson } from './json-text.ts';

describe('JSON inside a document', () => {
  test('is as PostgreSQL had it, on one line', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ stringUnit: 'binary', maxDepth: 6 }),
        fc.constantFrom(0, 1),
        (value, indent) => {
          const text = JSON.stringify(value, null, indent);
          const json = embeddableJson(text);
          expect(json).toBe(text.replaceAll('\n', ' '));
          expect(embeddableJson(text, true)).toBe(json);
        },
      ),
    );
  });

  test('never repeats a key, however it is written', () => {
    const key = fc.string({
      unit: fc.constantFrom('"', '\\', ':', '{', '}', 'a'),
      minLength: 1,
      maxLength: 2,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean())), (keys) => {
        const text = `[{${keys.map(([k, escape]) => `${written(k, escape)} : {"a":[]}`).join(',')}},{"a":1}]`;
        const distinct = new Set(keys.map(([k]) => k)).size === keys.length;
        expect(embeddableJson(text)).toBe(distinct ? text : undefined);
      }),
    );
  });
});

/** As itself, or every character as `\uXXXX`. */
function written(text: string, escape: boolean): string {
  if (!escape) return JSON.stringify(text);
  return `"${text.replaceAll(/./g, (c) => `\\u00${c.charCodeAt(0).toString(16)}`)}"`;
}
