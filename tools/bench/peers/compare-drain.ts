import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { machineCpuS, stolenCpuS } from '../processes.ts';
import type { CompareLoad, LoadName } from './compare-load.ts';
import type { Peer } from './peer.ts';
import type { PeerWorld } from './peer-world.ts';
import { treeUsage } from './process-tree.ts';
import { SegmentLog, type LogFacts } from './segment-log.ts';

/** One system draining one slot, from the first record in the log to the last: start-up is left out. */
export interface Drained {
  readonly system: string;
  readonly load: LoadName;
  readonly round: number;
  readonly rowsPerS: number;
  /** CPU seconds per million rows: of the system, of PostgreSQL with its walsender, of the broker. */
  readonly cpuS: number;
  readonly postgresCpuS: number;
  /** 0 for the reference, which writes nowhere. */
  readonly brokerCpuS: number;
  readonly peakRssMb: number;
  /** What the log takes on the broker's disk; 0 for the reference. */
  readonly logBytes: number;
  /** Share of the machine's CPU that went to processes that have no part in it. */
  readonly noise: number;
}

const LOOK_EVERY_MS = 10;
/** A log that does not grow for so long has ended without its last rows. */
const STALLED_MS = 300_000;

/** CPU seconds by now. */
export interface Usage {
  readonly peer: number;
  readonly postgres: number;
  readonly broker: number;
  /** This tool, which looks on. */
  readonly tool: number;
  readonly machine: number;
  readonly atMs: number;
}

export interface DrainFacts {
  readonly system: string;
  readonly load: CompareLoad;
  readonly round: number;
}

/** @throws {Error} when it ends by itself, or its log stands still before every row is in it. */
export async function drain(
  world: PeerWorld,
  peer: Peer,
  { system, load, round }: DrainFacts,
): Promise<Drained> {
  const log = new SegmentLog(join(world.logDir, `${peer.topic}-0`));
  const untilRecords = (wanted: number) => untilLogHas(log, wanted, { peer, system });
  try {
    await peer.start();
    const first = await untilRecords(1);
    const from = usageNow(world, peer.pid);
    const last = await untilRecords(load.rows);
    const [to, { peakRssMb }] = [usageNow(world, peer.pid), treeUsage(peer.pid)];
    const millions = (last.records - first.records) / 1e6;
    return {
      system,
      load: load.name,
      round,
      rowsPerS: rateOf(last),
      cpuS: (to.peer - from.peer) / millions,
      postgresCpuS: (to.postgres - from.postgres) / millions,
      brokerCpuS: (to.broker - from.broker) / millions,
      peakRssMb,
      logBytes: last.bytes,
      noise: noiseBetween(from, to),
    };
  } finally {
    await peer.stop();
  }
}

/** By the broker's own clock: the records after the first batch, in the time from its append to that of the last. */
export function rateOf({ records, firstRecords, firstAppendMs, lastAppendMs }: LogFacts): number {
  return (records - firstRecords) / ((lastAppendMs - firstAppendMs) / 1000);
}

async function untilLogHas(
  log: SegmentLog,
  wanted: number,
  { peer, system }: { readonly peer: Peer; readonly system: string },
): Promise<LogFacts> {
  let [last, grewAt] = [-1, performance.now()];
  for (;;) {
    const facts = log.look();
    if (facts.records >= wanted) return facts;
    const failure = peer.failure();
    if (failure !== undefined) throw new Error(failure);
    if (facts.records !== last) [last, grewAt] = [facts.records, performance.now()];
    if (performance.now() - grewAt > STALLED_MS)
      throw new Error(`${system}: its log stands at ${last} records, ${wanted} are needed`);
    // oxlint-disable-next-line no-await-in-loop -- a loop that looks
    await sleep(LOOK_EVERY_MS);
  }
}

export function usageNow({ pids }: PeerWorld, peerPid: number): Usage {
  const { user, system } = process.cpuUsage();
  return {
    peer: peerPid > 0 ? treeUsage(peerPid).cpuS : 0,
    postgres: treeUsage(pids.postgres).cpuS,
    broker: treeUsage(pids.kafka).cpuS,
    tool: (user + system) / 1e6,
    machine: machineCpuS() + stolenCpuS(),
    atMs: performance.now(),
  };
}

/** @returns 0 to 1: of all cores over the whole time. */
export function noiseBetween(from: Usage, to: Usage, cores = availableParallelism()): number {
  const used = (usage: Usage) => usage.peer + usage.postgres + usage.broker + usage.tool;
  const others = to.machine - from.machine - (used(to) - used(from));
  return Math.max(0, others) / (((to.atMs - from.atMs) / 1000) * cores);
}
