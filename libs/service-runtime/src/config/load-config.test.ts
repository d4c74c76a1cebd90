import { PipelineError } from '@pgstream/failure';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BOOLEAN, BYTES, choice, count, DURATION_MS, list, refusedWhenTrue, TEXT, url } from './kinds.ts';
import { loadConfig } from './load-config.ts';
import { optional, setting } from './setting.ts';

const table = {
  settings: {
    store: {
      url: optional(url('http', 'https'), {
        env: 'T_STORE_URL',
        aliases: ['T_OLD_URL'],
        flags: ['--store-url'],
        yaml: ['target.store.url'],
        doc: '',
        sensitive: true,
      }),
      batchBytes: setting(BYTES, { env: 'T_BATCH_BYTES', default: 1024, yaml: ['target.batch'], doc: '' }),
      waitMs: setting(DURATION_MS, { env: 'T_WAIT', default: 1000, doc: '' }),
    },
    level: setting(choice('low', 'high'), { env: 'T_LEVEL', default: 'low', flags: ['--level'], doc: '' }),
    workers: setting(count(1, 8), { env: 'T_WORKERS', default: 2, doc: '' }),
    names: setting(list(/^\w+$/, 'words'), { env: 'T_NAMES', default: ['a'], yaml: ['names'], doc: '' }),
    dry: setting(BOOLEAN, { env: 'T_DRY', default: false, doc: '' }),
    lossy: setting(refusedWhenTrue('it loses data'), { env: 'T_LOSSY', default: false, doc: '' }),
    note: optional(TEXT, { env: 'T_NOTE', doc: '' }),
  },
  refused: [{ env: 'T_RULES*', yaml: ['modifiers.rules'], why: 'rules are not available' }],
  ignored: [{ env: 'T_PLUGIN', yaml: ['plugin'], why: 'there is no plugin' }],
};
const options = { prefix: 'T_' };

const dir = mkdtempSync(join(tmpdir(), 'config-'));
afterAll(() => rmSync(dir, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

function messageOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof PipelineError) return error.message;
  }
  throw new Error('expected a PipelineError');
}

function outcomeOf(env: NodeJS.ProcessEnv): unknown {
  try {
    loadConfig(table, { env }, options);
  } catch (error) {
    return error instanceof PipelineError ? [error.code, error.exitCode] : error;
  }
  return 'accepted';
}

test('defaults, then file, then environment, then flags', () => {
  const file = fileOf('order.env', 'T_LEVEL=high\nT_BATCH_BYTES=2KiB\nT_WORKERS=3\n');
  const { config } = loadConfig(
    table,
    { file, env: { T_WORKERS: '4', T_LEVEL: 'high' }, flags: new Map([['--level', 'low']]) },
    options,
  );
  expect(config).toMatchObject({
    level: 'low',
    workers: 4,
    store: { batchBytes: 2048, waitMs: 1000, url: null },
  });
});

test('an alias means the same, and the own name wins over it in one source only', () => {
  const url1 = 'http://one:1';
  const url2 = 'http://two:2';
  expect(loadConfig(table, { env: { T_OLD_URL: url1 } }, options).config.store.url).toBe(url1);
  const both = { T_OLD_URL: url1, T_STORE_URL: url2 };
  expect(loadConfig(table, { env: both }, options).config.store.url).toBe(url2);
  const file = fileOf('alias.env', `T_STORE_URL=${url1}\n`);
  expect(loadConfig(table, { file, env: { T_OLD_URL: url2 } }, options).config.store.url).toBe(url2);
});

test('every fault is in one message that names setting and value, and no secret', () => {
  const env = {
    T_STORE_URL: 'ftp://user:hunter2@host',
    T_BATCH_BYTES: '12abc',
    T_WAIT: 'soon',
    T_LEVEL: 'middle',
    T_WORKERS: '9',
    T_NAMES: 'a,b c,d-e',
    T_DRY: 'maybe',
    T_LOSSY: 'true',
    T_LEVLE: 'low',
    T_RULES_FILE: 'rules.yaml',
  };
  const message = messageOf(() => loadConfig(table, { env }, options));
  for (const name of Object.keys(env)) expect(message).toContain(name);
  expect(message).toContain('T_WORKERS must be a whole number from 1 to 8; it is "9"');
  expect(message).toContain('T_LEVLE is not a setting of pgstream; did you mean T_LEVEL?');
  expect(message).toContain('rules are not available');
  expect(message).not.toContain('hunter2');
});

