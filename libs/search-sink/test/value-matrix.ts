import type { TypeShape } from '../src/document/index.ts';

/** A value as PostgreSQL prints it, and what its field shows. */
export interface MatrixLine {
  readonly type: string;
  readonly text: string;
  /** JSON text of the field. */
  readonly field: string;
  /** Type of the mapping; `undefined` where the field is an object of its attributes. */
  readonly mapping: string | undefined;
  /** The field shows less, or other, than the value, and the document says so. */
  readonly lossy?: true;
  readonly shape?: TypeShape;
}

const digits = '9'.repeat(131_072);
const nested = (open: string, close: string, levels: number): string =>
  open.repeat(levels) + close.repeat(levels);
const [arrays12, arrays13] = [nested('[', ']', 12), nested('[', ']', 13)];
const [deep500, deep501] = [nested('{"a":[', ']}', 250), `{"b":${nested('{"a":[', ']}', 250)}}`];
const address: TypeShape = {
  base_type: 'composite',
  attributes: [
    { name: 'number', type: 'integer' },
    { name: 'street', type: 'text' },
    { name: 'prices', type: 'numeric[]' },
  ],
};

function lines(
  type: string,
  mapping: string,
  pairs: readonly (readonly [text: string, field: string])[],
): MatrixLine[] {
  return pairs.map(([text, field]) => ({ type, text, field, mapping }));
}

function lost(
  type: string,
  mapping: string,
  pairs: readonly (readonly [text: string, field: string])[],
): MatrixLine[] {
  return pairs.map(([text, field]) => ({ type, text, field, mapping, lossy: true }));
}

