/** A type and values that something has been known to lose: how SQL writes each, and what its field must show. */
export type MatrixColumn = readonly [type: string, ...values: (readonly [sql: string, field: string])[]];

const text = (value: string): readonly [string, string] => [value, JSON.stringify(value)];
const same = (value: string): readonly [string, string] => [value, value];

/** `moods` and the like are made by {@link MATRIX_TYPES}. Fields are JSON, digit for digit. */
export const VALUE_MATRIX: readonly MatrixColumn[] = [
  ['smallint', same('-32768'), same('32767')],
  ['integer', same('-2147483648'), same('2147483647')],
  ['bigint', same('9223372036854775807'), same('-9223372036854775808'), same('9007199254740993')],
  ['oid', same('4294967295')],
  [
    'numeric',
    text('12345678901234567890.123456789012345678901234567890'),
    text('-0.5000'),
    ['1e-50', JSON.stringify(`0.${'0'.repeat(49)}1`)],
    ['9'.repeat(1000), JSON.stringify('9'.repeat(1000))],
    ['NaN', 'null'],
    ['-Infinity', 'null'],
  ],
  ['numeric(20,4)', ['1234567890123456.7', '"1234567890123456.7000"']],
  ['real', same('1e-45'), ['3.4028235e38', '3.4028235e+38'], ['NaN', 'null'], ['-Infinity', 'null']],
  [
    'double precision',
    same('0.30000000000000004'),
    same('5e-324'),
    same('-0'),
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['Infinity', 'null'],
  ],
  ['money', ['-1234.5', '"-1234.50"'], ['92233720368547758.07', '"92233720368547758.07"']],
  ['boolean', ['t', 'true'], ['f', 'false']],
  [
    'interval',
    ['1 year 2 mons -3 days 04:05:06.789', '"P1Y2M-3DT4H5M6.789S"'],
    ['-1 mons +1 day', '"P-1M1D"'],
    ['0', '"PT0S"'],
  ],
  [
    'date',
    text('2024-02-29'),
    ['0044-03-15 BC', '"-0043-03-15"'],
    ['5874897-12-31', '"+5874897-12-31"'],
    ['infinity', 'null'],
  ],
  [
    'timestamp',
    ['2024-05-05 04:00:00.000001', '"2024-05-05T04:00:00.000001"'],
    ['0001-01-01 00:00:00 BC', '"0000-01-01T00:00:00"'],
    ['294276-12-31 23:59:59.999999', '"+294276-12-31T23:59:59.999999"'],
    ['-infinity', 'null'],
  ],
  ['timestamp(3)', ['2024-05-05 04:00:00.5', '"2024-05-05T04:00:00.5"']],
  [
    'timestamptz',
    ['2024-05-05 04:00:00.123456+05:30', '"2024-05-04T22:30:00.123456Z"'],
    ['0044-03-15 12:00:00+00 BC', '"-0043-03-15T12:00:00Z"'],
    ['infinity', 'null'],
  ],
  ['time', text('24:00:00'), text('00:00:00.000001')],
  ['timetz', text('24:00:00-14:59'), text('12:00:00+05:30:15')],
  ['bytea', ['\\x', '""'], ['\\x00ff41', '"AP9B"'], ['\\x5c22', '"XCI="']],
  ['bit(5)', text('10101')],
  ['varbit', text(''), text('1')],
  ['text', text(''), text('a"b\\c\n\r\t\u0001'), text('😀 \u2028 \ufffd'), text('x'.repeat(40_000))],
  ['char(5)', ['ab', '"ab   "']],
  ['varchar(10)', text('ab   ')],
  ['name', text('a name')],
  ['"char"', text('x')],
  ['citext', text('MiXed')],
  ['ltree', text('a.b.c')],
  [
    'json',
    [
      '{"a": "\\u0000", "b":  [1 ,2], "c": 12345678901234567890}',
      '{"a":"\\u0000","b":[1,2],"c":12345678901234567890}',
    ],
    ['null', 'null'],
    ['{"a": 1, "a": 2}', JSON.stringify('{"a": 1, "a": 2}')],
    ['[1.0e400]', JSON.stringify('[1.0e400]')],
  ],
  [
    'jsonb',
    ['{"z": 1.10, "a": 12345678901234567890}', '{"a":12345678901234567890,"z":1.10}'],
    ['"x"', '"x"'],
  ],
  ['hstore', ['"k"=>"v\\"1", "n"=>NULL', '{"k":"v\\"1","n":null}'], ['', '{}']],
  ['uuid', text('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')],
  ['inet', text('192.168.0.1/24'), text('::1'), text('10.0.0.1')],
  ['cidr', text('10.0.0.0/8')],
  ['macaddr', text('08:00:2b:01:02:03')],
  ['pg_lsn', text('16/B374D848')],
  [
    'int[]',
    ['{}', '[]'],
    ['[0:1]={7,8}', '[7,8]'],
    ['{1,NULL,3}', '[1,null,3]'],
    ['{{1,2},{3,4}}', '[[1,2],[3,4]]'],
  ],
  ['bigint[]', ['{9223372036854775807}', '[9223372036854775807]']],
  [
    'text[]',
    ['{{a,NULL},{"x,y","q\\"r"}}', '[["a",null],["x,y","q\\"r"]]'],
    ['{"",null,"null"}', '["",null,"null"]'],
  ],
  ['timestamptz[]', ['{"2020-01-01 00:00:00.000001+02"}', '["2019-12-31T22:00:00.000001Z"]']],
  ['bytea[]', ['{"\\\\x00ff"}', '["AP8="]']],
  ['int4range', ['[1,5)', '{"gte":1,"lt":5}'], ['empty', 'null'], ['(,)', '{}']],
  ['numrange', ['(,3.14]', '{"lte":"3.14"}']],
  ['tstzrange', ['["2020-01-01 00:00:00+02",infinity)', '{"gte":"2019-12-31T22:00:00Z"}']],
  ['int4multirange', ['{[1,3),[7,9)}', '[{"gte":1,"lt":3},{"gte":7,"lt":9}]'], ['{}', '[]']],
  ['tsvector', text("'a':1A 'b':2")],
  ['tsquery', text("'a' & !'b'")],
  ['xml', text('<a b="c">é</a>')],
  ['point', text('(1.5,-2)')],
  ['path', text('((0,0),(1,1))')],
  ['polygon', text('((0,0),(1,1),(1,0))')],
  ['circle', text('<(0,0),2>')],
  ['mood', text("it's ok")],
  ['mood[]', ['{sad,"it\'s ok"}', '["sad","it\'s ok"]']],
  ['amount', same('5')],
  [
    'pair',
    ['(1,"x,""y",{1.5})', '{"a":1,"b":"x,\\"y","c":["1.5"]}'],
    ['(,,)', '{"a":null,"b":null,"c":null}'],
  ],
  ['pair[]', ['{"(1,a,{})","(,,)"}', '[{"a":1,"b":"a","c":[]},{"a":null,"b":null,"c":null}]']],
];

export const MATRIX_TYPES = `
  CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
  CREATE TYPE mood AS ENUM ('sad', 'it''s ok'); CREATE DOMAIN amount AS int CHECK (VALUE > 0);
  CREATE TYPE pair AS (a int, b text, c numeric[]);`;

/** `c0`, `c1`, … of the matrix's types, in the form of CREATE TABLE. */
export const MATRIX_COLUMNS = VALUE_MATRIX.map(([type], i) => `c${i} ${type}`).join(', ');

/** How many rows hold the whole matrix; columns with fewer values are NULL in the later ones. */
export const MATRIX_ROWS = Math.max(...VALUE_MATRIX.map((column) => column.length - 1));

/** Values of one row as SQL literals. */
export function matrixRow(row: number): string {
  return VALUE_MATRIX.map(([, ...values]) => literal(values[row]?.[0])).join(', ');
}

/** What the fields of one row must show. */
export function matrixFields(row: number): string[] {
  return VALUE_MATRIX.map(([, ...values]) => values[row]?.[1] ?? 'null');
}

function literal(value: string | undefined): string {
  return value === undefined ? 'NULL' : `'${value.replaceAll("'", "''")}'`;
}
