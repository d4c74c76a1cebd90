import { Turns } from './turns.ts';

function turnsOf(names: string): Turns<string> {
  const turns = new Turns<string>();
  for (const name of names) turns.add(name);
  return turns;
}

/** Who is served when `count` are, of those in `due`. */
function served(turns: Turns<string>, count: number, due = 'abcde'): string {
  let all = '';
  for (let i = 0; i < count; i++) {
    const next = turns.find((name) => due.includes(name));
    if (next === undefined) break;
    turns.served(next);
    all += next;
  }
  return all;
}

test('each that is due has its turn, and who was looked at and not served keeps its own', () => {
  const turns = turnsOf('abc');
  expect(served(turns, 7)).toBe('abcabca');
  expect([turns.find(() => true), turns.find(() => true)]).toEqual(['b', 'b']);
  expect(served(turns, 5, 'ca')).toBe('cacac');
  expect(served(turns, 3, 'x')).toBe('');
});

test.each([
  ['who was served', 'a', 'bcb'],
  ['who is next', 'b', 'cac'],
  ['the last one', 'c', 'bab'],
])('nobody loses a turn when %s goes', (_who, gone, next) => {
  const turns = turnsOf('abc');
  served(turns, 1);
  turns.remove(gone);
  turns.remove(gone);
  expect(served(turns, 3)).toBe(next);
});

test('one that comes is served after those that were there, once however often it was added', () => {
  const turns = turnsOf('ab');
  served(turns, 1);
  turns.add('c');
  turns.add('c');
  expect(served(turns, 6)).toBe('bcabca');
  for (const name of 'abc') turns.remove(name);
  expect(served(turns, 1)).toBe('');
});
