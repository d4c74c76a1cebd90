import { offsetsOf, rangesText } from './offset-ranges.ts';

test.each([
  [[], ''],
  [[7], '7'],
  [[8, 7], '7-8'],
  [[104, 105, 106, 107, 110, 200, 201], '104-107 110 200-201'],
  [[9, 9, 10], '9-10'],
] as const)('%j is %j, and comes back in order', (offsets, text) => {
  expect(rangesText(offsets)).toBe(text);
  expect(offsetsOf(text)).toEqual([...new Set(offsets)].toSorted((a, b) => a - b));
});
