import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Output of the process; its last lines go into the error when it dies. */
  readonly logFile: string;
  readonly uid?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** A tool of the machine that is not there: said in one line, with what to do instead. */
export class MissingToolError extends Error {
  override readonly name = 'MissingToolError';
  readonly tool: string;

  constructor(tool: string, remedy: string) {
    super(`${tool} was not found. ${remedy}`);
    this.tool = tool;
  }
}

/** Starts a server that outlives this process; the caller keeps the pid. */
export function startDetached(command: ServerCommand): number {
  const out = openSync(command.logFile, 'a');
  try {
    const child = spawn(command.command, command.args, {
      cwd: command.cwd,
      detached: true,
      stdio: ['ignore', out, out],
      env: { ...process.env, ...command.env },
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.uid }),
    });
    child.on('error', () => undefined); // reported as a process that is not alive
    child.unref();
    return child.pid ?? -1;
  } finally {
    closeSync(out);
  }
}

/** On a machine that has other work a JVM takes minutes; one that dies is not waited for. */
const READY_TIMEOUT_MS = 300_000;

/**
 * Polls `ready` until it is true.
 * @throws {Error} with the end of the log when the process dies, or when time runs out; then it is killed, because nobody
 * else knows of it yet.
 */
export async function untilReady(
  server: { readonly name: string; readonly pid: number; readonly logFiles: readonly string[] },
  ready: () => Promise<boolean>,
  timeoutMs = READY_TIMEOUT_MS,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    if (await ready().catch(() => false)) return;
    const dead = !isAlive(server.pid);
    if (dead || Date.now() > deadline) {
      await stopProcess(server.pid, 'SIGKILL');
      const why = dead ? 'died while starting' : `was not ready after ${timeoutMs} ms`;
      const logs = server.logFiles
        .filter((file) => existsSync(file))
        .map((file) => `${file}:\n${lastLines(file)}`);
      throw new Error(`${server.name} ${why}\n${logs.join('\n')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function lastLines(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-20).join('\n');
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** SIGTERM (or the given signal), then SIGKILL after `graceMs`. Resolves when the process is gone. */
export async function stopProcess(
  pid: number,
  signal: NodeJS.Signals = 'SIGTERM',
  graceMs = 15_000,
): Promise<void> {
  if (pid <= 0 || !isAlive(pid)) return;
  process.kill(pid, signal);
  const deadline = Date.now() + graceMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) process.kill(pid, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Told to somebody who may not listen there yet: two servers of one process would get the same now and then. */
const told = new Set<number>();

/** A port nothing listens on: the preferred one if it is free. Below 32768, where no outgoing connection sits. */
export async function freePort(preferred?: number): Promise<number> {
  const candidates = preferred === undefined ? [] : [preferred];
  for (let i = 0; i < 200; i++) candidates.push(20_000 + Math.floor(Math.random() * 12_000));
  for (const port of candidates) {
    if ((port !== preferred && told.has(port)) || !(await isFree(port))) continue;
    told.add(port);
    return port;
  }
  throw new Error('no free port between 20000 and 32000');
}

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** Runs a command to its end. @throws {Error} with its output when it fails. */
export function runToEnd(
  command: string,
  args: readonly string[],
  options: { cwd: string; uid?: number },
): string {
  const { cwd, uid } = options;
  const result = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (result.error !== undefined) throw new Error(`${command} could not be run`, { cause: result.error });
  if (result.status !== 0) {
    const output = `${result.stdout}${result.stderr}`.trimEnd().split('\n').slice(-20).join('\n');
    throw new Error(`${command} ${args[0] ?? ''} failed with ${result.status}\n${output}`);
  }
  return result.stdout;
}

export function hasTool(command: string, versionFlag = '--version'): boolean {
  return spawnSync(command, [versionFlag], { stdio: 'ignore' }).status === 0;
}
