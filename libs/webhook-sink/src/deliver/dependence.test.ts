import { encodeRecord } from '@pgstream/wal-event';
import { change, column } from '../../test/records.ts';
import { dependenceOf, keyHash } from './dependence.ts';

const keysOf = (changes: Parameters<typeof change>[1]) =>
  dependenceOf(encodeRecord(change(3, changes)), 'key');
const id = (n: number) => [column('id', n)];

test('the hash of a key is the one that earlier versions have stored, however long the key', () => {
  const [short] = keysOf({}).keys;
  const [long] = keysOf({ columns: [column('id', 'x'.repeat(300))] }).keys;
  expect([keyHash(short!), keyHash(long!)]).toEqual(['DPhs4InL4Qt-P7vHa20XAL', 'vNb_LbCMbosQQBNJYpo_Hi']);
  expect([short!.length, long!.length]).toEqual([19, 22]);
});

test.each([
  ['a row', {}, ['["t",[{"raw":"3"}]]']],
  ['a deleted row', { action: 'D', columns: null, identity: id(7) }, ['["t",[{"raw":"7"}]]']],
  ['a row whose key stays', { action: 'U', identity: id(3) }, ['["t",[{"raw":"3"}]]']],
  [
    'a row whose key changes',
    { action: 'U', identity: id(7) },
    ['["t",[{"raw":"3"}]]', '["t",[{"raw":"7"}]]'],
  ],
  [
    'an old row that does not say its key',
    { action: 'U', identity: [column('note', 'a')] },
    ['["t",[{"raw":"3"}]]'],
  ],
  ['a key that is NULL', { columns: [column('id', null)] }, ['["t",[null]]']],
  ['a table without a key', { keyColumnIds: null }, ['["t",[]]']],
] as const)('%s touches these rows', (_what, changes, keys) => {
  expect(keysOf(changes)).toEqual({ keys, isBarrier: false });
});

test('a row that says no key, a TRUNCATE and a message wait for everything, and what wants no order for nothing', () => {
  const record = encodeRecord(change(3));
  const barrier = { keys: [], isBarrier: true };
  expect(keysOf({ columns: [column('note', 'a')] })).toEqual(barrier);
  expect(keysOf({ action: 'T', columns: null })).toEqual(barrier);
  expect(keysOf({ action: 'M', columns: null })).toEqual(barrier);
  expect(dependenceOf(record, 'partition')).toEqual(barrier);
  expect(dependenceOf(record, 'none')).toEqual({ keys: [], isBarrier: false });
});
