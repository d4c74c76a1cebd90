import { mkdirSync, writeFileSync } from 'node:fs';
import type { HeapProfiler, Profiler } from 'node:inspector';
import { join } from 'node:path';
import type { BenchWorld } from '../bench/bench-world.ts';
import { dropIndices } from '../bench/kafka-to-search.ts';
import { drainWithProduct } from '../bench/slot-to-kafka.ts';
import { narrowOf, wideOf } from '../bench/workload.ts';
import { allocationTree, cpuTree, heaviest, type CallNode } from './call-tree.ts';
import { flamePage } from './flame-page.ts';
import { sampledRun, type Kind, type Sampled } from './sampled-run.ts';

export const PARTS = ['slot-to-kafka', 'kafka-to-search'] as const;
export type Part = (typeof PARTS)[number];

const KINDS = ['cpu', 'allocations'] as const;
const ROWS: Readonly<Record<Part, number>> = { 'slot-to-kafka': 1_000_000, 'kafka-to-search': 200_000 };
const HEAVIEST = 10;

export interface ProfileOptions {
  readonly parts: readonly Part[];
  /** Where pages and profiles are left. */
  readonly dir: string;
  /** Instead of the usual number, to try things out; a multiple of 200. */
  readonly rows: number | undefined;
}

/** Profiles the real services, each draining what was written before: once for CPU, once for allocations. */
export async function profileMainPath(
  world: BenchWorld,
  { parts, dir, rows }: ProfileOptions,
): Promise<void> {
  mkdirSync(dir, { recursive: true });
  if (parts.includes('slot-to-kafka')) await profileProducer(world, dir, rows ?? ROWS['slot-to-kafka']);
  if (parts.includes('kafka-to-search')) await profileIndexer(world, dir, rows ?? ROWS['kafka-to-search']);
}

const slotOf = (kind: Kind) => `profile_${kind}`;

async function profileProducer(world: BenchWorld, dir: string, rows: number): Promise<void> {
  const workload = narrowOf(rows);
  await world.sql.query(workload.create);
  for (const kind of KINDS) world.product(slotOf(kind)).command('init', '--keyless=full');
  await world.sql.query(workload.load);
  for (const kind of KINDS) {
    console.error(`wal-producer, ${kind} …`);
    const product = world.product(slotOf(kind));
    const file = join(dir, fileOf(kind, 'slot-to-kafka'));
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they would share the cores
    const sampled = await sampledRun({ product, service: 'wal-producer', kind, rows, file });
    report('slot-to-kafka', kind, sampled, dir);
    product.command('tear-down', '--slot-only');
  }
}

async function profileIndexer(world: BenchWorld, dir: string, rows: number): Promise<void> {
  const workload = wideOf(rows);
  const run = 'profile_wide';
  await world.sql.query(workload.create);
  world.product(run).command('init', '--keyless=full');
  await world.sql.query(workload.load);
  console.error('filling the topic …');
  await drainWithProduct(world, run, workload);
  for (const kind of KINDS) {
    console.error(`search-indexer, ${kind} …`);
    const group = { PGSTREAM_KAFKA_READER_CONSUMER_GROUP_ID: `${run}-${kind}` };
    const product = world.product(run).withEnvironment(group);
    const file = join(dir, fileOf(kind, 'kafka-to-search'));
    // oxlint-disable-next-line no-await-in-loop -- one after the other: they would share the cores
    const sampled = await sampledRun({ product, service: 'search-indexer', kind, rows, file });
    report('kafka-to-search', kind, sampled, dir);
    // oxlint-disable-next-line no-await-in-loop -- the next run finds nothing there
    await dropIndices(world, `public.${workload.table}`);
  }
  world.product(run).command('tear-down', '--slot-only');
}

function fileOf(kind: Kind, part: Part): string {
  return `${part}.${kind === 'cpu' ? 'cpuprofile' : 'heapprofile'}`;
}

/** The page, and on the terminal what is at the top of it. */
function report(part: Part, kind: Kind, sampled: Sampled, dir: string): void {
  const { rows, seconds, cpuUsPerRow, mainThreadUsPerRow } = sampled;
  const root = treeOf(kind, sampled.profile);
  const unit = kind === 'cpu' ? 'µs' : 'B';
  const page = join(dir, `${part}-${kind}.html`);
  // samples tell shares: on a busy machine they also count the time in which the thread had no core
  const perRow = kind === 'cpu' ? mainThreadUsPerRow / root.value : 1 / rows;
  writeFileSync(page, flamePage({ title: `${part}, ${kind}`, unit, perRow, root }));
  const rate = Math.round(rows / seconds).toLocaleString('en-US');
  console.log(`\n${part}, ${kind}: ${rows.toLocaleString('en-US')} rows, ${rate} rows/s while sampled`);
  console.log(
    `CPU per row: ${cpuUsPerRow.toFixed(2)} µs, of it ${mainThreadUsPerRow.toFixed(2)} µs on the main thread, which is what samples see`,
  );
  for (const { name, place, self } of heaviest(root, HEAVIEST)) {
    const share = ((self / root.value) * 100).toFixed(1).padStart(5);
    console.log(`${(self * perRow).toFixed(3).padStart(9)} ${unit}/row ${share} %  ${name}  ${place}`);
  }
  console.log(page);
}

function treeOf(kind: Kind, profile: unknown): CallNode {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the inspector wrote
  if (kind === 'cpu') return cpuTree(profile as Profiler.Profile);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above
  return allocationTree(profile as HeapProfiler.SamplingHeapProfile);
}
