import { elementsOf, membersOf } from './raw-json.ts';

test('members are found with their text as it stands: every digit, nested values, escaped names and quotes', () => {
  const text =
    ' { "id" : 9223372036854775807, "n":1.10 ,"o":{"a":[1,"]}\\""]},"q\\"é":"x\\\\","z":null, "t" : true} ';
  const found = membersOf(text).map(({ name, start, end }) => [name, text.slice(start, end)]);
  expect(found).toEqual([
    ['id', '9223372036854775807'],
    ['n', '1.10'],
    ['o', '{"a":[1,"]}\\""]}'],
    ['q"é', '"x\\\\"'],
    ['z', 'null'],
    ['t', 'true'],
  ]);
});

test('elements of an array, none of an empty one', () => {
  const text = '[{"a":1}, 2 ,"x,y",[]]';
  expect(elementsOf(text, 0).map(({ start, end }) => text.slice(start, end))).toEqual([
    '{"a":1}',
    '2',
    '"x,y"',
    '[]',
  ]);
  expect(elementsOf('[]', 0)).toEqual([]);
  expect(membersOf('{}')).toEqual([]);
});
