import type { KnownColumn, KnownTable } from './known-table.ts';
import { diffTable } from './shape-diff.ts';

const idOf = (oid: number): string => `t${oid}`;

function column(attnum: number, rest: Partial<KnownColumn> = {}): KnownColumn {
  return {
    attnum,
    name: `c${attnum}`,
    type: 'text',
    type_oid: 25,
    type_mod: -1,
    base_oid: 25,
    base_type: 'text',
    attributes: null,
    nullable: true,
    default: null,
    generated: false,
    identity: null,
    unique: false,
    metadata: null,
    missing: null,
    ...rest,
  };
}

const TABLE: KnownTable = {
  oid: 1,
  schema_oid: 2,
  schema: 's',
  name: 't',
  captured: true,
  replica_identity: 'd',
  primary_key: [1],
  identity: [1],
  partitions: null,
  columns: [column(1), column(2)],
};

function withColumns(...columns: KnownColumn[]): KnownTable {
  return { ...TABLE, columns };
}

test('a table nobody knew is created, the same table is no change', () => {
  expect(diffTable(undefined, TABLE, idOf)).toMatchObject({
    kind: 'table_created',
    table: { table_id: 't1' },
  });
  expect(diffTable(TABLE, { ...TABLE }, idOf)).toBeNull();
});

test.each([
  ['generated', [column(1), column(2), column(3, { generated: true, default: 'c1' })]],
  ['volatile_default', [column(1), column(2), column(3, { default: 'random()' })]],
  ['volatile_default', [column(1), column(2), column(3, { identity: 'ALWAYS' as const })]],
  ['retyped', [column(1), column(2, { type: 'integer', type_oid: 23 })]],
  ['generated', [column(1), column(2, { generated: true })]],
])('%s makes stored rows stale', (reason, columns) => {
  expect(diffTable(TABLE, withColumns(...columns), idOf)).toMatchObject({ stale: [reason] });
});

test('a constant default is told with the added column; dropping and renaming go by attnum', () => {
  const after = withColumns(
    column(1, { name: 'x' }),
    column(3, { name: 'c2', default: `'n'::text`, missing: 'n' }),
  );
  expect(diffTable(TABLE, after, idOf)).toMatchObject({
    added: [{ id: 't1-3', name: 'c2', constant_default: 'n' }],
    dropped: [{ id: 't1-2', name: 'c2' }],
    renamed: [{ id: 't1-1', from: 'c1', to: 'x' }],
    retyped: [],
    stale: [],
  });
});

test('a renamed type is not another type', () => {
  const after = withColumns(column(1), column(2, { type: 's.mood2', base_type: 's.mood2' }));
  expect(diffTable(TABLE, after, idOf)).toMatchObject({ kind: 'table_altered', retyped: [], stale: [] });
});

test('a change of key is told even when the columns are the same', () => {
  expect(diffTable(TABLE, { ...TABLE, primary_key: [2], identity: [2] }, idOf)).toMatchObject({
    key_changed: true,
    stale: ['key_changed'],
  });
});
