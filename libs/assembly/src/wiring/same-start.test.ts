import { requireSameStart } from './same-start.ts';

const known = { slot: 's', epoch: 1, consistentPoint: '0/10', publications: ['p'] };

test('what init left unchanged may be started again', () => {
  expect(() => requireSameStart(known, { ...known, publications: ['p'] })).not.toThrow();
});

test.each([{ epoch: 2 }, { consistentPoint: '0/20' }, { publications: ['p', 'q'] }])(
  'a process that waited through another init refuses to write under what it knew: %j',
  (change) => {
    expect(() => requireSameStart(known, { ...known, ...change })).toThrow(
      expect.objectContaining({ code: 'PG_SLOT_FOREIGN', exitCode: 78 }),
    );
  },
);
