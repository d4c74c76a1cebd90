import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDir, startStack, stopStack, waitFor } from '@pgstream/test-kit';
import { Product } from '../product/product.ts';
import type { Screen } from '../product/screen.ts';
import { openSql } from '../product/sql.ts';

const NAME = 'demo-direct';

/** Without Java: PostgreSQL to a local NDJSON file, joined in one process. */
export async function direct(screen: Screen, stayUp: (url: string) => Promise<void>): Promise<void> {
  screen.title('PostgreSQL to a file, in one process');
  const stack = await screen.step('PostgreSQL started', () =>
    startStack({ name: NAME, postgres: [17], java: false }),
  );
  const url = stack.postgres[0]?.url ?? '';
  const dir = join(cacheDir(), 'data', NAME, 'product');
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const file = join(dir, 'changes.ndjson');
  const product = new Product({
    dir,
    environment: { PGSTREAM_POSTGRES_LISTENER_URL: url, PGSTREAM_NDJSON_FILE: file },
  });
  const sql = await openSql(url, 'demo');
  try {
    await screen.step('pgstream init', async () => product.command('init') && undefined);
    await screen.step('pgstream run', async () => void (await product.start('cli', 'pgstream', 'run')));
    await screen.step('CREATE TABLE, INSERT, UPDATE, DELETE, each a line of the file', async () => {
      await sql.query('CREATE TABLE productos (id SERIAL PRIMARY KEY, nombre TEXT, precio NUMERIC)');
      await sql.query("INSERT INTO productos (nombre, precio) VALUES ('Laptop Pro 2026', 2500.00)");
      await sql.query('UPDATE productos SET precio = 2400 WHERE id = 1');
      await sql.query('DELETE FROM productos WHERE id = 1');
      await waitFor('the delete', () => actions(file).endsWith('IUD'));
    });
    const seen = actions(file);
    screen.note(`actions in ${file}: ${seen}`);
    screen.check(
      { name: 'records in the file', value: seen.length, unit: 'records', target: 4 },
      seen.endsWith('IUD'),
    );
    await stayUp(url);
  } finally {
    await sql.end();
    await product.stopAll();
    await stopStack(NAME);
  }
}

function actions(file: string): string {
  try {
    return readFileSync(file, 'utf8')
      .replaceAll(/^\{"action":"(.)".*$/gm, '$1')
      .replaceAll('\n', '');
  } catch {
    return '';
  }
}
