import { tableIdOf } from './table-ids.ts';

const SOURCE = { systemId: '7412345678901234567', databaseOid: 16384, epoch: 1 };

test('an id is 20 characters of base32hex, the same for ever', () => {
  expect(tableIdOf(SOURCE, 16390)).toMatch(/^[0-9a-v]{20}$/);
  expect(tableIdOf(SOURCE, 16390)).toBe(tableIdOf({ ...SOURCE }, 16390));
});

test('another table, database, cluster or epoch has another id', () => {
  const ids = [
    tableIdOf(SOURCE, 16390),
    tableIdOf(SOURCE, 16391),
    tableIdOf({ ...SOURCE, databaseOid: 16385 }, 16390),
    tableIdOf({ ...SOURCE, systemId: '7412345678901234568' }, 16390),
    tableIdOf({ ...SOURCE, epoch: 2 }, 16390),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
