import { indexName, pinnedNaming, schemaNaming, tableNaming } from './naming.ts';

const table = { schema: 'App', table: 'Orders', tableId: 'd8h3a0000000000000t0' };

test('a table has an alias of its name and an index of its id', () => {
  const naming = tableNaming();
  expect(naming.alias(table)).toBe('app.orders');
  expect(naming.physical(table, 1)).toBe('app.orders-d8h3a0000000000000t0');
  expect(naming.physical(table, 2)).toBe('app.orders-d8h3a0000000000000t0-2');
  expect(tableNaming('prod-{table}').alias(table)).toBe('prod-orders');
});

test('shared indices are named after the schema or by the user, with a number', () => {
  expect(schemaNaming().physical(table, 1)).toBe('app-1');
  expect(pinnedNaming('productos_idx').alias(table)).toBe('productos_idx');
  expect(pinnedNaming('productos_idx').physical(table, 1)).toBe('productos_idx-1');
});

test.each(['a/b', 'a b', '_a', '-a', 'a,b#c', '..', '', 'x'.repeat(400), 'ñandú/ñ'])(
  '%j becomes a name that engines accept, and no two become the same',
  (wanted) => {
    const name = indexName(wanted);
    expect(name).toMatch(/^[^\\/*?"<>|,#:\s_+.-][^\\/*?"<>|,#:\s]*$/u);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(230);
    expect(name).not.toBe(indexName(`${wanted}_`));
  },
);
