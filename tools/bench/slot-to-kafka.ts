import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import { samplesOf, type RunningService } from '../product/product.ts';
import type { BenchWorld } from './bench-world.ts';
import { treeUsage } from './peers/process-tree.ts';
import { usageOf } from './processes.ts';
import type { Workload } from './workload.ts';

/** One system draining one slot. */
export interface Drain {
  readonly system: string;
  readonly rowsPerS: number;
  /** CPU of the system's own process per row. */
  readonly cpuUsPerRow: number;
  /** Unknown for the reference. */
  readonly peakRssMb: number;
  /** CPU of PostgreSQL with its walsender, and of the broker, per row; unknown for the reference. */
  readonly postgresUsPerRow: number;
  readonly brokerUsPerRow: number;
}

const SETTLED = 'pgstream_pipeline_records_total';

/** The product, from the first settled record that counts to its last: start-up excluded. */
export async function drainWithProduct(world: BenchWorld, run: string, workload: Workload): Promise<Drain> {
  const product = world.product(run);
  const producer = await product.start('wal-producer', `producer-${run}`);
  try {
    const first = await settledAtLeast(producer, workload.warmUpRows);
    const [before, serversBefore] = [usageOf(pidOf(producer)), serversNow(world)];
    const last = await settledAtLeast(producer, workload.rows);
    const [after, servers] = [usageOf(pidOf(producer)), serversNow(world)];
    const rows = last.records - first.records;
    const usPerRow = (fromS: number, toS: number) => ((toS - fromS) / rows) * 1e6;
    return {
      system: 'pgstream',
      rowsPerS: rows / ((last.at - first.at) / 1000),
      cpuUsPerRow: usPerRow(before.cpuS, after.cpuS),
      peakRssMb: after.peakRssMb,
      postgresUsPerRow: usPerRow(serversBefore.postgresS, servers.postgresS),
      brokerUsPerRow: usPerRow(serversBefore.brokerS, servers.brokerS),
    };
  } finally {
    await product.stopAll();
  }
}

/** CPU seconds of the servers by now. */
function serversNow({ stack }: BenchWorld): { readonly postgresS: number; readonly brokerS: number } {
  const [postgres] = stack.postgres;
  return {
    postgresS: treeUsage(postgres?.pid ?? -1).cpuS,
    brokerS: usageOf(stack.kafka?.pid ?? -1).cpuS,
  };
}

/** The eager reader that decodes nothing, on the same WAL. */
export function drainWithReference(
  world: BenchWorld,
  slot: string,
  publication: string,
  workload: Workload,
): Drain {
  const script = join(workspaceRoot(), 'tools/bench/reference-reader.ts');
  const flags = [
    '--disable-warning=ExperimentalWarning',
    script,
    world.url,
    slot,
    publication,
    String(workload.rows),
    String(workload.warmUpRows),
  ];
  const result = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the reference reader failed\n${result.stderr}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader's own line
  const { rows, seconds, cpuS } = JSON.parse(result.stdout) as {
    rows: number;
    seconds: number;
    cpuS: number;
  };
  return {
    system: 'reference reader',
    rowsPerS: rows / seconds,
    cpuUsPerRow: (cpuS / rows) * 1e6,
    peakRssMb: Number.NaN,
    postgresUsPerRow: Number.NaN,
    brokerUsPerRow: Number.NaN,
  };
}

/** Waits until `service` has settled so many records; by its own counter. @throws {Error} where it ended instead */
export async function settledAtLeast(
  service: RunningService,
  wanted: number,
  everyMs = 100,
): Promise<{ records: number; at: number }> {
  for (;;) {
    if (service.child.exitCode !== null) throw new Error(`${service.name} ended: see ${service.logFile}`);
    const samples = await samplesOf(service, SETTLED);
    const records = [...samples.values()].reduce((sum, value) => sum + value, 0);
    if (records >= wanted) return { records, at: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

export function pidOf(service: RunningService): number {
  return service.child.pid ?? -1;
}
