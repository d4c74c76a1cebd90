import { RowLedger } from './row-ledger.ts';
import { debeziumRow, pgstreamRow } from './row-of.ts';
import type { Row } from './peer.ts';

const row = (id: number, version: number): Row => ({ id, version });
/** Two keys, inserted and updated, and the row that ends the log. */
const WRITTEN = [row(0, 1), row(1, 1), row(0, 2), row(1, 2), row(2, 1)];

function ledgerOf(log: readonly Row[]): RowLedger {
  const ledger = new RowLedger(2);
  for (const entry of log) ledger.note(entry);
  return ledger;
}

test('a log that has every row once and in order has nothing against it', () => {
  const ledger = ledgerOf(WRITTEN);
  expect(ledger.findings()).toEqual({ lost: 0, duplicates: 0, misordered: 0 });
  expect(ledger.isEnded).toBe(true);
});

test.each(WRITTEN)('a log without key $id in version $version has lost one row', ({ id, version }) => {
  const log = WRITTEN.filter((entry) => entry.id !== id || entry.version !== version);
  expect(ledgerOf(log).findings()).toEqual({ lost: 1, duplicates: 0, misordered: 0 });
});

test('a log without its last row has not ended', () => {
  expect(ledgerOf(WRITTEN.slice(0, -1)).isEnded).toBe(false);
});

test('a system that goes back and writes three rows again has three duplicates, and nothing out of order', () => {
  const log = [...WRITTEN.slice(0, 3), ...WRITTEN];
  expect(ledgerOf(log).findings()).toEqual({ lost: 0, duplicates: 3, misordered: 0 });
});

test('a row that comes three times is two duplicates', () => {
  expect(ledgerOf([...WRITTEN, row(1, 1), row(1, 1)]).findings().duplicates).toBe(2);
});

test('a first state behind the second is out of order', () => {
  const log = [row(1, 1), row(0, 2), row(0, 1), row(1, 2), row(2, 1)];
  expect(ledgerOf(log).findings()).toEqual({ lost: 0, duplicates: 0, misordered: 1 });
});

test('keys do not order one another', () => {
  const log = [row(1, 1), row(1, 2), row(0, 1), row(0, 2), row(2, 1)];
  expect(ledgerOf(log).findings().misordered).toBe(0);
});

test.each([row(3, 1), row(-1, 1), row(0, 0), row(0, 3), row(2, 2), row(0.5, 1), row(0, NaN)])(
  'key $id in version $version is refused: nobody wrote it',
  (entry) => {
    expect(() => ledgerOf([entry])).toThrow('nobody has written');
  },
);

describe('records', () => {
  const ours = {
    action: 'U',
    table: 'batched',
    columns: [
      { id: 'x-1', name: 'id', value: 7 },
      { id: 'x-2', name: 'version', value: 2 },
    ],
  };
  const plain = { before: null, after: { id: 7, version: 2 }, source: { table: 'batched' }, op: 'u' };

  test('both pgstreams name columns', () => {
    expect(pgstreamRow(JSON.stringify(ours), 'batched')).toEqual(row(7, 2));
  });

  test.each([plain, { schema: { type: 'struct' }, payload: plain }])(
    'Debezium’s with and without schema: %j',
    (record) => {
      expect(debeziumRow(JSON.stringify(record), 'batched')).toEqual(row(7, 2));
    },
  );

  test('what is of another table, or of none, is no row', () => {
    expect(pgstreamRow(JSON.stringify(ours), 'other')).toBeUndefined();
    expect(debeziumRow(JSON.stringify(plain), 'other')).toBeUndefined();
    expect(pgstreamRow('{"action":"M","table":"","columns":null}', 'batched')).toBeUndefined();
    expect(debeziumRow('{"op":"m"}', 'batched')).toBeUndefined();
  });
});
