import { PassThrough } from 'node:stream';
import { endpoints, readDocuments, waitFor } from '@pgstream/test-kit';
import { decodeRecord, type ChangeRecord, type RecordValue } from '@pgstream/wal-event';
import { DirectPath } from '../direct-path.ts';
import {
  MATRIX_COLUMNS,
  MATRIX_ROWS,
  MATRIX_TYPES,
  matrixFields,
  matrixRow,
  VALUE_MATRIX,
} from '../value-matrix.ts';

const { postgresUrls, searchUrl } = endpoints();
const names = VALUE_MATRIX.map((_, i) => `c${i}`);

/** Everything that changes how a session prints values, for the role and for the database. */
const SETTINGS = [
  "datestyle = 'SQL, DMY'",
  "timezone = 'America/New_York'",
  "intervalstyle = 'iso_8601'",
  'extra_float_digits = -5',
  "bytea_output = 'escape'",
  "lc_monetary = 'C.UTF-8'",
];

const BEFORE = `${MATRIX_TYPES}
  CREATE ROLE %db_role LOGIN SUPERUSER PASSWORD '%db_role';
  ${SETTINGS.map((one) => `ALTER ROLE %db_role SET ${one}; ALTER DATABASE %db SET ${one};`).join('\n')}`;

describe.each([15, 16, 17, 18] as const)('values on PostgreSQL %d', (version) => {
  let path: DirectPath;
  const records: ChangeRecord[] = [];

  beforeAll(async () => {
    path = await DirectPath.create(`values${version}`, {
      serverUrl: postgresUrls[version],
      before: BEFORE,
      role: '%db_role',
    });
    await path.init(`${path.name}_records`);
    path.run();
    readRecords();
    await path.sql.query(`CREATE TABLE v (id int PRIMARY KEY, touched int NOT NULL, ${MATRIX_COLUMNS});
                          ALTER TABLE v REPLICA IDENTITY FULL`);
    for (let row = 0; row < MATRIX_ROWS; row++) {
      await path.sql.query(`INSERT INTO v VALUES (${row}, 0, ${matrixRow(row)})`);
    }
    await path.sql.query('UPDATE v SET touched = 1');
    await path.settled();
  });

  afterAll(async () => {
    await path.close();
  });

  /** A second slot, read as the role whose settings differ. */
  function readRecords(): void {
    const lines = new PassThrough();
    let rest = '';
    lines.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) records.push(decodeRecord(Buffer.from(line)));
    });
    path.run(
      { PGSTREAM_TARGET: 'stdout', PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: `${path.name}_records` },
      lines,
    );
  }

  test('inserted, updated and old rows read as the server prints them, whatever role and database set', async () => {
    await waitFor('the records', () => records.filter(({ action }) => action === 'U').length === MATRIX_ROWS);
    const printed = await printedRows();
    for (const record of records.filter(({ table }) => table === 'v')) {
      for (const row of [record.columns, record.identity]) {
        if (row === null) continue;
        const id = Number(textOf(row[0]!.value, ''));
        expect([record.action, id, ...row.slice(2).map(({ type, value }) => textOf(value, type))]).toEqual([
          record.action,
          id,
          ...printed[id]!,
        ]);
      }
    }
    expect(records.filter(({ action }) => action === 'I')).toHaveLength(MATRIX_ROWS);
  });

  test('fields show what the tables hold, digit for digit', async () => {
    const shown = new Map<number, string[]>();
    for await (const document of readDocuments(searchUrl, path.indexOf('v'))) {
      shown.set(
        Number(document.get('id')),
        names.map((name) => document.get(name) ?? 'absent'),
      );
    }
    expect(shown.size).toBe(MATRIX_ROWS);
    for (let row = 0; row < MATRIX_ROWS; row++) expect(shown.get(row)).toEqual(matrixFields(row));
  });

  /** By the type's own output, in a session with the documented settings. */
  async function printedRows(): Promise<(string | null)[][]> {
    const texts = names.map(
      (name) => `CASE WHEN num_nulls(${name}) = 0 THEN format('%s', ${name}) END AS ${name}`,
    );
    const { rows } = await path.sql.query(`
      SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'; SET extra_float_digits = 3;
      SET bytea_output = hex; SET lc_monetary = 'C'; SELECT ${texts.join(', ')} FROM v ORDER BY id`);
    return rows.map((row) => names.map((name) => (typeof row[name] === 'string' ? row[name] : null)));
  }
});

/** Back to the server's text. */
function textOf(value: RecordValue, type: string): string | null {
  if (value === null) return null;
  if (typeof value === 'object') return value.raw;
  if (typeof value === 'boolean') return value ? 't' : 'f';
  return type === 'bytea' ? `\\x${Buffer.from(value, 'base64').toString('hex')}` : value;
}
