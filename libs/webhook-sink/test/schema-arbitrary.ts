import {
  anything,
  array,
  boolean,
  constant,
  constantFrom,
  dictionary,
  double,
  integer,
  json,
  oneof,
  option,
  record,
  string,
  stringMatching,
  type Arbitrary,
} from 'fast-check';

/** What of JSON Schema the routes use. */
interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

export type Special = Readonly<Record<string, Arbitrary<unknown>>>;

/** Values that a schema lets through. @param special what members of these names are, whatever the schema says. */
export function fitting(given: unknown, special: Special = {}): Arbitrary<unknown> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a route was given
  const schema = (given ?? {}) as Schema;
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return oneof(...options.map((one) => fitting(one, special)));
  if (schema.const !== undefined) return constant(schema.const);
  if (schema.enum !== undefined) return constantFrom(...schema.enum);
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? anything() : oneof(...types.map((type) => ofType(type, schema, special)));
}

function ofType(type: string, schema: Schema, special: Special): Arbitrary<unknown> {
  const made = BY_TYPE[type];
  return made === undefined ? constant(null) : made(schema, special);
}

const BY_TYPE: Readonly<Record<string, (schema: Schema, special: Special) => Arbitrary<unknown>>> = {
  string: text,
  integer: (schema) => {
    const { min, max } = boundsOf(schema);
    return oneof(integer({ min: Math.ceil(min), max }), constantFrom(Math.ceil(min), max));
  },
  number: (schema) => double({ ...boundsOf(schema), noNaN: true }),
  boolean: () => boolean(),
  array: ({ items, minItems = 0, maxItems = 5 }, special) =>
    array(fitting(items, special), { minLength: minItems, maxLength: Math.min(maxItems, 5) }),
  object,
};

function boundsOf({ minimum, exclusiveMinimum, maximum = 1e9 }: Schema): { min: number; max: number } {
  return { min: minimum ?? exclusiveMinimum ?? -1e9, max: maximum };
}

function text({ pattern, minLength = 0, maxLength = 50 }: Schema): Arbitrary<string> {
  if (pattern !== undefined) return stringMatching(new RegExp(pattern));
  return oneof(
    string({ minLength, maxLength: Math.min(maxLength, 50), unit: 'binary' }),
    constant('x'.repeat(maxLength)),
  );
}

function object(
  { properties = {}, patternProperties = {}, required = [] }: Schema,
  special: Special,
): Arbitrary<unknown> {
  const [pattern] = Object.entries(patternProperties);
  if (pattern !== undefined) {
    return dictionary(stringMatching(new RegExp(pattern[0])), fitting(pattern[1], special), { maxKeys: 4 });
  }
  const members = Object.entries(properties).map(([name, one]) => [
    name,
    special[name] ?? fitting(one, special),
  ]);
  const model: Record<string, Arbitrary<unknown>> = Object.fromEntries(members);
  return record(model, { requiredKeys: [...required] });
}

/** Bodies as they are sent: mostly what fits, else with one member that does not, or anything at all. */
export function attacking(schema: unknown, special: Special): Arbitrary<string> {
  const good = fitting(schema, special);
  const bent = good.chain((value) => bend(value));
  return oneof(
    { weight: 4, arbitrary: good.map(asText) },
    { weight: 4, arbitrary: bent.map(asText) },
    { weight: 1, arbitrary: json() },
    { weight: 1, arbitrary: string({ unit: 'binary', maxLength: 100 }) },
    { weight: 1, arbitrary: constantFrom(...GARBAGE) },
  );
}

const GARBAGE = [
  '',
  '{',
  '[]',
  'null',
  '"text"',
  '1e999',
  '{"__proto__":{"url":"x"}}',
  '{"constructor":{"prototype":{"url":"x"}}}',
  '{"url":"http://example.com","url":"http://127.0.0.1"}',
  '['.repeat(50_000),
  `{"filters":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
  '\uFEFF{"url":"http://a"}',
  '{"url":"\\ud800"}',
  '{"description":"\\u0000"}',
];

/** One member is another than it should be. */
function bend(value: unknown): Arbitrary<unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return anything();
  const names = [
    ...Object.keys(value),
    'unknown',
    'url',
    'headers',
    'filters',
    'ratePerSecond',
    'maxInFlight',
  ];
  return record({ name: constantFrom(...names), odd: option(odd) }).map(({ name, odd: put }) => ({
    ...value,
    [name]: put,
  }));
}

const odd = oneof(
  string({ unit: 'binary' }),
  constantFrom<unknown[]>(
    -1,
    0,
    1e308,
    Number.MAX_SAFE_INTEGER,
    0.1,
    true,
    '',
    ' ',
    '1e5',
    'NaN',
    'x'.repeat(100_000),
    '\u0000',
    '\ud800',
    [],
    [[]],
    {},
  ),
  anything(),
);

/** What JSON cannot say is left out of it. */
function asText(value: unknown): string {
  try {
    return JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? String(one) : one)) ?? '';
  } catch {
    return '{}';
  }
}
