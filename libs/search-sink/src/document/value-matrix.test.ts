import { recordOf } from '../../test/fake-record.ts';
import { VALUE_MATRIX } from '../../test/value-matrix.ts';
import { ByteSink, DocumentBuilder, expectedFieldOf, mappingOf } from './index.ts';

describe('value matrix', () => {
  const cases = VALUE_MATRIX.map((line) => [line.type, line.text.slice(0, 60), line] as const);

  test.each(cases)('%s %s is a field of a document', (type, _, { text, field, mapping, lossy, shape }) => {
    const builder = new DocumentBuilder({ layout: 'table' });
    const column = { id: 't-v', name: 'v', type, ...shape };
    builder.setShape('t', [column]);
    const out = new ByteSink(16);

    builder.build(out, recordOf({ columns: [{ name: 'v', type, text, ...(shape && { shape }) }] }), '42');

    const ignored = lossy === true ? ',"ignored":["v"]' : '';
    expect(out.view().toString()).toBe(
      `{"v":${field},"_pgstream":{"table":"app.orders","version":42${ignored}}}`,
    );
    expect(mappingOf([column], 'table')['v']?.['type']).toBe(mapping);
    expect(expectedFieldOf(type, text, shape === undefined ? {} : { shape })).toBe(field);
  });
});
