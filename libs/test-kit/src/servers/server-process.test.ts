import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, startDetached, untilReady } from './server-process.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'server-'))));
afterEach(() => rmSync(dir, { recursive: true }));

const server = (script: string) => {
  const logFile = join(dir, 'log');
  const pid = startDetached({ command: 'sh', args: ['-c', script], cwd: dir, logFile });
  return { name: 'it', pid, logFiles: [logFile] };
};
const never = () => Promise.resolve(false);

test('a server that does not come up in time is ended: nobody else knows of it', async () => {
  const it = server('exec sleep 600');
  await expect(untilReady(it, never, 50)).rejects.toThrow('was not ready after 50 ms');
  expect(isAlive(it.pid)).toBe(false);
});

test('a server that dies is not waited for, and its last words are in the error', async () => {
  const it = server('echo no room; exit 3');
  await expect(untilReady(it, never)).rejects.toThrow(/died while starting[^]*no room/);
});
