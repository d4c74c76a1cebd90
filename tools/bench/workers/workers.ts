import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeGroup } from '@pgstream/kafka-client';
import { waitFor, workspaceRoot } from '@pgstream/test-kit';
import type { BenchWorld } from '../bench-world.ts';
import { NoiseMeter } from '../noise.ts';
import { connectionTo } from '../peers/peer-world.ts';
import { median, usageOf } from '../processes.ts';
import { figuresOfRounds, quietOf, type InRound } from '../quiet-rounds.ts';
import { drainWithProduct, pidOf } from '../slot-to-kafka.ts';
import type { Workload } from '../workload.ts';

/** Some workers of one group draining a topic into a store that takes as much as comes. */
export interface WorkersRun extends InRound {
  readonly workers: number;
  /** Of each bulk, for each of its documents. */
  readonly storeUsPerDoc: number;
  readonly docsPerS: number;
  /** Of all workers together. */
  readonly cpuUsPerDoc: number;
}

/** Its slot and topic. Rows are spread by their keys: one table fills every partition. */
export const WORKERS_RUN = 'workers';
const PARTITIONS = 4;
const SPREAD = {
  PGSTREAM_KAFKA_TOPIC_PARTITIONS: String(PARTITIONS),
  PGSTREAM_KAFKA_TOPIC_PARTITION_KEY: 'identity',
};
/** A worker waits for such a store, and has CPU to spare; the other store answers at once, and the machine is the limit. */
export const SLOW_STORE_US = 100;
const STORES_US = [SLOW_STORE_US, 0];
const ROUNDS = { quiet: 2, most: 4 };
const LOOK_EVERY_MS = 20;

/** Makes the slot; before the workload is written. */
export function prepareWorkers(world: BenchWorld): void {
  world.product(WORKERS_RUN).withEnvironment(SPREAD).command('init', '--keyless=full');
}

/** One worker, two, two, one, for each store. */
export async function measureWorkers(world: BenchWorld, workload: Workload): Promise<WorkersRun[]> {
  const product = world.product(WORKERS_RUN).withEnvironment(SPREAD);
  console.error('one worker and two, filling the topic …');
  await drainWithProduct({ ...world, product: () => product }, WORKERS_RUN, workload);
  const runs: WorkersRun[] = [];
  for (const storeUsPerDoc of STORES_US) {
    const bothOf = (round: number) =>
      oneAndTwo(world, workload, { storeUsPerDoc, isOneFirst: round % 2 === 0 });
    runs.push(...(await figuresOfRounds(() => new NoiseMeter(world.stack), bothOf, ROUNDS)));
  }
  return runs;
}

type Measured = Omit<WorkersRun, 'noiseCores'>;

async function oneAndTwo(
  world: BenchWorld,
  workload: Workload,
  { storeUsPerDoc, isOneFirst }: { readonly storeUsPerDoc: number; readonly isOneFirst: boolean },
): Promise<Measured[]> {
  const runs: Measured[] = [];
  for (const workers of isOneFirst ? [1, 2] : [2, 1]) {
    // oxlint-disable-next-line no-await-in-loop -- one system at a time
    const run = await measureOnce(world, workload, { workers, storeUsPerDoc });
    console.error(
      `  store of ${storeUsPerDoc} µs per document, ${workers} workers: ${Math.round(run.docsPerS)} documents/s`,
    );
    runs.push(run);
  }
  return runs;
}

/** How many times the rate of one worker two of them reach. */
export function gainOf(runs: readonly WorkersRun[], storeUsPerDoc: number): number {
  const counted = quietOf(runs.filter((run) => run.storeUsPerDoc === storeUsPerDoc));
  const rateOf = (workers: number) =>
    median(counted.filter((run) => run.workers === workers).map(({ docsPerS }) => docsPerS));
  return rateOf(2) / rateOf(1);
}

let groups = 0;

async function measureOnce(
  world: BenchWorld,
  workload: Workload,
  { workers, storeUsPerDoc }: Pick<WorkersRun, 'workers' | 'storeUsPerDoc'>,
): Promise<Measured> {
  const store = await NullIndex.start(world.searchUrl, storeUsPerDoc);
  const group = `workers-${++groups}`;
  const product = world.product(WORKERS_RUN).withEnvironment({
    PGSTREAM_OPENSEARCH_STORE_URL: store.url,
    PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: group,
  });
  try {
    const names = Array.from({ length: workers }, (_, i) => `worker-${groups}-${i + 1}`);
    const started = await Promise.all(names.map((name) => product.start('search-indexer', name)));
    const pids = started.map(pidOf);
    await waitFor('the group to be shared out', () => isSharedOut(world.broker, group, workers));
    const cpuS = () => pids.reduce((sum, pid) => sum + usageOf(pid).cpuS, 0);
    await store.open();
    const first = await store.documentsAtLeast(workload.warmUpRows);
    const [beforeS, fromMs] = [cpuS(), performance.now()];
    const documents = (await store.documentsAtLeast(workload.rows)) - first;
    const [afterS, toMs] = [cpuS(), performance.now()];
    return {
      workers,
      storeUsPerDoc,
      docsPerS: documents / ((toMs - fromMs) / 1000),
      cpuUsPerDoc: ((afterS - beforeS) / documents) * 1e6,
    };
  } finally {
    await product.stopAll();
    store.stop();
  }
}

async function isSharedOut(broker: string, group: string, workers: number): Promise<boolean> {
  const { state, members } = await describeGroup(connectionTo(broker), group);
  return (
    state === 'Stable' &&
    members.length === workers &&
    members.every(({ assignment }) => (assignment[WORKERS_RUN] ?? []).length === PARTITIONS / workers)
  );
}

class NullIndex {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: string) {
    this.#child = child;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(store: string, usPerDocument: number): Promise<NullIndex> {
    const script = join(workspaceRoot(), 'tools/bench/workers/null-index.ts');
    const flags = ['--disable-warning=ExperimentalWarning', script, store, String(usPerDocument)];
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(createInterface(child.stdout), 'line');
    return new NullIndex(child, String(port));
  }

  async open(): Promise<void> {
    await fetch(`${this.url}/_null/open`, { method: 'POST' });
  }

  async documentsAtLeast(wanted: number): Promise<number> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- a loop that looks
      const documents = Number(await (await fetch(`${this.url}/_null/documents`)).text());
      if (documents >= wanted) return documents;
      // oxlint-disable-next-line no-await-in-loop -- see above
      await sleep(LOOK_EVERY_MS);
    }
  }

  stop(): void {
    this.#child.kill();
  }
}
