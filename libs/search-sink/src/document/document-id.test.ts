import fc from 'fast-check';
import type { TableRef } from '@pgstream/wal-event';
import { recordOf } from '../../test/fake-record.ts';
import { DocumentIds, idOf } from './index.ts';

const ref: TableRef = { schema: 'app', table: 'orders', tableId: 'dc0e', keyColumnIds: ['dc0e-1'] };
const layouts = ['table', 'pgstream'] as const;

/** Texts rich in what separates and escapes. */
const keyText = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '\\', ',', '-', 'N', 'E', '1', '') }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '-1', '1', '\\N', '\\E', '\\sha256:', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
  fc.constantFrom('x'.repeat(512), 'x'.repeat(513), 'ñ'.repeat(256), 'ñ'.repeat(257)),
);
const keys = fc
  .integer({ min: 1, max: 4 })
  .chain((size) =>
    fc.tuple(...Array.from({ length: 2 }, () => fc.array(keyText, { minLength: size, maxLength: size }))),
  );

describe('document id', () => {
  test.each<[string[], string]>([
    [['42'], '42'],
    [['-7'], '-7'],
    [['a b'], 'a b'],
    [[''], '\\E'],
    [['a,b'], 'a\\,b'],
    [['1', 'x'], '1,x'],
    [['a,b', 'c\\'], 'a\\,b,c\\\\'],
    [['', ''], '\\E,\\E'],
    [['ñ'.repeat(256)], 'ñ'.repeat(256)],
  ])('of key %j is %s', (values, id) => {
    expect(idOf(ref, values, { layout: 'table' })).toBe(id);
  });

  test('longer than 512 bytes is a hash behind the table prefix', () => {
    const id = idOf(ref, ['ñ'.repeat(257)], { layout: 'table', tablePrefix: true });
    expect(id).toMatch(/^app\.orders:\\sha256:[\da-f]{64}$/);
  });

  test.each(layouts)('layout %s: different keys have different ids of at most 512 bytes', (layout) => {
    fc.assert(
      fc.property(keys, ([a, b]) => {
        const ids = [a, b].map((key) => idOf(ref, key ?? [], { layout }));
        expect(ids[0] === ids[1]).toBe(JSON.stringify(a) === JSON.stringify(b));
        for (const id of ids) expect(Buffer.byteLength(id)).toBeLessThanOrEqual(512);
      }),
      { numRuns: 1000 },
    );
  });

  test('tables that share an index do not share ids', () => {
    const name = fc.string({ unit: fc.constantFrom('.', ':', '\\'), minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.tuple(name, name, name), fc.tuple(name, name, name), (a, b) => {
        const [first, second] = [a, b].map(([schema, table, key]) =>
          idOf({ ...ref, schema, table }, [key], { layout: 'table', tablePrefix: true }),
        );
        expect(first === second).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, string[], boolean, RegExp]>([
    ['simple keys', ['a-b'], false, /^dc0e_a-b$/],
    ['composite keys', ['1', 'x'], false, /^dc0e_1-x$/],
    ['negative numbers', ['1', '-5'], false, /^dc0e_1--5$/],
    [
      'uuids',
      ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '7'],
      false,
      /^dc0e_a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11-7$/,
    ],
    ['ambiguous keys, escaped', ['a-b', 'c'], false, /^dc0e_a\\-b-c$/],
    ['hashed keys', ['1', 'x'], true, /^dc0e_[\da-f]{64}$/],
  ])('layout pgstream: %s', (_, values, hashDocIds, expected) => {
    expect(idOf(ref, values, { layout: 'pgstream', hashDocIds })).toMatch(expected);
  });

  test('layout pgstream: a sign beside an empty value is not taken for a separator', () => {
    const [a, b] = [
      ['', '1', '-5'],
      ['-1', '', '5'],
    ].map((key) => idOf(ref, key, { layout: 'pgstream' }));
    expect(a).not.toBe(b);
  });

  test('is the same from columns in any order and from the identity, for any scalar type', () => {
    const ids = new DocumentIds({ layout: 'table' });
    const a = { name: 'a', type: 'bigint', text: '9223372036854775807' };
    const b = { name: 'b', type: 'text', text: 'ñ "quoted", \\ \n' };
    const c = { name: 'c', type: 'boolean', text: 't' };
    const d = { name: 'd', type: 'bytea', text: String.raw`\x00ff41` };
    const e = { name: 'e', type: 'numeric', text: 'NaN' };
    const key = ['b', 'a', 'c', 'd', 'e'];
    const record = recordOf({ key, columns: [a, b, c, d, e], identity: [e, d, c, b, a] });

    const id = ids.documentId(record, 'columns');

    expect(id).toBe('ñ "quoted"\\, \\\\ \n,9223372036854775807,true,AP9B,NaN');
    expect(ids.documentId(record, 'identity')).toBe(id);
  });

  test('is unknown without a key, without the row, and without a column of the key', () => {
    const ids = new DocumentIds({ layout: 'table' });
    const columns = [{ name: 'id', type: 'integer', text: '1' }];
    expect(ids.documentId(recordOf({ key: [], columns }), 'columns')).toBeUndefined();
    expect(ids.documentId(recordOf({ columns }), 'identity')).toBeUndefined();
    expect(ids.documentId(recordOf({ key: ['id', 'tenant'], columns }), 'columns')).toBeUndefined();
    expect(ids.documentId(recordOf({ columns }), 'columns')).toBe('1');
  });
});