test('only refused features: the code says so, and both codes exit 78', () => {
  expect(outcomeOf({ T_RULES_FILE: 'x' })).toEqual(['FEATURE_NOT_AVAILABLE', 78]);
  expect(outcomeOf({ T_RULES_FILE: 'x', T_WORKERS: 'x' })).toEqual(['CONFIG_INVALID', 78]);
  expect(outcomeOf({ T_RULES_ENABLED: 'false' })).toBe('accepted');
});

test('an ignored setting is a warning', () => {
  const { warnings } = loadConfig(table, { env: { T_PLUGIN: 'x' } }, options);
  expect(warnings).toEqual(['T_PLUGIN has no effect: there is no plugin']);
});

test('an empty value is no value, and other prefixes are not ours', () => {
  const loaded = loadConfig(table, { env: { T_LEVEL: '', OTHER: 'x' } }, options);
  expect(loaded.config.level).toBe('low');
  expect([...loaded.given]).toEqual([]);
});

test('YAML by path, with the environment filled in', () => {
  const file = fileOf(
    'ok.yaml',
    [
      'target:',
      '  store:',
      '    url: "http://${T_HOST}:${T_PORT:-9200}"',
      '  batch: 64KiB',
      'names: [a, b]',
    ].join('\n'),
  );
  // T_HOST would be an unknown setting of the environment, so the values come under another name here.
  const text = { file, env: { HOST: 'x' } };
  expect(messageOf(() => loadConfig(table, text, options))).toContain(
    'ok.yaml:3: target.store.url refers to ${T_HOST}',
  );
  const good = fileOf(
    'good.yaml',
    'target:\n  store:\n    url: "http://${HOST}:${PORT:-9200}"\n  batch: 64KiB\nnames: [a, b]\n',
  );
  expect(loadConfig(table, { file: good, env: { HOST: 'x' } }, options).config).toMatchObject({
    store: { url: 'http://x:9200', batchBytes: 65_536 },
    names: ['a', 'b'],
  });
});

test.each([
  ['unknown.yaml', 'target:\n  stor:\n    url: x\n', 'target.stor.url (', 'did you mean target.store.url?'],
  ['refused.yaml', 'modifiers:\n  rules:\n    - x\n', 'modifiers.rules', 'rules are not available'],
  ['broken.yaml', 'target:\n  store: [a\nnames: b\n', 'broken.yaml:3', ''],
  ['scalar.yaml', 'just text\n', 'scalar.yaml:1', 'expected a mapping'],
  ['broken.env', 'T_LEVEL=low\nthis is no assignment\n', 'broken.env:2', 'expected NAME=value'],
  [
    'quote.env',
    'T_LEVEL=low\nT_NOTE="never closed\nT_DRY=true\n',
    'quote.env:2',
    'the quote is never closed',
  ],
  ['unknown.env', 'T_LEVLE=low\n', 'T_LEVLE (', 'unknown.env:1'],
])('%s: one message with file and line', (name, text, first, second) => {
  const message = messageOf(() => loadConfig(table, { file: fileOf(name, text), env: {} }, options));
  expect(message).toContain(first);
  expect(message).toContain(second);
});

test('a file that is not there is named', () => {
  const file = join(dir, 'absent.env');
  expect(messageOf(() => loadConfig(table, { file, env: {} }, options))).toContain(
    `${file}: there is no such file`,
  );
});

const check = () => ['T_NOTE is needed'];

test('the check of the whole adds its faults, once every single setting is well-formed', () => {
  expect(messageOf(() => loadConfig(table, { env: {} }, { ...options, check }))).toContain(
    'T_NOTE is needed',
  );
  expect(messageOf(() => loadConfig(table, { env: { T_WAIT: 'x' } }, { ...options, check }))).not.toContain(
    'T_NOTE',
  );
});
