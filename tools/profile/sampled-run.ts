import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor, workspaceRoot } from '@pgstream/test-kit';
import type { Product, RunningService, ServiceName } from '../product/product.ts';
import { pidOf, settledAtLeast } from '../bench/slot-to-kafka.ts';
import { threadCpuOf } from './threads.ts';

export type Kind = 'cpu' | 'allocations';

export interface SampledRun {
  readonly product: Product;
  readonly service: ServiceName;
  readonly kind: Kind;
  /** Rows that the service settles in all. */
  readonly rows: number;
  /** Where the profile is left, in the format of V8's tools. */
  readonly file: string;
}

export interface Sampled {
  /** As V8 writes it. */
  readonly profile: unknown;
  /** That were settled while it was sampled. */
  readonly rows: number;
  readonly seconds: number;
  /** CPU of all threads per row, and of the one that runs JavaScript; the others compress and collect. */
  readonly cpuUsPerRow: number;
  readonly mainThreadUsPerRow: number;
}

/** Each look at the counters is work for the process that is sampled. */
const LOOK_EVERY_MS = 500;
/** Of the rows: by then code is compiled and buffers have grown. */
const WARM_UP_SHARE = 0.25;

/** The real service, as it is started anywhere, with a sampler loaded beside it. */
export async function sampledRun({ product, service, kind, rows, file }: SampledRun): Promise<Sampled> {
  rmSync(file, { force: true });
  const sampler = join(workspaceRoot(), 'tools/profile/sampler.ts');
  const sampled = product.withEnvironment({
    NODE_OPTIONS: `--disable-warning=ExperimentalWarning --import=${sampler}`,
    PROFILE_KIND: kind,
    PROFILE_FILE: file,
  });
  const running = await sampled.start(service, `${service}-${kind}-${Date.now().toString(36)}`);
  try {
    await settledAtLeast(running, Math.max(1, rows * WARM_UP_SHARE), LOOK_EVERY_MS);
    running.child.kill('SIGUSR2');
    const first = await settledAtLeast(running, 1, LOOK_EVERY_MS);
    const before = threadCpuOf(pidOf(running));
    const last = await settledAtLeast(running, rows, LOOK_EVERY_MS);
    const after = threadCpuOf(pidOf(running));
    const count = last.records - first.records;
    if (count <= 0) throw new Error('every row was settled before the sampling began: ask for more rows');
    return {
      profile: await profileOf(running, file),
      rows: count,
      seconds: (last.at - first.at) / 1000,
      cpuUsPerRow: ((after.allS - before.allS) / count) * 1e6,
      mainThreadUsPerRow: ((after.mainS - before.mainS) / count) * 1e6,
    };
  } finally {
    await sampled.stopAll();
  }
}

async function profileOf(running: RunningService, file: string): Promise<unknown> {
  running.child.kill('SIGUSR2');
  const patienceMs = 120_000;
  await waitFor(`the profile of ${running.name}`, async () => Promise.resolve(existsSync(file)), patienceMs);
  return JSON.parse(readFileSync(file, 'utf8'));
}
