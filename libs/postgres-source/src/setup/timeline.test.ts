import { switchPointIn } from './timeline.ts';

const HISTORY =
  '1\t0/3000148\tno recovery target specified\n\n2\t16/B374D848\tbefore 2026-01-01 00:00:00+00\n';

test('a history file says where each timeline was left', () => {
  expect(switchPointIn(HISTORY, 1)).toBe('0/3000148');
  expect(switchPointIn(HISTORY, 2)).toBe('16/B374D848');
});

test('a timeline that is no ancestor was left nowhere', () => {
  expect(switchPointIn(HISTORY, 3)).toBeNull();
  expect(switchPointIn('', 1)).toBeNull();
});
