import type { Screen } from '../product/screen.ts';
import type { World } from './world.ts';

const INDEX = 'public.productos';

/** The shop of the tutorial: a table that appears, grows a column, changes and is emptied, found by `_search`. */
export async function shop(world: World, screen: Screen): Promise<void> {
  screen.title('The shop: data and schema arrive together');
  await screen.step('CREATE TABLE productos, INSERT, found by _search', () => create(world));
  await screen.step('ALTER TABLE … ADD COLUMN stock INTEGER DEFAULT 0: mapped, filled', () =>
    addColumn(world),
  );
  await screen.step('UPDATE stock = 50: the new field is found', () => update(world));
  await screen.step('UPDATE of one column beside a big unchanged text (TOAST)', () => bigText(world));
  await screen.step('UPDATE of the key: the old document goes, the new one comes', () => changeKey(world));
  await screen.step('DELETE', () => remove(world));
  await screen.step('TRUNCATE', () => truncate(world));
}

async function create(world: World): Promise<void> {
  await world.sql.query('CREATE TABLE productos (id SERIAL PRIMARY KEY, nombre TEXT, precio NUMERIC)');
  await world.sql.query("INSERT INTO productos (nombre, precio) VALUES ('Laptop Pro 2026', 2500.00)");
  await world.until('the laptop', async () => {
    const [laptop] = await world.find(INDEX, { range: { precio: { gte: 2_499, lte: 2_501 } } });
    return laptop?.['nombre'] === 'Laptop Pro 2026';
  });
}

async function addColumn(world: World): Promise<void> {
  await world.sql.query('ALTER TABLE productos ADD COLUMN stock INTEGER DEFAULT 0');
  await world.until('the default in the old document', async () => {
    return (await world.find(INDEX, { term: { stock: 0 } })).length === 1;
  });
}

async function update(world: World): Promise<void> {
  await world.sql.query('UPDATE productos SET stock = 50 WHERE id = 1');
  await world.until('stock 50', async () => (await world.find(INDEX, { term: { stock: 50 } })).length === 1);
}

async function bigText(world: World): Promise<void> {
  await world.sql.query('ALTER TABLE productos ADD COLUMN ficha TEXT');
  await world.sql.query('ALTER TABLE productos ALTER COLUMN ficha SET STORAGE EXTERNAL');
  await world.sql.query("UPDATE productos SET ficha = repeat('pantalla 4K ', 2000) WHERE id = 1");
  await world.sql.query('UPDATE productos SET precio = 2400 WHERE id = 1');
  await world.until('the new price beside the whole text', async () => {
    const [laptop] = await world.find(INDEX, { term: { precio: 2_400 } });
    return String(laptop?.['ficha']).length === 24_000;
  });
}

async function changeKey(world: World): Promise<void> {
  await world.sql.query('UPDATE productos SET id = 100 WHERE id = 1');
  await world.until('one document, under the new key', async () => {
    const all = await world.find(INDEX, { match_all: {} });
    return all.length === 1 && all[0]?.['id'] === 100 && String(all[0]['ficha']).length === 24_000;
  });
}

async function remove(world: World): Promise<void> {
  await world.sql.query("INSERT INTO productos (nombre, precio) VALUES ('Ratón', 19.90)");
  await world.until('two documents', async () => (await world.find(INDEX, { match_all: {} })).length === 2);
  await world.sql.query('DELETE FROM productos WHERE id = 100');
  await world.until('one document', async () => (await world.find(INDEX, { match_all: {} })).length === 1);
}

async function truncate(world: World): Promise<void> {
  await world.sql.query('TRUNCATE productos');
  await world.until('no document', async () => (await world.find(INDEX, { match_all: {} })).length === 0);
  await world.sql.query("INSERT INTO productos (nombre, precio, stock) VALUES ('Teclado', 89.00, 7)");
}
