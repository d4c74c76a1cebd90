import type { ChangeRecord, RecordColumn } from '@pgstream/wal-event';
import { change, column, ddl } from '../../test/records.ts';
import type { Filter, LegacyScope } from '../subscription.ts';
import { compile } from './matcher.ts';

const wants = (filters: readonly Filter[], record: ChangeRecord) =>
  compile({ legacy: null, filters }).matches(record);
const message = { ...ddl(1, ''), message: { prefix: 'mine', content: '' } };
const update = (
  before: readonly RecordColumn[],
  after: readonly RecordColumn[],
  unchanged: readonly string[] = [],
) => change(1, { action: 'U', identity: before, columns: after, unchanged });

test('without filters: rows and TRUNCATE of every table, neither schema changes nor messages', () => {
  for (const action of ['I', 'U', 'D', 'T'] as const) expect(wants([], change(1, { action }))).toBe(true);
  for (const record of [ddl(1, 'app'), message]) expect(wants([], record)).toBe(false);
});

test.each([
  [{ schema: 'app' }, true],
  [{ schema: 'a*', table: 'ord?rs' }, true],
  [{ schema: 'ap' }, false],
  [{ table: 'order' }, false],
  [{ table: 'ORDERS' }, false],
  [{ table: '.rders' }, false],
  [{ operations: ['delete'] }, false],
  [{ operations: ['insert', 'delete'] }, true],
] satisfies [Filter, boolean][])('an insert into app.orders and %j: %j', (filter, expected) => {
  expect(wants([filter], change(1))).toBe(expected);
});

test('one of several filters is enough', () => {
  expect(wants([{ schema: 'other' }, { table: 'orders' }], change(1))).toBe(true);
});

test('schema changes come where they are asked for, by their schema', () => {
  const filter: Filter = { schema: 'app', table: 'orders', operations: ['ddl'] };
  expect([wants([filter], ddl(1, 'app')), wants([filter], ddl(1, 'hr')), wants([filter], change(1))]).toEqual(
    [true, false, false],
  );
});

test.each([
  ['another value', update([column('a', 1)], [column('a', 2)]), true],
  ['the same value', update([column('a', 1)], [column('a', 1)]), false],
  ['no old row to compare with', update([column('id', 1)], [column('a', 1)]), true],
  ['a value that was not sent because it did not change', update([], [column('id', 1)], ['a']), false],
  ['an insert', change(1), true],
])('changed columns: %s', (_what, record, expected) => {
  expect(wants([{ changedColumns: ['a'] }], record)).toBe(expected);
});

const row = change(1, { columns: [column('n', 10), column('s', 'b'), column('b', true), column('z', null)] });
test.each([
  ['n', 'eq', 10, true],
  ['n', 'gt', 9, true],
  ['n', 'lt', 9, false],
  ['n', 'gte', 10.5, false],
  ['n', 'in', [1, 10], true],
  ['s', 'eq', 'b', true],
  ['s', 'gt', 'a', true],
  ['s', 'gt', 1, false],
  ['s', 'not_in', ['a', 'c'], true],
  ['b', 'eq', true, true],
  ['z', 'is_null', true, true],
  ['z', 'is_null', false, false],
  ['z', 'ne', 'x', false],
  ['missing', 'eq', 'x', false],
] as const)('where %s %s %j: %j', (name, op, value, expected) => {
  expect(wants([{ where: [{ column: name, op, value }] }], row)).toBe(expected);
});

test('whole numbers are compared digit by digit', () => {
  const record = change(1, { columns: [{ ...column('n', 0), value: { raw: '9007199254740993' } }] });
  const where = [{ column: 'n', op: 'eq', value: 9_007_199_254_740_992 }] as const;
  expect(wants([{ where }], record)).toBe(false);
});

test('a null of the new row is not replaced by the old value', () => {
  const record = update([column('a', 'x')], [column('a', null)]);
  expect(wants([{ where: [{ column: 'a', op: 'eq', value: 'x' }] }], record)).toBe(false);
});

test('a delete is judged by its old row', () => {
  const record = change(1, { action: 'D', columns: null, identity: [column('id', 7)] });
  expect(wants([{ where: [{ column: 'id', op: 'eq', value: 7 }] }], record)).toBe(true);
});

test.each([
  [{ schema: '', table: '', eventTypes: [] }, [true, true, true]],
  [{ schema: 'app', table: 'orders', eventTypes: [] }, [true, true, true]],
  [{ schema: 'hr', table: '', eventTypes: [] }, [false, true, true]],
  [{ schema: '', table: '', eventTypes: ['U'] }, [false, false, false]],
  [{ schema: '', table: '', eventTypes: ['M'] }, [false, true, true]],
  [{ schema: 'app', table: '', eventTypes: ['I'] }, [true, false, false]],
] satisfies [LegacyScope, boolean[]][])('legacy %j: insert, schema change, message', (legacy, expected) => {
  const matcher = compile({ legacy, filters: [] });
  expect([change(1), ddl(1, 'app'), message].map((record) => matcher.matches(record))).toEqual(expected);
});
