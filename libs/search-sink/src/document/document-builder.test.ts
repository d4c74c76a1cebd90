import fc from 'fast-check';
import { recordOf, type Cell } from '../../test/fake-record.ts';
import { ByteSink, DocumentBuilder, type PreviousDocument } from './index.ts';

const id: Cell = { name: 'id', type: 'integer', text: '7' };
const big: Cell = { name: 'big', type: 'jsonb', text: '{"n": 1.10}' };
const note: Cell = { name: 'note', type: 'text', text: 'x' };

function build(
  builder: DocumentBuilder,
  row: Parameters<typeof recordOf>[0],
  previous?: PreviousDocument,
): string {
  const out = new ByteSink(8);
  builder.build(out, recordOf(row), '5', previous);
  return out.view().toString();
}

function document(json: string): PreviousDocument {
  const bytes = Buffer.from(`  ${json}\n`);
  return { bytes, start: 2, end: bytes.length - 1 };
}

describe('document of a row', () => {
  const tail = '"_pgstream":{"table":"app.orders","version":5';

  test('names its fields by the columns, also where a field name could not be one', () => {
    const columns = ['a.b', '_id', '_pgstream', '50%', '  ', 'ñ "q"'].map((name) => ({ ...note, name }));
    expect(build(new DocumentBuilder({ layout: 'table' }), { columns })).toBe(
      String.raw`{"a%2Eb":"x","%5Fid":"x","%5Fpgstream":"x","50%25":"x","%20%20":"x","ñ \"q\"":"x",${tail}}}`,
    );
  });

  test('layout pgstream: names its fields by column ids, with numbers and json as the original has them', () => {
    const price = { name: 'price', type: 'numeric', text: '12345678901234567890.10' };
    expect(build(new DocumentBuilder({ layout: 'pgstream' }), { columns: [id, price, big] })).toBe(
      `{"_table":"t","t-id":7,"t-price":12345678901234567890.10,"t-big":"{\\"n\\": 1.10}",${tail}}}`,
    );
  });

  test('says its place in a transaction once versions no longer do', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    expect(build(builder, { columns: [note], seq: 4094 })).toBe(`{"note":"x",${tail}}}`);
    expect(build(builder, { columns: [note], seq: 4095 })).toBe(`{"note":"x",${tail},"seq":4095}}`);
  });

  test('of one table does not leak into that of the next', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    build(builder, { table: 'a', columns: [{ ...id, type: 'real', text: 'NaN' }], unchanged: ['big'] });
    expect(build(builder, { columns: [note] })).toBe(`{"note":"x",${tail}}}`);
    expect([builder.ignored, builder.incomplete]).toEqual([[], []]);
  });

  test('takes unchanged TOAST from the newest document, byte for byte, with its notes', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    const previous = document(
      '{"id":7,"big":{"n": 1.10},"a%2Eb":null,"_pgstream":{"version":1,"ignored":["a%2Eb","id"]}}',
    );
    const row = { columns: [id], unchanged: ['big', 'a.b', 'lost'] };

    expect(builder.needsPrevious(recordOf(row))).toBe(true);
    expect(build(builder, row, previous)).toBe(
      `{"id":7,"big":{"n": 1.10},"a%2Eb":null,${tail},"incomplete":["lost"],"ignored":["a%2Eb"]}}`,
    );
    expect(builder.incomplete).toEqual(['lost']);
  });

  test('without any document says which columns it lacks', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    expect(build(builder, { columns: [], unchanged: ['big'] })).toBe(`{${tail},"incomplete":["big"]}}`);
  });

  test('under REPLICA IDENTITY FULL takes unchanged TOAST from the old row', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    const row = { columns: [id], identity: [id, big], unchanged: ['big'] };

    expect(builder.needsPrevious(recordOf(row))).toBe(false);
    expect(build(builder, row)).toBe(`{"id":7,"big":{"n": 1.10},${tail}}}`);
  });

  test('layout pgstream: finds the id of an unchanged column in the shape of the table', () => {
    const builder = new DocumentBuilder({ layout: 'pgstream' });
    builder.setShape('t', [{ id: 't-3', name: 'big', type: 'jsonb', base_type: 'jsonb' }]);
    expect(build(builder, { columns: [id], unchanged: ['big'] }, document('{"t-3":"{}"}'))).toBe(
      `{"_table":"t","t-id":7,"t-3":"{}",${tail}}}`,
    );
  });

  test('follows a shape that was replaced, and ignores one of another type', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    const record = recordOf({ columns: [{ ...note, type: 'app.span', text: '1 day' }] });
    const shaped = (type: string): string => {
      builder.setShape('t', [{ id: 't-note', name: 'note', type, base_type: 'interval' }]);
      const out = new ByteSink();
      builder.build(out, record, '5');
      return out.view().toString();
    };
    expect(shaped('app.other')).toBe(`{"note":"1 day",${tail}}}`);
    expect(shaped('app.span')).toBe(`{"note":"P1D",${tail}}}`);
  });

  test('is one line of JSON whatever the texts', () => {
    const builder = new DocumentBuilder({ layout: 'table' });
    const cell = fc.record({
      name: fc.string({ unit: 'binary', minLength: 1 }).filter((name) => !name.includes('\0')),
      type: fc.constantFrom(
        'text',
        'integer[]',
        'date',
        'interval',
        'public.hstore',
        'int4range',
        'money',
        'app.x',
      ),
      text: fc.option(fc.string({ unit: 'binary' })),
    });
    fc.assert(
      fc.property(fc.uniqueArray(cell, { selector: ({ name }) => name }), (columns) => {
        const json = build(builder, { columns });
        expect(json).not.toMatch(/[\r\n]/);
        expect(Object.keys(JSON.parse(json))).toHaveLength(columns.length + 1);
      }),
    );
  });
});
