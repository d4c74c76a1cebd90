import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buildProgram, runCli } from './cli.ts';
import type { CliContext } from './cli-context.ts';
import { givenFlags } from './flags.ts';
import { humanBytes, renderPairs, renderTable } from './output/table.ts';

const read = (stream: PassThrough) => String(stream.read() ?? '');

function contextOf(env: NodeJS.ProcessEnv = {}) {
  const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const context: CliContext = {
    terminal: { env, stdout, stderr, stdin },
    version: '1.2.3',
    migrationsDir: '/none',
  };
  return { context, out: () => read(stdout), err: () => read(stderr) };
}

const PG = '--postgres-url=postgres://u:secret@h/d';

test.each([
  [['--help'], 0, 'Exit codes: 0 done'],
  [['run', '--help'], 0, '--opensearch-url <value>'],
  [['version'], 0, '1.2.3'],
  [['--version'], 0, '1.2.3'],
])('%j exits with %d', async (argv, code, words) => {
  const { context, out } = contextOf();
  expect(await runCli(argv, context)).toBe(code);
  expect(out()).toContain(words);
});

test.each([
  ['an unknown flag', ['run', '--postgres-ulr', 'x'], 'Did you mean --postgres-url?'],
  ['an unknown command', ['rum'], 'Did you mean run?'],
  [
    'a refused flag',
    ['run', PG, '--target=stdout', '--transform', 'x'],
    '--transform: transformations are not available',
  ],
  ['a refused flag of a list', ['run', PG, '--snapshot-tables', 'a', 'b'], '--snapshot-tables: snapshots'],
  ['a refused command', ['snapshot', '--tables', 'a'], 'pgstream snapshot: snapshots are not available'],
  ['no source, no target', ['run'], 'no source is configured'],
  ['a database is needed', ['init'], 'PGSTREAM_POSTGRES_LISTENER_URL (--postgres-url) is needed'],
  [
    'a malformed value',
    ['run', PG, '--target=stdout', '--handle-ddl=perhaps'],
    '--handle-ddl must be true or false',
  ],
  ['a file that is not there', ['run', '-c', '/none.env'], '/none.env: there is no such file'],
])('%s: exit code 78 and a message', async (_what, argv, words) => {
  const { context, err } = contextOf();
  expect(await runCli(argv, context)).toBe(78);
  const message = err();
  expect(message).toContain(words);
  expect(message).not.toContain('secret');
});

test('with --json a failure is JSON too', async () => {
  const { context, out } = contextOf();
  expect(await runCli(['init', '--json'], context)).toBe(78);
  expect(JSON.parse(out())).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
});

test.each([
  [['run', '--pgurl', 'x', '--log-level', 'trace'], { '--pgurl': 'x', '--log-level': 'trace' }],
  [['--log-level', 'debug', 'run'], { '--log-level': 'debug' }],
  [['run', '--handle-ddl=true'], { '--handle-ddl': 'true' }],
  [['run', '--handle-ddl'], { '--handle-ddl': 'true' }],
  [['run', '--no-color'], { '--no-color': 'true' }],
  [
    ['run', '--sink-type', 'opensearch', '--opensearch-index', 'i'],
    { '--sink-type': 'opensearch', '--opensearch-index': 'i' },
  ],
  [['run'], {}],
])('%j gives the settings %j', (argv, expected) => {
  const program = buildProgram(contextOf().context, { exitCode: 0 });
  const run = program.commands.find((command) => command.name() === 'run')!;
  run.action(() => {});
  program.parse(argv, { from: 'user' });
  expect(Object.fromEntries(givenFlags(run))).toEqual(expected);
});

test('tables are aligned, numbers to the right', () => {
  expect(
    renderTable(
      ['name', 'lag'],
      [
        ['a', 7],
        ['long name', 1234],
        ['b', null],
      ],
    ),
  ).toBe(
    ['name        lag', '---------  ----', 'a             7', 'long name  1234', 'b             -'].join(
      '\n',
    ),
  );
  expect(
    renderPairs([
      ['a', true],
      ['long', null],
    ]),
  ).toBe('a     true\nlong  -');
  expect([0, 17, 103_102_072, 5 * 2 ** 40].map(humanBytes)).toEqual(['0 B', '17 B', '98.3 MiB', '5.0 TiB']);
});

const RECORDING = join(__dirname, '../../../libs/postgres-source/test/fixtures/unknown-message.frames');

test('replay prints the records of a recording and fails where it failed, with its exit code', async () => {
  const { context, out, err } = contextOf();
  expect(await runCli(['replay', RECORDING], context)).toBe(1);
  const records = out().trimEnd().split('\n');
  expect(records.map((text) => JSON.parse(text) as unknown)).toMatchObject([
    { action: 'I' },
    { action: 'I' },
  ]);
  const message = err();
  expect(message).toContain('7 frames, 1 transactions, 2 records');
  expect(message).toContain('PG_PROTOCOL');
  expect(message).toContain('as recorded');
});

test('replay --json says it to programs, without records', async () => {
  const { context, out } = contextOf();
  expect(await runCli(['replay', RECORDING, '--json'], context)).toBe(1);
  expect(JSON.parse(out())).toMatchObject({
    reproduced: true,
    records: 2,
    error: { code: 'PG_PROTOCOL', facts: { kind: '0x3f', offset: 25 } },
  });
});

test('replay of a file that is no recording: exit code 78', async () => {
  const { context, err } = contextOf();
  expect(await runCli(['replay', __filename], context)).toBe(78);
  expect(err()).toContain('RECORDING_UNREADABLE');
});
