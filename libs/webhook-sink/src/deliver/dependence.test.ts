import { encodeRecord } from '@pgstream/wal-event';
import { change, column } from '../../test/records.ts';
import { dependenceOf, keyHash, keysOf } from './dependence.ts';

type Changes = Parameters<typeof change>[1];
const recordOf = (changes: Changes) => encodeRecord(change(3, changes));
const rowsOf = (changes: Changes) => dependenceOf(recordOf(changes), 'key').rows;
const pair = (a: number, b: number) => ({
  keyColumnIds: ['t-id', 't-part'],
  columns: [column('id', a), column('part', b)],
});
const id = (n: number) => [column('id', n)];

test('the hash of a key is the one that earlier versions have stored, however long the key', () => {
  const [short] = keysOf(recordOf({}), 'key');
  const [long] = keysOf(recordOf({ columns: [column('id', 'x'.repeat(300))] }), 'key');
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
  const record = recordOf(changes);
  expect([keysOf(record, 'key'), keysOf(record, 'none'), keysOf(record, 'partition')]).toEqual([
    keys,
    [],
    [],
  ]);
  const { rows, isBarrier } = dependenceOf(record, 'key');
  expect([rows.length, isBarrier]).toEqual([keys.length, false]);
});

test('a row has one number, wherever in a record it stands; other rows, keys and tables have others', () => {
  const [row] = rowsOf({});
  expect(rowsOf({ action: 'D', columns: null, identity: id(3) })).toEqual([row]);
  expect(rowsOf({ action: 'U', columns: id(7), identity: id(3) })[1]).toBe(row);
  expect(rowsOf({ columns: [...id(3), column('note', 'a')] })).toEqual([row]);
  const others = [
    { columns: id(4) },
    { columns: [column('id', '3')] },
    { columns: [column('id', null)] },
    { tableId: 'u' },
    { keyColumnIds: null },
    pair(3, 45),
    pair(34, 5),
    pair(45, 3),
  ];
  expect(new Set([row, ...others.map((changes) => rowsOf(changes)[0])]).size).toBe(others.length + 1);
});

test('a row that says no key, a TRUNCATE and a message wait for everything, and what wants no order for nothing', () => {
  const record = encodeRecord(change(3));
  const barrier = { rows: [], isBarrier: true };
  for (const changes of [
    { columns: [column('note', 'a')] },
    { action: 'T', columns: null },
    { action: 'M', columns: null },
  ] as const) {
    expect([dependenceOf(recordOf(changes), 'key'), keysOf(recordOf(changes), 'key')]).toEqual([barrier, []]);
  }
  expect(dependenceOf(record, 'partition')).toEqual(barrier);
  expect(dependenceOf(record, 'none')).toEqual({ rows: [], isBarrier: false });
});
