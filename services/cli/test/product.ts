import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKafka } from '@pgstream/kafka-client';
import { createPool, parseConnectionUrl, sessionConfig, type PostgresPool } from '@pgstream/postgres-client';
import { endpoints, uniqueName, waitFor } from '@pgstream/test-kit';

const workspace = join(__dirname, '../../..');
/** Sources where this Node runs them, so that a test never sees an old build. */
const fromSource = Number(process.versions.node.split('.')[0]) >= 22;

export type Program = 'cli' | 'wal-producer' | 'search-indexer' | 'webhook-notifier';

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One process of the product; settings come from the test alone. */
export class Running {
  readonly child: ChildProcess;
  stdout = '';
  stderr = '';
  readonly #exited: Promise<number | null>;

  constructor(program: Program, argv: readonly string[], env: Readonly<Record<string, string>>) {
    const main = join(workspace, 'services', program, fromSource ? 'src/main.ts' : 'dist/main.js');
    const flags = fromSource
      ? ['--conditions=@pgstream/source', '--disable-warning=ExperimentalWarning']
      : [];
    this.child = spawn(process.execPath, [...flags, main, ...argv], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout?.on('data', (text: Buffer) => (this.stdout += text.toString()));
    this.child.stderr?.on('data', (text: Buffer) => (this.stderr += text.toString()));
    this.#exited = new Promise((resolve) => this.child.on('close', (code) => resolve(code)));
  }

  async exited(): Promise<Result> {
    const code = await this.#exited;
    return { code, stdout: this.stdout, stderr: this.stderr };
  }

  async says(words: string): Promise<void> {
    await waitFor(`"${words}" from the process: ${this.stderr}${this.stdout}`, () => {
      if (this.child.exitCode !== null)
        throw new Error(`ended with ${this.child.exitCode}: ${this.stderr}${this.stdout}`);
      return `${this.stdout}${this.stderr}`.includes(words);
    });
  }

  /** The address that the log names. */
  async healthUrl(): Promise<string> {
    return await waitFor(
      'the health server',
      () => /http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d+/.exec(this.stdout + this.stderr)?.[0],
    );
  }

  async stop(): Promise<Result> {
    this.child.kill('SIGTERM');
    return await this.exited();
  }
}

/** A database of its own and a folder of its own; what was started is ended with them. */
export class Lab {
  readonly name = uniqueName('cli');
  readonly dir = mkdtempSync(join(tmpdir(), 'pgstream-cli-'));
  readonly url: string;
  readonly pool: PostgresPool;
  readonly #admin: PostgresPool;
  readonly #running: Running[] = [];

  private constructor(
    admin: PostgresPool,
    pool: PostgresPool,
    names: { readonly url: string; readonly name: string },
  ) {
    this.#admin = admin;
    this.pool = pool;
    this.url = names.url;
    this.name = names.name;
  }

  static async open(): Promise<Lab> {
    const { postgresUrl } = endpoints();
    const name = uniqueName('cli');
    const admin = await poolOf(postgresUrl);
    await admin.query(`CREATE DATABASE ${name}`);
    const url = new URL(postgresUrl);
    url.pathname = `/${name}`;
    return new Lab(admin, await poolOf(url.href), { url: url.href, name });
  }

  start(
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
    program: Program = 'cli',
  ): Running {
    const running = new Running(program, argv, env);
    this.#running.push(running);
    return running;
  }

  async command(...argv: readonly string[]): Promise<Result> {
    return await this.start(argv).exited();
  }

  file(name: string, lines: readonly string[]): string {
    const path = join(this.dir, name);
    writeFileSync(path, `${lines.join('\n')}\n`);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running) if (child.exitCode === null) child.kill('SIGKILL');
    await Promise.all(this.#running.map((running) => running.exited()));
    await this.pool.end();
    const slots = await this.#admin.query('SELECT slot_name FROM pg_replication_slots WHERE database = $1', [
      this.name,
    ]);
    for (const { slot_name: slot } of slots.rows) {
      await waitFor('the slot to be free', () =>
        this.#admin.query('SELECT pg_drop_replication_slot($1)', [slot]).then(() => true),
      );
    }
    await this.#admin.query(`DROP DATABASE ${this.name} WITH (FORCE)`);
    await this.#admin.end();
    rmSync(this.dir, { recursive: true });
  }
}

async function poolOf(url: string): Promise<PostgresPool> {
  return createPool(
    await sessionConfig(parseConnectionUrl(url, 'TEST_PG_URL'), { applicationName: 'cli test' }),
  );
}

interface Answer {
  readonly count?: number;
  readonly hits?: { readonly hits: readonly { readonly _source: Readonly<Record<string, unknown>> }[] };
}

/** JSON of the search store. */
export async function searched(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(`${endpoints().searchUrl}${path}`, init);
  const json: Answer = JSON.parse(await answer.text());
  return json;
}

export async function removeIndices(...patterns: readonly string[]): Promise<void> {
  for (const pattern of patterns) {
    const found = await fetch(`${endpoints().searchUrl}/_cat/indices/${pattern}?h=index`);
    const names = (await found.text()).split('\n').filter((name) => name !== '');
    for (const name of names) await searched(`/${name}`, { method: 'DELETE' });
  }
}

/** Waits until the brokers have forgotten it. */
export async function removeTopic(topic: string): Promise<void> {
  const connection = {
    brokers: endpoints().kafkaBrokers,
    clientId: 'cli-test',
    connectionTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
  };
  const admin = createKafka(connection, () => {}).admin();
  await admin.connect();
  await admin.deleteTopics({ topics: [topic] });
  await waitFor('the topic to be gone', async () => !(await admin.listTopics()).includes(topic));
  await admin.disconnect();
}
