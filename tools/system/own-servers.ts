import { spawnSync } from 'node:child_process';
import { renameSync, rmSync } from 'node:fs';
import {
  isAlive,
  removeCluster,
  startKafka,
  startPostgres,
  startSearch,
  stopKafka,
  stopPostgres,
  stopSearch,
  type KafkaServer,
  type PostgresServer,
  type SearchServer,
} from '@pgstream/test-kit';
import type { Servers } from './system.ts';

/** Servers that a test may stop: they come back with their data, on the same ports. */
export class OwnServers {
  #postgres: PostgresServer;
  #kafka: KafkaServer;
  #search: SearchServer;

  private constructor(postgres: PostgresServer, kafka: KafkaServer, search: SearchServer) {
    this.#postgres = postgres;
    this.#kafka = kafka;
    this.#search = search;
  }

  static async start(): Promise<OwnServers> {
    const servers = [
      startPostgres({ major: 17 }),
      startKafka({ heapMb: 256 }),
      startSearch({ heapMb: 512 }),
    ] as const;
    try {
      return new OwnServers(...(await Promise.all(servers)));
    } catch (error) {
      // One that fails must not leave the others behind.
      const [postgres, kafka, search] = await Promise.allSettled(servers);
      if (postgres.status === 'fulfilled') await stopPostgres(postgres.value);
      if (kafka.status === 'fulfilled') await stopKafka(kafka.value);
      if (search.status === 'fulfilled') await stopSearch(search.value);
      throw error;
    }
  }

  get endpoints(): Servers {
    return {
      postgresUrl: this.#postgres.url,
      kafkaBroker: this.#kafka.broker,
      searchUrl: this.#search.url,
    };
  }

  get pids(): { readonly postgres: number; readonly kafka: number; readonly search: number } {
    return { postgres: this.#postgres.pid, kafka: this.#kafka.pid, search: this.#search.pid };
  }

  /** Where PostgreSQL keeps its data. */
  get dataDir(): string {
    return this.#postgres.dataDir;
  }

  async stopKafka(): Promise<void> {
    await stopKafka(this.#kafka, 'SIGKILL');
  }

  async startKafka(): Promise<void> {
    const { broker, dir } = this.#kafka;
    this.#kafka = await startKafka({ dir, heapMb: 256 });
    samePlace(broker, this.#kafka.broker);
  }

  async stopSearch(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await stopSearch(this.#search, signal);
  }

  async startSearch(): Promise<void> {
    const { url, dir, port, kind } = this.#search;
    this.#search = await startSearch({ dir, port, kind, heapMb: 512 });
    samePlace(url, this.#search.url);
  }

  /** An immediate shutdown: no checkpoint, connections cut; the next start recovers from the WAL. */
  async stopPostgres(signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
    await stopPostgres(this.#postgres, signal);
  }

  async startPostgres(): Promise<void> {
    const { url, dataDir, port, major } = this.#postgres;
    this.#postgres = await startPostgres({ major, dataDir, port });
    samePlace(url, this.#postgres.url);
  }

  /** From now on the server's files may not grow past so many bytes: to it, the disk is full. */
  fillDisk(server: 'postgres' | 'kafka' | 'search', bytes: number): void {
    const { [server]: pid } = this.pids;
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${bytes}`], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`prlimit: ${stderr}`);
  }

  isRunning(server: 'postgres' | 'kafka' | 'search'): boolean {
    return isAlive(this.pids[server]);
  }

  get areRunning(): boolean {
    return Object.values(this.pids).every((pid) => isAlive(pid));
  }

  /** The data of a stopped PostgreSQL is replaced by a copy of it, which is used up. */
  restoreFrom(copy: string): void {
    const { dataDir } = this.#postgres;
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(copy, dataDir);
  }

  async close(): Promise<void> {
    await Promise.all([
      stopPostgres(this.#postgres, 'SIGQUIT'),
      stopKafka(this.#kafka, 'SIGKILL'),
      stopSearch(this.#search, 'SIGKILL'),
    ]);
    removeCluster(this.#postgres);
    for (const { dir } of [this.#kafka, this.#search]) rmSync(dir, { recursive: true, force: true });
  }
}

function samePlace(before: string, now: string): void {
  if (before !== now) throw new Error(`${before} was taken while the server was down: it is at ${now} now`);
}
