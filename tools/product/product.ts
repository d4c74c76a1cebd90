import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, waitFor, workspaceRoot } from '@pgstream/test-kit';

export type ServiceName = 'wal-producer' | 'search-indexer' | 'webhook-notifier';

/** One process of the product, as an operator would start it: its build, settings by variables, a log file. */
export interface RunningService {
  readonly name: string;
  readonly child: ChildProcess;
  readonly healthUrl: string;
  readonly logFile: string;
  readonly exited: Promise<number | NodeJS.Signals>;
}

export interface ProductOptions {
  readonly dir: string;
  readonly environment: Readonly<Record<string, string>>;
}

export class Product {
  readonly #options: ProductOptions;
  readonly #running: RunningService[];

  constructor(options: ProductOptions, running: RunningService[] = []) {
    this.#options = options;
    this.#running = running;
  }

  /** Every process that was started, those that have ended included. */
  get started(): readonly RunningService[] {
    return this.#running;
  }

  /** The same product with some settings changed; `stopAll` of either stops the processes of both. */
  withEnvironment(environment: Readonly<Record<string, string>>): Product {
    const { dir, environment: base } = this.#options;
    return new Product({ dir, environment: { ...base, ...environment } }, this.#running);
  }

  /** `pgstream …`, to its end. @throws {Error} with what it printed when it fails. */
  command(...args: readonly string[]): string {
    const main = join(workspaceRoot(), 'services/cli/dist/main.js');
    const env = { ...process.env, ...this.#options.environment };
    const result = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
    if (result.status === 0) return result.stdout;
    throw new Error(
      `pgstream ${args[0] ?? ''} ended with ${result.status}\n${result.stdout}${result.stderr}`,
    );
  }

  /** `pgstream …`, to its end, while this process goes on. @throws {Error} with what it printed when it fails. */
  async run(...args: readonly string[]): Promise<string> {
    const { exitCode, output } = await this.tryRun(...args);
    if (exitCode === 0) return output;
    throw new Error(`pgstream ${args[0] ?? ''} ended with ${exitCode}\n${output}`);
  }

  /** `pgstream …`, to its end, whatever that is. */
  async tryRun(...args: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string }> {
    const main = join(workspaceRoot(), 'services/cli/dist/main.js');
    const env = { ...process.env, ...this.#options.environment };
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => resolve({ exitCode: code ?? 1, output }));
    });
  }

  /** Starts a service and waits until it is ready. */
  async start(
    service: ServiceName | 'cli',
    name: string,
    ...args: readonly string[]
  ): Promise<RunningService> {
    const running = await this.launch(service, name, ...args);
    await untilReady(running);
    return running;
  }

  /** Starts a service and does not wait for anything. A process of the same name goes on with its log. */
  async launch(
    service: ServiceName | 'cli',
    name: string,
    ...args: readonly string[]
  ): Promise<RunningService> {
    const port = await freePort();
    const logFile = join(this.#options.dir, `${name}.log`);
    const out = openSync(logFile, 'a');
    const main = join(workspaceRoot(), `services/${service}/dist/main.js`);
    const child = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', out, out],
      env: {
        ...process.env,
        ...this.#options.environment,
        PGSTREAM_HEALTH_CHECK_ENABLED: 'true',
        PGSTREAM_HEALTH_CHECK_ADDRESS: `127.0.0.1:${port}`,
        PGSTREAM_METRICS_PROMETHEUS_ENABLED: 'true',
        PGSTREAM_LOG_FORMAT: 'json',
      },
    });
    closeSync(out);
    orphans.add(child);
    child.once('exit', () => orphans.delete(child));
    const exited = new Promise<number | NodeJS.Signals>((resolve) => {
      child.on('exit', (code, signal) => resolve(code ?? signal ?? 1));
    });
    const running = { name, child, healthUrl: `http://127.0.0.1:${port}`, logFile, exited };
    this.#running.push(running);
    return running;
  }

  async stopAll(): Promise<void> {
    for (const { child } of this.#running) {
      if (child.exitCode !== null) continue;
      child.kill('SIGCONT'); // a paused one would never hear of its end
      child.kill('SIGTERM');
    }
    await Promise.all(this.#running.map((service) => service.exited));
  }
}

/** Processes that run: a tool that is interrupted takes them with it. */
const orphans = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of orphans) child.kill('SIGKILL');
});

/** @throws {Error} with the end of its log where the service ended instead. */
export async function untilReady(service: RunningService): Promise<void> {
  const ended = () => service.child.exitCode ?? service.child.signalCode;
  try {
    await waitFor(
      `${service.name} to be ready`,
      async () => ended() !== null || (await fetch(`${service.healthUrl}/readyz`)).ok,
      60_000,
    );
  } catch (cause) {
    throw new Error(`${service.name} was not ready in time\n${lastLines(service)}`, { cause });
  }
  if (ended() === null) return;
  throw new Error(`${service.name} ended with ${ended()} while starting\n${lastLines(service)}`);
}

function lastLines({ logFile }: RunningService): string {
  return readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n');
}

/** Samples of one metric: labels as printed, `topic="pgstream",partition="3"`, and the value. */
export async function samplesOf(service: RunningService, metric: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${service.healthUrl}/metrics`)).text();
  const samples = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name, labels, value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === metric && value !== undefined) samples.set(labels ?? '', Number(value));
  }
  return samples;
}
