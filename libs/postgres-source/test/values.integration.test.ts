import { encodingOfType, type RecordValue } from '@pgstream/wal-event';
import { endpoints } from '@pgstream/test-kit';
import { Reader } from './reader.ts';
import { SlotDatabase } from './slot-database.ts';

const { postgresUrls } = endpoints();

/** A type and texts of it that something has been known to lose. */
const VALUES: readonly (readonly [type: string, ...texts: string[]])[] = [
  ['smallint', '-32768', '32767'],
  ['int', '-2147483648', '0'],
  ['bigint', '9223372036854775807', '-9223372036854775808'],
  ['oid', '4294967295'],
  [
    'numeric',
    'NaN',
    'Infinity',
    '-Infinity',
    '-0.5000',
    '12345678901234567890.123456789012345678901234567890',
    '1e-50',
  ],
  ['numeric(20,4)', '1234567890123456.7000'],
  ['real', 'NaN', '-Infinity', '1e-45', '3.4028235e+38'],
  ['double precision', 'Infinity', '0.30000000000000004', '5e-324', '-0'],
  ['money', '-1234.5'],
  ['boolean', 'true', 'false'],
  ['interval', '1 year 2 mons -3 days 04:05:06.789', '-1 mons +1 day', '0'],
  ['date', 'infinity', '0044-03-15 BC', '5874897-12-31', '2024-02-29'],
  [
    'timestamp',
    '-infinity',
    '0001-01-01 00:00:00 BC',
    '294276-12-31 23:59:59.999999',
    '2024-05-05 04:00:00.000001',
  ],
  ['timestamp(3)', '2024-05-05 04:00:00.5'],
  ['timestamptz', 'infinity', '2024-05-05 04:00:00.123456+05:30', '0044-03-15 12:00:00+00 BC'],
  ['time', '24:00:00', '00:00:00.000001'],
  ['timetz', '24:00:00-14:59', '12:00:00+05:30:15'],
  ['bytea', '\\x', '\\x00ff41', '\\x5c22'],
  ['bit(5)', '10101'],
  ['varbit', '', '1'],
  ['text', '', 'a"b\\c\n\r\t\u0001\u007f', '😀 \u2028 \ufffd', 'x'.repeat(200)],
  ['char(5)', 'ab'],
  ['varchar(10)', 'ab   '],
  ['name', 'a name'],
  ['"char"', 'x'],
  ['json', '{"a": 1.0e400, "a": "\\u0000", "b":  [1 ,2]}', 'null', '"x"'],
  ['jsonb', '{"z": 1.10, "a": 12345678901234567890}'],
  ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['inet', '192.168.0.1/24', '::1'],
  ['cidr', '10.0.0.0/8'],
  ['macaddr', '08:00:2b:01:02:03'],
  ['pg_lsn', '16/B374D848'],
  ['int[]', '{}', '[0:1]={7,8}', '{1,NULL,3}', '{{1,2},{3,4}}'],
  ['text[]', '{{a,NULL},{"x,y","q\\"r"}}', '{"",null,"null"}'],
  ['timestamptz[]', '{"2020-01-01 00:00:00+02"}'],
  ['bytea[]', '{"\\\\x00ff"}'],
  ['int4range', '[1,5)', 'empty', '(,)'],
  ['numrange', '(,3.14]'],
  ['tstzrange', '["2020-01-01 00:00:00+02",infinity)'],
  ['int4multirange', '{[1,3),[7,9)}', '{}'],
  ['tsvector', "'a':1A 'b':2"],
  ['tsquery', "'a' & !'b'"],
  ['xml', '<a b="c">é</a>'],
  ['point', '(1.5,-2)'],
  ['path', '((0,0),(1,1))'],
  ['polygon', '((0,0),(1,1),(1,0))'],
  ['circle', '<(0,0),2>'],
  ['mood', "it's ok"],
  ['amount', '5'],
  ['pair', '(1,"x,""y",{1.5})', '(,,)'],
  ['pair[]', '{"(1,a,{})","(,,)"}'],
];

const TYPES = `CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN amount AS int CHECK (VALUE > 0);
               CREATE TYPE pair AS (a int, b text, c numeric[]);`;

let database: SlotDatabase;
let reader: Reader;

afterEach(async () => {
  await reader.stop();
  await database.drop();
});

test.each([15, 16, 17, 18] as const)(
  'on PostgreSQL %d every value reads as the server prints it',
  async (version) => {
    const columns = VALUES.map(([type], i) => `c${i} ${type}`).join(', ');
    database = await SlotDatabase.create(
      postgresUrls[version],
      `${TYPES} CREATE TABLE v(id int PRIMARY KEY, ${columns})`,
    );
    const rows = Math.max(...VALUES.map((texts) => texts.length - 1));
    for (let row = 0; row < rows; row++) {
      const texts = VALUES.map(([, ...all]) => all[row]);
      const values = texts.map((text) => (text === undefined ? 'NULL' : `'${text.replaceAll("'", "''")}'`));
      await database.sql(`INSERT INTO v VALUES (${row}, ${values.join(', ')})`);
    }
    reader = new Reader(database);
    const seen = await reader.records(rows);
    const printed = await printedRows();
    const [relation] = reader.history.relations;
    for (const [row, { record }] of seen.entries()) {
      const read = record.columns!.map(({ value }, i) => textOf(value, relation!.columns[i]!.typeOid));
      expect(read).toEqual(Object.values(printed[row]!));
    }
  },
);

/** As a session with the documented settings prints them. */
async function printedRows(): Promise<Record<string, string | null>[]> {
  // By the type's own output: a cast to text drops the padding of char(n) and completes inet
  const texts = VALUES.map((_, i) => `CASE WHEN num_nulls(c${i}) = 0 THEN format('%s', c${i}) END AS c${i}`);
  await database.sql(`SET datestyle = ISO; SET intervalstyle = postgres; SET timezone = 'UTC'; SET extra_float_digits = 3;
                      SET bytea_output = hex; SET lc_monetary = 'C'`);
  return database.sql(`SELECT id::text, ${texts.join(', ')} FROM v ORDER BY v.id`);
}

/** Back to the server's text. */
function textOf(value: RecordValue, typeOid: number): string | null {
  if (value === null) return null;
  if (typeof value === 'object') return value.raw;
  if (typeof value === 'boolean') return value ? 't' : 'f';
  return encodingOfType(typeOid) === 'bytea' ? `\\x${Buffer.from(value, 'base64').toString('hex')}` : value;
}
