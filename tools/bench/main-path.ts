import { startBenchWorld, type BenchWorld } from './bench-world.ts';
import { measureFreshness, type Freshness } from './commit-to-search.ts';
import {
  dropIndices,
  exportDocuments,
  indexWithLoop,
  indexWithProduct,
  type Indexing,
} from './kafka-to-search.ts';
import { NoiseMeter } from './noise.ts';
import { median } from './processes.ts';
import { figuresOfRounds, quietOf, type InRound } from './quiet-rounds.ts';
import { drainWithProduct, drainWithReference, type Drain } from './slot-to-kafka.ts';
import type { Check } from '../product/screen.ts';
import { warmStore } from './warm-store.ts';
import { gainOf, measureWorkers, prepareWorkers, SLOW_STORE_US, type WorkersRun } from './workers/workers.ts';
import { createTables, NARROW, WIDE } from './workload.ts';
import { untilSlotFree } from './peers/peer-world.ts';

const ROUNDS = { quiet: 4, most: 8 };
const STORE_WARM_UP_MS = 75_000;
const FRESH_INDICES = [1, 20];

export const PARTS = ['slot-to-kafka', 'kafka-to-search', 'workers', 'commit-to-search'] as const;
export type Part = (typeof PARTS)[number];

/** What was measured; empty where a part was left out. */
export interface Figures {
  readonly checks: readonly Check[];
  readonly drains: ReadonlyArray<Drain & InRound>;
  readonly indexing: ReadonlyArray<Indexing & InRound>;
  readonly workers: readonly WorkersRun[];
  readonly freshness: readonly Freshness[];
}

/** Slot to Kafka, Kafka to search and commit to `_search`, each beside its reference in the same run. */
export async function mainPath(parts: readonly Part[] = PARTS): Promise<Figures> {
  const world = await startBenchWorld();
  try {
    await createTables(world.sql, [NARROW, WIDE]);
    const drains = parts.includes('slot-to-kafka') ? await slotToKafka(world) : [];
    await prepareSearch(world, parts);
    const indexing = parts.includes('kafka-to-search') ? await kafkaToSearch(world) : [];
    const workers = parts.includes('workers') ? await measureWorkers(world, WIDE) : [];
    const freshness = parts.includes('commit-to-search') ? await commitToSearch(world) : [];
    const checks = [
      ...drainChecks(drains),
      ...indexingChecks(indexing),
      ...workersChecks(workers),
      ...freshnessChecks(freshness),
    ];
    return { checks, drains, indexing, workers, freshness };
  } finally {
    await world.close();
  }
}

/**
 * A B B A …: the reference reads the slot of the round and confirms nothing, then or before the product drains it.
 * The first round warms the servers up and is not counted: a fresh broker takes twice the CPU for a batch.
 */
async function slotToKafka(world: BenchWorld): Promise<Array<Drain & InRound>> {
  console.error('writing the workload …');
  const runs = Array.from({ length: ROUNDS.most + 1 }, (_, i) => `narrow_${i}`);
  for (const run of runs) world.product(run).command('init', '--keyless=full');
  await world.sql.query(NARROW.load);
  console.error('slot to Kafka, warming up …');
  await drainBoth(world, 'narrow_0', true);
  const once = (round: number) => {
    console.error(`slot to Kafka, round ${round + 1} …`);
    return drainBoth(world, `narrow_${round + 1}`, round % 2 === 1);
  };
  const drains = await figuresOfRounds(() => new NoiseMeter(world.stack), once, ROUNDS);
  for (const run of runs) world.product(run).command('tear-down', '--slot-only');
  return drains;
}

/** The same slot twice: a copy of it for the reference. */
async function drainBoth(world: BenchWorld, run: string, isReferenceFirst: boolean): Promise<Drain[]> {
  const copy = `${run}_ref`;
  await world.sql.query('SELECT pg_copy_logical_replication_slot($1, $2)', [run, copy]);
  const drains: Drain[] = [];
  const reference = () => drains.push(drainWithReference(world, copy, `${run}_pub`, NARROW));
  if (isReferenceFirst) reference();
  drains.push(await drainWithProduct(world, run, NARROW));
  if (!isReferenceFirst) reference();
  console.error(drains.map((drain) => `${drain.system} ${Math.round(drain.rowsPerS)}/s`).join(', '));
  await untilSlotFree(world, copy); // the server notices a reader that is gone a moment later
  await world.sql.query('SELECT pg_drop_replication_slot($1)', [copy]);
  return drains;
}

/** The run whose topic is searched. */
const SEARCH_RUN = 'wide_1';

/** Slots before rows. */
async function prepareSearch(world: BenchWorld, parts: readonly Part[]): Promise<void> {
  if (parts.every((part) => part === 'slot-to-kafka')) return;
  world.product(SEARCH_RUN).command('init', '--keyless=full');
  if (parts.includes('workers')) prepareWorkers(world);
  if (parts.includes('kafka-to-search') || parts.includes('workers')) await world.sql.query(WIDE.load);
}

