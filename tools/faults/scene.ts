import { readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FailpointName } from '@pgstream/failure';
import { ProgressWatch, Random, type LogEntry, ResourceWatch, waitFor, Workload } from '@pgstream/test-kit';
import { samplesOf, untilReady, type RunningService } from '../product/product.ts';
import { Crew } from '../system/crew.ts';
import { System, type Servers } from '../system/system.ts';
import type { Arena } from './arena.ts';
import type { Fault } from './fault.ts';
import { Links } from './links.ts';

const SCHEMAS = 4;

/** Each schema change costs a worker about a second: more of them would only make a backlog. */
const PROVOKE_EVERY_MS = 3_000;

/** Points that a process passes once, or seldom: the first hit counts. */
const ONCE_A_LIFE: ReadonlySet<FailpointName> = new Set([
  'source.start',
  'source.checkpoint-before',
  'source.checkpoint-after',
  'kafka.fencing',
  'kafka.id-taken',
  'kafka.fenced',
  'consumer.assigned',
  'search.ddl-before',
  'search.ddl-applied',
  'search.ddl-after',
  'search.truncated',
]);

/** Waits of the product, shortened: a fault is over in seconds. */
const QUICK = {
  PGSTREAM_POSTGRES_LISTENER_EXP_BACKOFF_INITIAL_INTERVAL: '100ms',
  PGSTREAM_POSTGRES_LISTENER_EXP_BACKOFF_MAX_INTERVAL: '1s',
  PGSTREAM_SEARCH_STORE_EXP_BACKOFF_INITIAL_INTERVAL: '50ms',
  PGSTREAM_SEARCH_STORE_EXP_BACKOFF_MAX_INTERVAL: '1s',
  PGSTREAM_KAFKA_READER_SESSION_TIMEOUT: '6s',
  PGSTREAM_KAFKA_WRITER_HEARTBEAT_INTERVAL: '10s',
} as const;

const DIRECT_ARGS = ['run', '--source', 'postgres', '--target', 'opensearch'] as const;

/** One run of a fault: the product on links that can fail, a workload, and what is watched meanwhile. */
export class Scene {
  readonly fault: Fault;
  readonly seed: number;
  readonly arena: Arena;
  readonly servers: Servers;
  readonly system: System;
  readonly links: Links;
  readonly crew: Crew;
  readonly load: Workload;
  readonly random: Random;
  progress: ProgressWatch | undefined;
  resources: ResourceWatch | undefined;
  /** The log as it was while everything was at rest: a fault that removes records from it must save them first. */
  logSoFar: readonly LogEntry[] | undefined;

  private constructor(
    fault: Fault,
    seed: number,
    arena: Arena,
    parts: Pick<Scene, 'servers' | 'system' | 'links'>,
  ) {
    this.fault = fault;
    this.seed = seed;
    this.arena = arena;
    this.servers = parts.servers;
    this.system = parts.system;
    this.links = parts.links;
    this.crew = new Crew(parts.system);
    this.random = new Random(seed);
    const { sql, prefix } = parts.system;
    this.load = new Workload({
      sql,
      prefix,
      schemas: SCHEMAS,
      seed,
      pauseMs: fault.load?.pauseMs ?? 60,
      writers: 2,
    });
  }

  static async open(fault: Fault, seed: number, arena: Arena): Promise<Scene> {
    const servers = await arena.servers(fault.servers ?? 'shared');
    const links = await Links.start(servers);
    const environment = (database: string) => ({
      ...QUICK,
      FAULTS_CLOCK_FILE: clockFileOf(database),
      ...links.environment(database),
      ...fault.environment,
    });
    const system = await System.open(servers, 'fault', environment);
    if (fault.init !== undefined) await system.product.run('init', ...fault.init);
    return new Scene(fault, seed, arena, { servers, system, links });
  }

  /** What it says is added to the wall clock of processes that were started with an adjustable one. */
  get clockFile(): string {
    return clockFileOf(this.system.prefix);
  }

  get isDirect(): boolean {
    return this.fault.route === 'direct';
  }

  /** Processes and workload run, and something has come all the way. */
  async start(): Promise<void> {
    for (const [name, value] of Object.entries(this.fault.database ?? {}))
      await this.system.sql.query(`ALTER DATABASE ${this.system.prefix} SET ${name} = '${value}'`);
    const started = this.isDirect
      ? [await this.launch('direct')]
      : [await this.launch('producer'), await this.launch('indexer-1'), await this.launch('indexer-2')];
    await this.load.prepare();
    for (const service of started) await untilReady(service);
    const { connection, topic, group: groupId, sql } = this.system;
    this.resources = new ResourceWatch(() =>
      this.crew.members.map(({ name, child }) => ({ name, pid: child.pid ?? -1 })),
    );
    this.load.start();
    if (this.fault.load?.watchesProgress === false) return;
    this.progress = new ProgressWatch({
      sql,
      log: this.isDirect ? null : { connection, topic, groupId },
      searchUrl: this.servers.searchUrl,
      schemas: this.load.schemas,
    });
    await waitFor('the first transactions to be in the index', () => this.indexed > 0, 60_000);
  }

