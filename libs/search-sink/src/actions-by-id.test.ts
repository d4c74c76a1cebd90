import fc from 'fast-check';
import { ActionsById } from './actions-by-id.ts';
import { PhysicalIndex, TableIndex } from './table-index.ts';

const index = new PhysicalIndex({ writeAlias: 'w', name: 'i', generation: 1, properties: {} });
const tables = ['a', 'b'].map(
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only told apart
  (id) => new TableIndex({ table_id: id, version: '0' } as unknown as TableIndex['state'], index),
);

test('it finds what a map by table and id would find, through growth and after being emptied', () => {
  const id = fc.oneof(
    fc.nat(5_000).map(String),
    fc.string(),
    fc.nat(50).map((n) => `${'x'.repeat(600)}${n}`),
    fc.nat(50).map((n) => `${n}${'x'.repeat(600)}`),
  );
  const rounds = fc.array(fc.array(fc.tuple(fc.nat(1), id), { maxLength: 3_000 }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(rounds, (wanted) => {
      const actions: { tables: TableIndex[]; ids: string[] } = { tables: [], ids: [] };
      const byId = new ActionsById(actions);
      for (const entries of wanted) {
        const model = new Map<string, number>();
        for (const [which, text] of entries) {
          const { [which]: table } = tables;
          if (table === undefined) throw new Error('no such table');
          expect(byId.find(table, text)).toBe(model.get(`${which} ${text}`) ?? -1);
          const at = actions.ids.length;
          byId.set(table, text, at);
          model.set(`${which} ${text}`, at);
          actions.tables.push(table);
          actions.ids.push(text);
        }
        const again = [...model.keys()].map((key) => [tables[Number(key[0])], key.slice(2)] as const);
        const found = again.map(([table, text]) => (table === undefined ? -2 : byId.find(table, text)));
        expect(found).toEqual([...model.values()]);
        byId.clear();
        actions.tables.length = 0;
        actions.ids.length = 0;
      }
    }),
    { numRuns: 60 },
  );
});
