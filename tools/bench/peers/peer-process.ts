import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';

const LAST_LINES = 15;
const STOP_GRACE_MS = 60_000;

export interface PeerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it prints; a restart goes on with it. */
  readonly logFile: string;
}

/** The process of a system that is not ours, started again after each kill. It ends with this tool. */
export class PeerProcess {
  readonly #command: PeerCommand;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #isEnded = true;
  #isMeantToEnd = false;

  constructor(command: PeerCommand) {
    this.#command = command;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  failure(): string | undefined {
    if (!this.#isEnded || this.#isMeantToEnd || this.#child === undefined) return undefined;
    const { exitCode, signalCode } = this.#child;
    return `${this.#command.name} ended by itself (${exitCode ?? signalCode ?? 'not started'})\n${this.lastLines()}`;
  }

  start(): void {
    const { command, args, cwd, env, logFile } = this.#command;
    const out = openSync(logFile, 'a');
    const child = spawn(command, args, { cwd, stdio: ['ignore', out, out], env: { ...process.env, ...env } });
    closeSync(out);
    [this.#child, this.#isEnded, this.#isMeantToEnd] = [child, false, false];
    orphans.add(child);
    this.#exited = new Promise((resolve) => {
      const ended = () => {
        if (this.#child === child) this.#isEnded = true;
        orphans.delete(child);
        resolve();
      };
      child.once('exit', ended);
      child.once('error', ended); // a command that is not there
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    this.#isMeantToEnd = true;
    const child = this.#child;
    child?.kill(signal);
    const killer = setTimeout(() => child?.kill('SIGKILL'), STOP_GRACE_MS);
    await this.#exited;
    clearTimeout(killer);
  }

  lastLines(): string {
    const { logFile } = this.#command;
    if (!existsSync(logFile)) return '';
    return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LAST_LINES).join('\n');
  }
}

const orphans = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of orphans) child.kill('SIGKILL');
});
