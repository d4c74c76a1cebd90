import { parseLsn, type SchemaChange, type ShapeChange } from '@pgstream/wal-event';
import { filterChange, schemaEvent } from './schema-records.ts';

const dropped = (name: string): ShapeChange => ({
  kind: 'table_dropped',
  table_id: `id-${name}`,
  schema: 'app',
  name,
});
const change = (...changes: ShapeChange[]): SchemaChange => ({
  ddl: 'DROP TABLE a, b',
  schema_name: 'app',
  command_tag: 'DROP TABLE',
  objects: [],
  schema_log: null,
  source: 'trigger',
  changes,
});
const onlyA = { includes: (_schema: string, table: string) => table === 'a' };

test('of a change only what concerns emitted tables is passed on', () => {
  expect(filterChange(change(dropped('a'), dropped('b')), onlyA)?.changes).toEqual([dropped('a')]);
  expect(filterChange(change(dropped('b')), onlyA)).toBeNull();
  expect(filterChange(change(), onlyA)).toEqual(change());
});

test('a change of one table is routed like its rows, any other like its schema', () => {
  const at = { commitLsn: parseLsn('0/5'), seq: 3, sub: 0 as const };
  expect(schemaEvent(change(dropped('a')), at, 4n)).toMatchObject({
    lsn: 4n,
    seq: 3,
    sub: 0,
    prefix: 'pgstream.ddl',
    table: { schema: 'app', table: 'a', tableId: 'id-a' },
  });
  expect(schemaEvent(change(dropped('a'), dropped('b')), at, 4n).table).toMatchObject({
    schema: 'app',
    table: '',
  });
});
