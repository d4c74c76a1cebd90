import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { workspaceRoot } from '@pgstream/test-kit';
import { noiseBetween, usageNow, type Drained, type DrainFacts, type Usage } from './compare-drain.ts';
import { RECVLOGICAL, REFERENCE } from './names.ts';
import type { PeerWorld } from './peer-world.ts';
import { treeUsage } from './process-tree.ts';

interface Place {
  readonly slot: string;
  readonly publication: string;
}

/** Reads a copy of the slot and writes nowhere: what is left of a system when all that it does is taken away. */
export interface Reference {
  readonly name: string;
  read(world: PeerWorld, place: Place, facts: DrainFacts): Promise<Drained>;
}

/** The eager reader, which decodes nothing. */
export const EAGER_READER: Reference = { name: REFERENCE, read: readEagerly };

/** PostgreSQL's own client, which PG_BIN names the folder of. It starts with the first row, as the eager reader does. */
export function recvlogical(binDir: string): Reference {
  return {
    name: RECVLOGICAL,
    read: async (world, { slot, publication }, facts) => {
      const { rows } = await world.sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
      const args = ['-d', world.url, '-S', slot, '--start', '--no-loop', '-f', '/dev/null'];
      const options = ['-o', 'proto_version=1', '-o', `publication_names=${publication}`];
      const end = ['-E', String(rows[0]?.['lsn'])];
      const [from, begunMs] = [usageNow(world, -1), performance.now()];
      const child = spawn(join(binDir, 'pg_recvlogical'), [...args, ...options, ...end], {
        stdio: 'inherit',
      });
      let cpuS = 0;
      const watch = setInterval(
        () => (cpuS = Math.max(cpuS, treeUsage(child.pid ?? -1).cpuS)),
        WATCH_EVERY_MS,
      );
      await once(child, 'close');
      clearInterval(watch);
      if (child.exitCode !== 0) throw new Error(`pg_recvlogical ended with ${child.exitCode}`);
      const seconds = (performance.now() - begunMs) / 1000;
      return figures(world, facts, { from, rows: facts.load.rows, seconds, cpuS });
    },
  };
}

const WATCH_EVERY_MS = 50;

async function readEagerly(
  world: PeerWorld,
  { slot, publication }: Place,
  facts: DrainFacts,
): Promise<Drained> {
  const { load } = facts;
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
  return figures(world, facts, { from, rows, seconds, cpuS });
}

function figures(
  world: PeerWorld,
  { system, load, round }: DrainFacts,
  { from, rows, seconds, cpuS }: { from: Usage; rows: number; seconds: number; cpuS: number },
): Drained {
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
