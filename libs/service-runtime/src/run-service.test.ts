import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const MODULE = pathToFileURL(join(__dirname, 'run-service.ts')).href;
const LOG = '{ info() {}, warn: console.log, error() {}, fatal() {} }';

/** How a process ends whose `main` is this, and what it warned of; it holds a server that nobody closes. */
async function endOf(main: string): Promise<readonly [number | null, string]> {
  const script = `
    import { createServer } from 'node:net';
    import { runService } from ${JSON.stringify(MODULE)};
    createServer().listen(0);
    process.exitCode = await runService({ log: ${LOG}, shutdownTimeoutMs: 60_000, main: ${main} });`;
  const args = ['--conditions=@pgstream/source', '--disable-warning=ExperimentalWarning'];
  const child = spawn(process.execPath, [...args, '--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (text) => (printed += String(text)));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return [code, printed.trim()];
}

const WARNING = 'something was still open after the stop; the process ends all the same';

test.each([
  ['that failed', `async () => { throw new Error('no place') }`, 1],
  [
    'that was told to stop',
    `async ({ signal }) => { process.kill(process.pid); await new Promise((r) => signal.addEventListener('abort', r)) }`,
    0,
  ],
])(
  'a process %s ends, whatever is still open',
  async (_which, main, code) => {
    expect(await endOf(main)).toEqual([code, WARNING]);
  },
  15_000,
);
