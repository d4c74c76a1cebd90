import { EventEmitter, once } from 'node:events';
import { Permit } from './permit.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function permitOf(ask: () => Promise<boolean>) {
  const seen = { isKnown: false, asked: 0, changes: 0 };
  const permit = new Permit({
    isKnown: () => seen.isKnown,
    ask: async () => {
      seen.asked++;
      return await ask();
    },
    onChange: () => seen.changes++,
  });
  return { permit, seen };
}

test('where it is not known to whom a partition belongs it is asked, once, and nothing is sent meanwhile', async () => {
  const asked = new EventEmitter();
  const { permit, seen } = permitOf(async () => (await once(asked, 'answer')).includes(true));
  expect([permit.isGiven, permit.isGiven, seen.asked]).toEqual([false, false, 1]);
  seen.isKnown = true;
  asked.emit('answer', true);
  await turn();
  expect([permit.isGiven, seen]).toEqual([true, { isKnown: true, asked: 1, changes: 1 }]);
});

test('what belongs to somebody else is asked for again only after a while', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate'] });
  const { permit, seen } = permitOf(() => Promise.resolve(false));
  expect(permit.isGiven).toBe(false);
  await turn();
  expect([permit.isGiven, seen.asked, seen.changes]).toEqual([false, 1, 0]);
  jest.useRealTimers();
});

test('where nobody can be asked, what is held is sent', async () => {
  const { permit, seen } = permitOf(() => Promise.reject(new Error('away')));
  expect(permit.isGiven).toBe(false);
  await turn();
  expect([permit.isGiven, seen.asked, seen.changes]).toEqual([true, 1, 1]);
});
