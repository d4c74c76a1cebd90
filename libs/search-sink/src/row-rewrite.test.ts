import { forgetFields } from './generations.ts';
import { editFields } from './row-rewrite.ts';

const edits = {
  renames: new Map([['a', 'b']]),
  removed: new Set(['gone']),
  defaults: new Map([['n', '9223372036854775807']]),
};

test('renames, removes and fills without touching the text of any value, and does nothing a second time', () => {
  const edited = editFields('{"a":1.10,"gone":[1],"x":{"y":"}"}}', edits);
  expect(edited).toBe('{"b":1.10,"x":{"y":"}"},"n":9223372036854775807}');
  expect(editFields(edited ?? '', edits)).toBeNull();
});

test('a value under the new name wins over the one under the old', () => {
  expect(editFields('{"a":1,"b":2,"n":null}', edits)).toBe('{"b":2,"n":null}');
});

test('fields of another type are listed as incomplete beside those that were', () => {
  const source = '{"a":1,"b":2,"_pgstream":{"table":"t","version":9007199254740993,"incomplete":["z"]}}';
  expect(forgetFields(source, ['a', 'c'])).toBe(
    '{"b":2,"_pgstream":{"table":"t","version":9007199254740993,"incomplete":["z","a"]}}',
  );
  expect(forgetFields('{"b":2}', ['a'])).toBe('{"b":2}');
});
