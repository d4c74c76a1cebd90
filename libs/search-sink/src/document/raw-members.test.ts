import fc from 'fast-check';
import { rawMembers } from './index.ts';

describe('members of an object', () => {
  test('are found at any depth of their values, whatever the spaces', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.constantFrom(0, 2),
        (value, indent) => {
          const bytes = Buffer.from(`xx${JSON.stringify(value, null, indent)} `);
          const members = rawMembers(bytes, 2);
          expect([...members.keys()].toSorted()).toEqual(Object.keys(value).toSorted());
          for (const [name, { start, end }] of members) {
            expect(JSON.stringify(JSON.parse(bytes.toString('utf8', start, end)))).toBe(
              JSON.stringify(value[name]),
            );
          }
        },
      ),
    );
  });

  test('keep their digits', () => {
    const bytes = Buffer.from('{"n":12345678901234567890.10 , "s":"}\\"{"}');
    const member = rawMembers(bytes).get('n');
    expect(bytes.toString('utf8', member?.start, member?.end)).toBe('12345678901234567890.10');
  });

  test.each(['', '[]', '{"a"}', '{"a":', '{"a":1', '{"a":"', '{"a":[}'])('%j is not an object', (text) => {
    expect(() => rawMembers(Buffer.from(text))).toThrow(SyntaxError);
  });
});