const numbers = [
  ...lines('bigint', 'long', [
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
  ]),
  ...lines('integer', 'long', [['-2147483648', '-2147483648']]),
  ...lines('smallint', 'long', [['0', '0']]),
  ...lines('oid', 'long', [['4294967295', '4294967295']]),
  ...lines('numeric', 'double', [
    ['-0.5000', '"-0.5000"'],
    ['12345678901234567890.123456789012345678901', '"12345678901234567890.123456789012345678901"'],
    [digits, `"${digits}"`],
  ]),
  ...lost('numeric', 'double', [
    ['NaN', 'null'],
    ['-Infinity', 'null'],
  ]),
  ...lines('double precision', 'double', [
    ['0.30000000000000004', '0.30000000000000004'],
    ['1e-45', '1e-45'],
    ['1.7976931348623157e+308', '1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
    ['-0', '-0'],
  ]),
  ...lost('double precision', 'double', [
    ['NaN', 'null'],
    ['-Infinity', 'null'],
  ]),
  ...lines('real', 'double', [['1e-45', '1e-45']]),
  ...lost('real', 'double', [['Infinity', 'null']]),
  ...lines('money', 'double', [
    ['-$1,234.50', '"-1234.50"'],
    ['$92,233,720,368,547,758.07', '"92233720368547758.07"'],
  ]),
  ...lost('money', 'double', [['1.234,50 €', 'null']]),
  ...lines('boolean', 'boolean', [
    ['t', 'true'],
    ['f', 'false'],
  ]),
];

const times = [
  ...lines('interval', 'keyword', [
    ['1 year 2 mons -3 days +04:05:06.789', '"P1Y2M-3DT4H5M6.789S"'],
    ['-1 mons +1 day', '"P-1M1D"'],
    ['-00:00:01.5', '"PT-1.5S"'],
    ['100 years', '"P100Y"'],
    ['00:00:00', '"PT0S"'],
    ['-178000000 years', '"P-178000000Y"'],
    ['1 day -1193:02:47.5', '"P1DT-1193H-2M-47.5S"'],
  ]),
  ...lost('interval', 'keyword', [['infinity', 'null']]),
  ...lines('date', 'date', [
    ['2026-11-21', '"2026-11-21"'],
    ['0044-03-15 BC', '"-0043-03-15"'],
    ['0001-01-01 BC', '"0000-01-01"'],
    ['5874897-12-31', '"+5874897-12-31"'],
    ['4713-01-01 BC', '"-4712-01-01"'],
  ]),
  ...lost('date', 'date', [
    ['infinity', 'null'],
    ['-infinity', 'null'],
  ]),
  ...lines('timestamp without time zone', 'date', [
    ['2026-11-21 09:14:10.325235', '"2026-11-21T09:14:10.325235"'],
    ['2026-11-21 09:14:10', '"2026-11-21T09:14:10"'],
    ['0001-01-01 00:00:00 BC', '"0000-01-01T00:00:00"'],
    ['294276-12-31 23:59:59.999999', '"+294276-12-31T23:59:59.999999"'],
  ]),
  ...lines('timestamp(3) with time zone', 'date', [
    ['2026-11-21 09:14:10.325+00', '"2026-11-21T09:14:10.325Z"'],
    ['2026-11-21 09:14:10+00', '"2026-11-21T09:14:10Z"'],
    ['2026-11-21 09:14:10+05:30', '"2026-11-21T09:14:10+05:30"'],
    ['2026-11-21 09:14:10-08', '"2026-11-21T09:14:10-08:00"'],
    ['0044-03-15 12:00:00.5+00 BC', '"-0043-03-15T12:00:00.5Z"'],
    ['12026-11-21 09:14:10+00', '"+12026-11-21T09:14:10Z"'],
  ]),
  ...lost('timestamp with time zone', 'date', [
    ['infinity', 'null'],
    ['-infinity', 'null'],
  ]),
  ...lines('time without time zone', 'keyword', [['24:00:00', '"24:00:00"']]),
  ...lines('time(3) with time zone', 'keyword', [
    ['24:00:00-14:59', '"24:00:00-14:59"'],
    ['12:00:00+05:30:15', '"12:00:00+05:30:15"'],
  ]),
];

const texts = [
  ...lines('text', 'keyword', [
    ['', '""'],
    [
      'ñandú \u{1F600} "quoted" \\ back\nline\ttab\u2028',
      String.raw`"ñandú 😀 \"quoted\" \\ back\nline\ttab` + '\u2028"',
    ],
    ['ab   ', '"ab   "'],
    ['€'.repeat(10_923), `"${'€'.repeat(10_923)}"`],
    ['€'.repeat(40_000), `"${'€'.repeat(40_000)}"`],
  ]),
  ...lines('character(5)', 'keyword', [['ab   ', '"ab   "']]),
  ...lines('"char"', 'keyword', [['x', '"x"']]),
  ...lines('public.citext', 'keyword', [['MiXed', '"MiXed"']]),
  ...lines('"Odd. schema".ltree', 'keyword', [['a.b.c', '"a.b.c"']]),
  ...lines('uuid', 'keyword', [
    ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'],
  ]),
  ...lines('inet', 'keyword', [['::1/64', '"::1/64"']]),
  ...lines('cidr', 'keyword', [['10.0.0.0/8', '"10.0.0.0/8"']]),
  ...lines('macaddr', 'keyword', [['08:00:2b:01:02:03', '"08:00:2b:01:02:03"']]),
  ...lines('pg_lsn', 'keyword', [['16/B374D848', '"16/B374D848"']]),
  ...lines('name', 'keyword', [['pg_class', '"pg_class"']]),
  ...lines('bit(5)', 'keyword', [['10101', '"10101"']]),
  ...lines('bit varying', 'keyword', [['', '""']]),
  ...lines('tsvector', 'keyword', [["'a':1 'b''c':2", `"'a':1 'b''c':2"`]]),
  ...lines('tsquery', 'keyword', [["'a' & !'b'", `"'a' & !'b'"`]]),
  ...lines('xml', 'keyword', [['<a b="c"/>', String.raw`"<a b=\"c\"/>"`]]),
  ...lines('point', 'keyword', [['(1,2)', '"(1,2)"']]),
  ...lines('polygon', 'keyword', [['((0,0),(1,1))', '"((0,0),(1,1))"']]),
  ...lines('circle', 'keyword', [['<(1,2),3>', '"<(1,2),3>"']]),
  ...lines('bytea', 'binary', [
    [String.raw`\x00ff41`, '"AP9B"'],
    [String.raw`\x`, '""'],
  ]),
  { type: 'app.mood', text: 'happy', field: '"happy"', mapping: 'keyword', shape: { base_type: 'enum' } },
  { type: 'app.cents', text: '99', field: '99', mapping: 'long', shape: { base_type: 'integer' } },
  {
    type: 'app.tags',
    text: '{a,NULL}',
    field: '["a",null]',
    mapping: 'keyword',
    shape: { base_type: 'text[]' },
  },
] satisfies MatrixLine[];

const documents = [
  ...lines('jsonb', 'object', [
    ['{"a": 12345678901234567890, "z": 1.10}', '{"a": 12345678901234567890, "z": 1.10}'],
    ['[1, null, {"b": []}]', '[1, null, {"b": []}]'],
    ['"scalar"', '"scalar"'],
    ['1.0000000000000000000001', '1.0000000000000000000001'],
    ['null', 'null'],
    ['true', 'true'],
    ['{"": {".": 2, "_id": 3, "a.b": 1}}', '{"": {".": 2, "_id": 3, "a.b": 1}}'],
    [String.raw`{"\"": 1, "a:b": "}\\\"{["}`, String.raw`{"\"": 1, "a:b": "}\\\"{["}`],
  ]),
  ...lines('json', 'object', [
    ['{"a":\n  [1,\r\n 2]}', '{"a":   [1,   2]}'],
    [String.raw`{"nul":"\u0000"}`, String.raw`{"nul":"\u0000"}`],
    [String.raw`{"pair":"\ud83d\ude00"}`, String.raw`{"pair":"\ud83d\ude00"}`],
    ['{"a":{"k":1},"b":{"k":2}}', '{"a":{"k":1},"b":{"k":2}}'],
    [arrays12, arrays12],
    [`[1.${'1'.repeat(998)}]`, `[1.${'1'.repeat(998)}]`],
    [deep500, deep500],
    [`{"a":${arrays13}}`, `{"a":${arrays13}}`],
  ]),
  ...lost('json', 'object', [
    ['{"a":1,"a":2}', String.raw`"{\"a\":1,\"a\":2}"`],
    [String.raw`{"a":1,"\u0061":2}`, String.raw`"{\"a\":1,\"\\u0061\":2}"`],
    [String.raw`{"half":"\ud83d"}`, String.raw`"{\"half\":\"\\ud83d\"}"`],
    ['[1.0e400]', '"[1.0e400]"'],
    [digits, `"${digits}"`],
    [`[1.${'1'.repeat(999)}]`, `"[1.${'1'.repeat(999)}]"`],
    [arrays13, `"${arrays13}"`],
    [deep501, JSON.stringify(deep501)],
  ]),
  ...lines('public.hstore', 'object', [
    [String.raw`"k"=>"v\"1", "n"=>NULL, "a.b"=>"\\"`, String.raw`{"k":"v\"1","n":null,"a.b":"\\"}`],
    ['', '{}'],
  ]),
  ...lines('public.vector(3)', 'float', [['[1,2.5,-3e-05]', '[1,2.5,-3e-05]']]),
];

const arrays = [
  ...lines('bigint[]', 'long', [
    ['{9223372036854775807,NULL}', '[9223372036854775807,null]'],
    ['{{1,2},{3,4}}', '[[1,2],[3,4]]'],
    ['{}', '[]'],
  ]),
  ...lost('integer[]', 'long', [
    ['[0:1]={7,8}', '[7,8]'],
    ['[-2:-1][3:3]={{7},{8}}', '[[7],[8]]'],
  ]),
  ...lines('text[]', 'keyword', [
    [String.raw`{{a,NULL},{"x,y","q\"r"}}`, String.raw`[["a",null],["x,y","q\"r"]]`],
    ['{"NULL","","{}"," a "}', '["NULL","","{}"," a "]'],
  ]),
  ...lines('numeric(4,2)[]', 'double', [['{1.50,-2.00}', '["1.50","-2.00"]']]),
  ...lost('numeric[]', 'double', [['{1,NaN}', '["1",null]']]),
  ...lost('real[]', 'double', [['{1.5,Infinity}', '[1.5,null]']]),
  ...lines('boolean[]', 'boolean', [['{t,f,NULL}', '[true,false,null]']]),
  ...lines('bytea[]', 'binary', [[String.raw`{"\\x00ff41"}`, '["AP9B"]']]),
  ...lines('timestamp with time zone[]', 'date', [
    ['{"2026-11-21 09:14:10.325235+00",NULL}', '["2026-11-21T09:14:10.325235Z",null]'],
  ]),
  ...lost('date[]', 'date', [['{infinity,2026-11-21}', '[null,"2026-11-21"]']]),
  ...lines('jsonb[]', 'object', [[String.raw`{"{\"a\": 1.10}",NULL}`, '[{"a": 1.10},null]']]),
  ...lines('json[]', 'object', [[`{{{{{{${arrays12}}}}}}}`, `[[[[[[${arrays12}]]]]]]`]]),
  ...lines('box[]', 'keyword', [['{(1,1),(0,0);(2,2),(1,1)}', '["(1,1),(0,0)","(2,2),(1,1)"]']]),
  ...lines('interval[]', 'keyword', [['{"1 day 02:00:00"}', '["P1DT2H"]']]),
  ...lines('int4range[]', 'long_range', [['{"[1,5)","(,3)"}', '[{"gte":1,"lt":5},{"lt":3}]']]),
];

const composites: MatrixLine[] = [
  {
    type: 'app.address',
    text: '(1,"x,""y",{1.5})',
    field: String.raw`{"number":1,"street":"x,\"y","prices":["1.5"]}`,
    mapping: undefined,
    shape: address,
  },
  {
    type: 'app.address[]',
    text: String.raw`{"(1,a,{})","(,,)","(2,\"\",\"{1,2}\")",NULL}`,
    field:
      '[{"number":1,"street":"a","prices":[]},{"number":null,"street":null,"prices":null},' +
      '{"number":2,"street":"","prices":["1","2"]},null]',
    mapping: undefined,
    shape: address,
  },
  {
    type: 'app.unknown',
    text: '(1,2)',
    field: '"(1,2)"',
    mapping: 'keyword',
    shape: { base_type: 'composite' },
  },
];

const ranges = [
  ...lines('int4range', 'long_range', [
    ['[1,5)', '{"gte":1,"lt":5}'],
    ['(,)', '{}'],
  ]),
  ...lost('int4range', 'long_range', [['empty', 'null']]),
  ...lines('int8range', 'long_range', [
    ['[-9223372036854775808,9223372036854775807)', '{"gte":-9223372036854775808,"lt":9223372036854775807}'],
  ]),
  ...lost('int8range', 'long_range', [['(,-9223372036854775808)', 'null']]),
  ...lines('numrange', 'double_range', [
    ['(,3.14]', '{"lte":"3.14"}'],
    ['[1.10,2.20)', '{"gte":"1.10","lt":"2.20"}'],
  ]),
  ...lost('numrange', 'double_range', [
    ['(1.00000000000000000001,1.00000000000000000002)', 'null'],
    ['[1,1e400)', 'null'],
    ['[1,Infinity)', '{"gte":"1"}'],
  ]),
  ...lines('daterange', 'date_range', [
    ['[2026-01-01,2026-02-01)', '{"gte":"2026-01-01","lt":"2026-02-01"}'],
  ]),
  ...lines('tsrange', 'date_range', [
    [
      '["2026-01-01 00:00:00.000001","2026-01-01 00:00:00.000002"]',
      '{"gte":"2026-01-01T00:00:00.000001","lte":"2026-01-01T00:00:00.000002"}',
    ],
  ]),
  ...lost('tsrange', 'date_range', [
    ['["2026-01-01 00:00:00.000001","2026-01-01 00:00:00.000002")', 'null'],
    ['("2026-01-01 00:00:00","2026-01-01 00:00:00.001")', 'null'],
    ['["0044-03-15 00:00:00 BC","2026-01-01 00:00:00")', 'null'],
  ]),
  ...lost('tstzrange', 'date_range', [
    ['["2019-12-31 22:00:00+00",infinity)', '{"gte":"2019-12-31T22:00:00Z"}'],
  ]),
  ...lines('int4multirange', 'long_range', [
    ['{[1,3),[7,9)}', '[{"gte":1,"lt":3},{"gte":7,"lt":9}]'],
    ['{}', '[]'],
  ]),
  ...lines('tstzmultirange', 'date_range', [
    [
      '{["2019-12-31 22:00:00+00","2020-01-01 00:00:00+00")}',
      '[{"gte":"2019-12-31T22:00:00Z","lt":"2020-01-01T00:00:00Z"}]',
    ],
  ]),
];

/** Every line of the value matrix, and what lies at its edges. */
export const VALUE_MATRIX: readonly MatrixLine[] = [
  ...numbers,
  ...times,
  ...texts,
  ...documents,
  ...arrays,
  ...composites,
  ...ranges,
];
