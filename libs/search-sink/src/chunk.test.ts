import { RecordBatchBuilder } from '@pgstream/wal-event';
import { Chunk } from './chunk.ts';
import { PhysicalIndex, TableIndex, type TableState } from './table-index.ts';

const STATE: TableState = {
  table_id: 't',
  schema: 's',
  table: 't',
  names: [],
  alias: 's.t',
  index: 's.t-t',
  generation: 1,
  version: '0',
  epoch: 1,
  columns: [],
  stale: [],
  dropped: false,
  copying_from: null,
  retyped_fields: [],
};

function setup() {
  const chunk = new Chunk();
  const index = new PhysicalIndex({ writeAlias: 'w', name: 's.t-t', generation: 1, properties: {} });
  const table = new TableIndex(STATE, index);
  const batch = new RecordBatchBuilder(16);
  const add = (id: string, version: bigint, lines: string) => {
    const start = chunk.out.length;
    chunk.out.writeUtf8(lines);
    chunk.add({ table, id, version, sourceStart: start, batch, record: 0 }, start);
  };
  return { chunk, table, add };
}

test('a later action for a document takes the place of the earlier one, wherever it stands', () => {
  const { chunk, add } = setup();
  add('1', 1n, 'one\n');
  add('2', 1n, 'two\n');
  add('1', 2n, 'one again\n');
  expect(chunk.live).toBe(2);
  expect(chunk.bodyOf(chunk.liveActions()).toString()).toBe('two\none again\n');
});

test('an older action is not accepted over a newer one; one of the same version is', () => {
  const { chunk, table, add } = setup();
  add('1', 5n, 'five\n');
  expect(chunk.accepts(table, '1', 4n)).toBe(false);
  expect(chunk.accepts(table, '1', 5n)).toBe(true);
  expect(chunk.accepts(table, '2', 1n)).toBe(true);
});

test('a reset chunk is empty and forgets its documents', () => {
  const { chunk, table, add } = setup();
  add('1', 5n, 'five\n');
  chunk.reset();
  expect([chunk.count, chunk.live, chunk.out.length, chunk.find(table, '1')]).toEqual([0, 0, 0, -1]);
});
