import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import { noiseBetween, usageNow, type Drained, type DrainFacts } from './compare-drain.ts';
import type { PeerWorld } from './peer-world.ts';

/** The eager reader that decodes nothing and writes nowhere, on a copy of the same slot. */
export async function drainWithReference(
  world: PeerWorld,
  { slot, publication }: { readonly slot: string; readonly publication: string },
  { system, load, round }: DrainFacts,
): Promise<Drained> {
  const script = join(workspaceRoot(), 'tools/bench/reference-reader.ts');
  const flags = ['--disable-warning=ExperimentalWarning', script];
  const from = usageNow(world, -1);
  const child = spawn(process.execPath, [...flags, world.url, slot, publication, String(load.rows)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part) => (text += String(part)));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`the reference reader ended with ${child.exitCode}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the reader's own line
  const { rows, seconds, cpuS } = JSON.parse(text) as { rows: number; seconds: number; cpuS: number };
  const to = usageNow(world, -1);
  return {
    system,
    load: load.name,
    round,
    rowsPerS: rows / seconds,
    cpuS: (cpuS / rows) * 1e6,
    postgresCpuS: ((to.postgres - from.postgres) / rows) * 1e6,
    brokerCpuS: 0,
    peakRssMb: 0,
    logBytes: 0,
    noise: noiseBetween(from, { ...to, peer: cpuS }),
  };
}
