import { expectedFieldOf } from '@pgstream/search-sink';
import { compareTable } from '@pgstream/test-kit';
import type { Screen } from '../product/screen.ts';
import type { World } from './world.ts';

/** Every table against its index, row by row, field by field, in both directions. */
export async function verify(world: World, screen: Screen): Promise<void> {
  screen.title('Tables = index?');
  const tables = await world.sql.query(
    `SELECT n.nspname AS schema, c.relname AS "table"
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pgstream')
      ORDER BY 1, 2`,
  );
  const tick = screen.progress('comparing', tables.rows.length);
  let [rows, documents, different] = [0, 0, 0];
  for (const [i, entry] of tables.rows.entries()) {
    const [schema, table] = [String(entry['schema']), String(entry['table'])];
    const result = await compareTable({
      sql: world.sql,
      searchUrl: world.searchUrl,
      schema,
      table,
      fieldOf: expectedFieldOf,
    });
    rows += result.rows;
    documents += result.documents;
    different += result.differences.length;
    for (const difference of result.differences) screen.note(`${result.table}: ${difference}`);
    tick(i + 1);
  }
  const equal = different === 0 && rows === documents;
  screen.note(
    `tables ${equal ? '=' : '≠'} index: ${tables.rows.length} tables, ${rows} rows, ${documents} documents, ${different} differences`,
  );
  screen.check({ name: 'rows in the tables', value: rows, unit: 'rows', target: 100_000 }, rows >= 100_000);
  screen.check(
    {
      name: 'documents without a row, rows without a document',
      value: Math.abs(rows - documents),
      unit: 'rows',
      target: 0,
    },
    rows === documents,
  );
  screen.check({ name: 'differences, field by field', value: different, unit: 'fields', target: 0 }, equal);
}