async function kafkaToSearch(world: BenchWorld): Promise<Array<Indexing & InRound>> {
  const run = SEARCH_RUN;
  await drainWithProduct(world, run, WIDE);
  console.error('Kafka to search, warming up …');
  await indexWithProduct(world, run, WIDE);
  const file = await exportDocuments(world);
  const withLoop = async () => indexWithLoop(world, file, WIDE);
  let groups = 0;
  const withProduct = async () => {
    await dropIndices(world);
    const group = { PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: `round-${groups++}` };
    const consumer = world.product(run).withEnvironment(group);
    return indexWithProduct({ ...world, product: () => consumer }, run, WIDE);
  };
  await warmUp(withLoop, withProduct);
  const once = async (round: number) => {
    console.error(`Kafka to search, round ${round + 1} …`);
    const both: Indexing[] = [];
    for (const system of round % 2 === 0 ? [withLoop, withProduct] : [withProduct, withLoop])
      both.push(await system());
    return both;
  };
  return await figuresOfRounds(() => new NoiseMeter(world.stack), once, ROUNDS);
}

/** A fresh JVM indexes at half speed: until two rounds in a row bring no more than a twentieth, of neither system. */
async function warmUp(...systems: ReadonlyArray<() => Promise<Indexing>>): Promise<void> {
  const best = systems.map(() => 0);
  for (let [rounds, idle] = [0, 0]; rounds < 8 && idle < 2; rounds++) {
    idle += 1;
    for (const [i, system] of systems.entries()) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { system: name, docsPerS } = await system();
      if (docsPerS > (best[i] ?? 0) * 1.05) idle = 0;
      best[i] = Math.max(best[i] ?? 0, docsPerS);
      console.error(`  ${name} ${Math.round(docsPerS)} documents/s`);
    }
  }
}

/** What the parts before have left behind is gone or written out: the servers have nothing else to do. */
async function settle(world: BenchWorld): Promise<void> {
  await world.sql.query('DROP TABLE narrow, wide');
  await world.sql.query('CHECKPOINT');
  await dropIndices(world);
}

async function commitToSearch(world: BenchWorld): Promise<readonly Freshness[]> {
  await settle(world);
  console.error('commit to _search, warming up …');
  await warmStore(world, STORE_WARM_UP_MS);
  const product = world.product(SEARCH_RUN);
  await product.start('wal-producer', 'producer-fresh');
  await product.start('search-indexer', 'indexer-fresh');
  try {
    const windows: Freshness[] = [];
    for (const indices of FRESH_INDICES) {
      console.error(`commit to _search at 100 commits/s, ${indices} indices …`);
      windows.push(...(await measureFreshness(world, indices)));
    }
    return windows;
  } finally {
    await product.stopAll();
  }
}

function drainChecks(all: Figures['drains']): Check[] {
  if (all.length === 0) return [];
  const drains = quietOf(all);
  const ours = drains.filter((drain) => drain.system === 'pgstream');
  const reference = drains.filter((drain) => drain.system !== 'pgstream');
  // Of the same round: between two rounds the machine may be another one.
  const ratio = median(
    ours.map(({ rowsPerS }, round) => rowsPerS / (reference[round]?.rowsPerS ?? Number.NaN)),
  );
  return [
    atLeast('slot to Kafka, rate against the reference reader', ratio, 'x', 1.7),
    atMost('slot to Kafka, producer CPU per row', median(ours.map((drain) => drain.cpuUsPerRow)), 'µs', 3),
    atMost('slot to Kafka, peak RSS', peakRssMb(all), 'MB', 140),
  ];
}

/** Of every round: what others do costs no memory. */
function peakRssMb(drains: Figures['drains']): number {
  return Math.max(...drains.map((drain) => drain.peakRssMb).filter(Number.isFinite));
}

function indexingChecks(all: Figures['indexing']): Check[] {
  if (all.length === 0) return [];
  const indexing = quietOf(all);
  const own = indexing.filter((entry) => entry.system === 'pgstream');
  const loop = indexing.filter((entry) => entry.system !== 'pgstream');
  // Of the same round: between two rounds the machine may be another one.
  const share = median(own.map(({ docsPerS }, round) => docsPerS / (loop[round]?.docsPerS ?? Number.NaN)));
  const cpuUs = median(own.map((entry) => entry.cpuUsPerDoc));
  return [
    atLeast('Kafka to search, rate against the bare _bulk loop', share, 'x', 0.9),
    atMost('Kafka to search, worker CPU per document', cpuUs, 'µs', 8),
  ];
}

function workersChecks(runs: readonly WorkersRun[]): Check[] {
  if (runs.length === 0) return [];
  const name = `two workers against one, store of ${SLOW_STORE_US} µs per document`;
  return [atLeast(name, gainOf(runs, SLOW_STORE_US), 'x', 1.8)];
}

function freshnessChecks(windows: readonly Freshness[]): Check[] {
  if (windows.length === 0) return [];
  return FRESH_INDICES.flatMap((indices) => {
    const mine = quietOf(windows.filter((window) => window.indices === indices));
    const name = `commit to _search at 100 commits/s, ${indices === 1 ? '1 index' : `${indices} indices`}`;
    return [
      atMost(`${name}, p50`, median(mine.map((window) => window.p50Ms)), 'ms', 30),
      atMost(`${name}, p99`, median(mine.map((window) => window.p99Ms)), 'ms', 100),
    ];
  });
}

function atLeast(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value >= target };
}

function atMost(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value <= target };
}