  /** Entries of the ledger in the index at the last sample. */
  get indexed(): number {
    const found = this.progress?.samples.at(-1)?.indexed?.values() ?? [];
    return [...found].reduce((sum, entries) => sum + entries.size, 0);
  }

  /** From now on somebody else changes what is sampled: what was confirmed until here is judged. */
  async freezeProgress(): Promise<void> {
    await this.progress?.close();
  }

  /** Starts a process of the product by its role: `producer`, `producer-2`, `indexer-1`, `direct`, … */
  async launch(name: string): Promise<RunningService> {
    if (name.startsWith('direct')) return this.crew.launch('cli', name, ...DIRECT_ARGS);
    return this.crew.launch(name.startsWith('producer') ? 'wal-producer' : 'search-indexer', name);
  }

  /** SIGKILL wherever it is, and a new one at once. */
  async kill(name: string): Promise<void> {
    if (name.startsWith('direct')) return this.crew.replace('cli', name, ...DIRECT_ARGS);
    await this.crew.replace(name.startsWith('producer') ? 'wal-producer' : 'search-indexer', name);
  }

  /** Replaces a process by one that kills itself at the given point, waits for that, and starts it again. */
  async killAt(name: string, point: FailpointName, provoke?: () => Promise<void>): Promise<void> {
    await this.crew.stop(name, 'SIGKILL');
    const armed = this.system.product.withEnvironment({
      PGSTREAM_FAILPOINTS: `${point}:kill:${ONCE_A_LIFE.has(point) ? 0 : this.random.int(0, 2)}`,
    });
    const service = name.startsWith('producer') ? 'wal-producer' : 'search-indexer';
    this.crew.adopt(name, await armed.launch(service, name));
    const ending = new AbortController();
    const provoking = provoke === undefined ? undefined : again(provoke, ending.signal);
    try {
      await this.crew.absorbExit(name);
    } finally {
      ending.abort();
    }
    await provoking;
    await this.launch(name);
  }

  pid(name: string): number {
    return this.crew.member(name).child.pid ?? -1;
  }

  signal(name: string, signal: NodeJS.Signals): void {
    this.crew.member(name).child.kill(signal);
  }

  /** The workload goes on for a while, long enough for a fault to meet it. */
  async linger(ms: number): Promise<void> {
    await sleep(ms);
  }

  /** Until so many more transactions were committed. */
  async untilCommitted(more: number): Promise<void> {
    const goal = this.load.committed + more;
    await waitFor(`${more} more transactions`, () => this.load.committed >= goal, 60_000);
  }

  /** Until so many more transactions are in the index. */
  async untilIndexed(more: number, timeoutMs = 60_000): Promise<void> {
    const goal = this.indexed + more;
    await waitFor(`${more} more transactions in the index`, () => this.indexed >= goal, timeoutMs);
  }

  async until(what: string, probe: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
    await waitFor(what, probe, timeoutMs);
  }

  /** Until a process of that role has ended by itself. */
  async ended(role: 'producer' | 'indexer'): Promise<void> {
    await waitFor(
      `a ${role} to end`,
      () => this.crew.exits.some(({ name }) => name.startsWith(role)),
      60_000,
    );
  }

  /** Sum of a metric's samples in a process; 0 where it does not answer. */
  async metric(name: string, metric: string): Promise<number> {
    try {
      const samples = await samplesOf(this.crew.member(name), metric);
      return [...samples.values()].reduce((sum, value) => sum + value, 0);
    } catch {
      return 0;
    }
  }

  async search(method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(`${this.servers.searchUrl}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The whole log of a process by its name, lives before included. */
  logOf(name: string): string {
    const file = this.#logFile(name);
    return file === undefined ? '' : readFileSync(file, 'utf8');
  }

  logBytes(name: string): number {
    const file = this.#logFile(name);
    return file === undefined ? 0 : statSync(file).size;
  }

  /** Names of all processes that ever ran. */
  get names(): readonly string[] {
    return [...new Set(this.system.product.started.map(({ name }) => name))];
  }

  #logFile(name: string): string | undefined {
    return this.system.product.started.find((service) => service.name === name)?.logFile;
  }

  async close(): Promise<void> {
    this.resources?.close();
    await this.load.stop().catch(() => undefined);
    await this.progress?.close();
    this.links.heal();
    this.arena.keepLogs(`${this.fault.name}-${this.seed}`, this.system.product.started);
    await this.system.close();
    await this.links.close();
    rmSync(this.clockFile, { force: true });
  }
}

async function again(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await work();
    await sleep(PROVOKE_EVERY_MS);
  }
}

function clockFileOf(database: string): string {
  return join(tmpdir(), `${database}-clock`);
}
