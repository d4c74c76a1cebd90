import { PipelineError } from '@pgstream/failure';
import { flatten } from '@pgstream/service-runtime';
import { assert, constantFrom, dictionary, oneof, property, record, string, tuple } from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPgstreamConfig } from './load.ts';
import { SETTINGS } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'pgstream-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const NAMED = flatten(SETTINGS);
const SECRET = 'Zq9sEcReT';
/** A timer that is longer ends at once: https://nodejs.org/api/timers.html#settimeoutcallback-delay-args */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const VALUES = [
  '',
  ' ',
  '0',
  '-1',
  '1e9',
  '9'.repeat(400),
  '1.5',
  '99999d',
  '3000h',
  '1GiB',
  '99999999GiB',
  'NaN',
  'Infinity',
  'true',
  'null',
  '__proto__',
  'constructor',
  `postgres://u:${SECRET}@h:5432/db`,
  `postgres://u:${SECRET}@h:99999/db`,
  `postgres://u:${SECRET}%zz@h/db`,
  `http://u:${SECRET}@h:9200`,
  `http://[::1`,
  'localhost:9092',
  'a:1,b:2',
  'a.*,*.b,"C".d',
  '*',
  '${HOME}',
  '${NOT_SET_ANYWHERE}',
  '${:-}',
  '\u0000',
  '\uFEFF',
  '𝒳\uD800',
];

const TEXTS = [
  '',
  '=',
  'PGSTREAM_TARGET',
  'PGSTREAM_TARGET="',
  "PGSTREAM_TARGET='stdout",
  'PGSTREAM_TARGET=stdout\nPGSTREAM_TARGET=kafka\n',
  'export PGSTREAM_TARGET = stdout # why not',
  'PGSTREAM_TARGT=stdout',
  '\uFEFFPGSTREAM_TARGET=stdout',
  '\u0000\u0001\u0002',
  '%PDF-1.7\n%âãÏÓ',
  'source:',
  '- a\n- b',
  'just text',
  'a: &x [1]\nb: *x',
  'a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]',
  '? {a: 1}\n: 2',
  '<<: {a: 1}',
  'source: {postgres: {url: [{a: 1}]}}',
  'source: !!binary aGk=',
  'source: !<tag:x> y',
  'source:\n\tpostgres: 1',
  'source: 1\nsource: 2',
  '--- 1\n--- 2',
  '%YAML 9.9\n---\na: 1',
  '__proto__: {polluted: true}',
];

const value = oneof(constantFrom(...VALUES), string({ unit: 'binary', maxLength: 30 }));
const names = constantFrom(...NAMED.flatMap(({ setting }) => [setting.env, ...(setting.aliases ?? [])]));
const flags = constantFrom(
  ...NAMED.flatMap(({ setting }) => setting.flags ?? []),
  '--source-url',
  '--target-url',
);
const lines = dictionary(names, value, { maxKeys: 6 }).map((entries) =>
  Object.entries(entries)
    .map(([name, text]) => `${name}=${text}`)
    .join('\n'),
);
const text = oneof(constantFrom(...TEXTS), string({ unit: 'binary', maxLength: 100 }), lines);

/** What became of it: `loaded`, or the code of the error with its message. */
function outcomeOf(load: () => ReturnType<typeof loadPgstreamConfig>): { code: string; message: string } {
  try {
    const { config } = load();
    for (const number of numbersIn(config)) expect(Number.isSafeInteger(number)).toBe(true);
    for (const ms of durationsIn(config)) expect(ms).toBeLessThanOrEqual(LONGEST_TIMER_MS);
    return { code: 'loaded', message: '' };
  } catch (error) {
    if (error instanceof PipelineError) return { code: error.code, message: error.message };
    throw error;
  }
}

function numbersIn(config: object): number[] {
  return Object.values(config).flatMap((entry: unknown) => {
    if (typeof entry === 'number') return [entry];
    return typeof entry === 'object' && entry !== null ? numbersIn(entry) : [];
  });
}

function durationsIn(config: object): number[] {
  return Object.entries(config).flatMap(([name, entry]: [string, unknown]) => {
    if (typeof entry === 'number') return name.endsWith('Ms') ? [entry] : [];
    return typeof entry === 'object' && entry !== null ? durationsIn(entry) : [];
  });
}

const CODES = /^(loaded|CONFIG_INVALID|FEATURE_NOT_AVAILABLE)$/;

test('whatever is set, by variable and by flag, is taken or refused by name, and no secret is shown', () => {
  assert(
    property(
      record({
        env: dictionary(names, value, { maxKeys: 6 }),
        given: dictionary(flags, value, { maxKeys: 3 }),
      }),
      ({ env, given }) => {
        const load = () =>
          loadPgstreamConfig({ env: { ...env }, flags: new Map(Object.entries(given)), need: 'route' });
        const { code, message } = outcomeOf(load);
        expect(code).toMatch(CODES);
        expect(message).not.toContain(SECRET);
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever a file holds is taken or refused with its place', () => {
  const formats = constantFrom('env', 'yaml');
  assert(
    property(tuple(formats, text), ([format, content]) => {
      const file = join(dir, `c.${format}`);
      writeFileSync(file, content);
      const { code, message } = outcomeOf(() => loadPgstreamConfig({ env: {}, file, need: 'route' }));
      expect(code).toMatch(CODES);
      expect(message).not.toContain(SECRET);
    }),
    { numRuns: 100, examples: TEXTS.flatMap((one) => [[['env', one]], [['yaml', one]]]) },
  );
  expect({}).not.toHaveProperty('polluted');
});

test.each([
  ['a list of mappings', 'source:\n  postgres:\n    url: [{a: 1}]\n', 3],
  ['an alias', 'x: &a 5\nsource:\n  postgres:\n    url: *a\n', 4],
  ['a nesting without end', '{a: '.repeat(20_000), 1],
])('%s in a YAML file is refused with its line', (_, content, line) => {
  const file = join(dir, 'strange.yaml');
  writeFileSync(file, content);
  const { code, message } = outcomeOf(() => loadPgstreamConfig({ env: {}, file, need: 'route' }));
  expect(code).toBe('CONFIG_INVALID');
  expect(message).toContain(`strange.yaml:${line}`);
});

test.each(['25d', '9'.repeat(400), '99999999999'])(
  'a duration that no timer can hold is refused: %s',
  (given) => {
    const durations = NAMED.filter(({ path }) => path.endsWith('Ms'));
    expect(durations.length).toBeGreaterThan(5);
    for (const { setting } of durations) {
      const { code, message } = outcomeOf(() =>
        loadPgstreamConfig({ env: { [setting.env]: given }, need: 'route' }),
      );
      expect([code, message]).toEqual(['CONFIG_INVALID', expect.stringContaining(setting.env)]);
    }
  },
);
