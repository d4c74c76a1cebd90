import { once } from 'node:events';
import { createServer } from 'node:net';
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

const HOOKS = ['--webhook-api-url=http://127.0.0.1:1', '--webhook-api-token=a-token-of-this-test'];

test.each([
  ['no token', ['webhooks', 'ls', '--webhook-api-url=http://127.0.0.1:1'], 'PGSTREAM_WEBHOOK_API_TOKEN'],
  ['a URL that is none', ['webhooks', 'ls', '--webhook-api-url=ftp://h'], '--webhook-api-url'],
  ['a removal by accident', ['webhooks', 'rm', 'a', ...HOOKS], '--yes'],
  ['a replay from nowhere', ['webhooks', 'replay', 'a', ...HOOKS], '--time, --lsn, --offset, --beginning'],
  ['a replay from two places', ['webhooks', 'replay', 'a', '--beginning', '--lsn=0/1', ...HOOKS], 'one of'],
  ['an offset without a partition', ['webhooks', 'replay', 'a', '--offset=7', ...HOOKS], 'as 0:1200'],
  ['a filter that is no JSON', ['webhooks', 'add', 'http://h', '--filter={', ...HOOKS], 'a filter is JSON'],
  ['a header without a name', ['webhooks', 'add', 'http://h', '--header=secret', ...HOOKS], '"Name: value"'],
  ['a limit that is none', ['webhooks', 'dead-letters', '--limit=0', ...HOOKS], 'from 1 on'],
  ['letters that are not named', ['webhooks', 'dead-letters', 'retry', ...HOOKS], '--subscription, or --all'],
  ['letters lost by accident', ['webhooks', 'dead-letters', 'discard', '1', ...HOOKS], '--yes'],
])('webhooks: %s: exit code 78 and a message', async (_what, argv, words) => {
  const { context, err } = contextOf();
  expect(await runCli(argv, context)).toBe(78);
  const message = err();
  expect(message).toContain(words);
  expect(message).not.toContain('secret');
});

test('webhooks: an API that does not answer is exit code 1, and the message says where it was looked for', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  server.close();
  await once(server, 'close');
  const { context, err, out } = contextOf();
  const flags = [`--webhook-api-url=${url}/`, '--webhook-api-token=a-token-of-this-test'];
  expect(await runCli(['webhooks', 'ls', ...flags], context)).toBe(1);
  const message = err();
  expect(message).toContain('WEBHOOK_API_UNREACHABLE');
  expect(message).toContain(`${url}: ECONNREFUSED`);
  const env = { PGSTREAM_WEBHOOK_API_TOKEN: 'a-token-of-this-test' };
  const other = contextOf({ ...env, PGSTREAM_WEBHOOK_SUBSCRIPTION_SERVER_ADDRESS: ':2' });
  expect(await runCli(['webhooks', 'status', 'abc', '--json'], other.context)).toBe(1);
  expect(JSON.parse(other.out())).toMatchObject({
    error: { code: 'WEBHOOK_API_UNREACHABLE', message: expect.stringContaining('http://localhost:2') },
  });
  expect(out()).toBe('');
});
