import type { HookServers } from '../../webhooks/hook-environment.ts';
import type { BenchWorld } from '../bench-world.ts';
import { median } from '../processes.ts';
import { measureHookLatency, type HookLatency } from './freshness.ts';
import { drained } from './throughput.ts';

/** Of twenty, this many never answer. */
const BLACK_HOLES = 5;
const ENDPOINTS = 20;
const ROUNDS = 5;

/** Of all rounds the median, member by member. */
export interface Isolation {
  readonly alone: HookLatency;
  readonly besideHoles: HookLatency;
  readonly alonePerS: number;
  readonly besideHolesPerS: number;
  /** p99 beside black holes in that without: the median of what the two turns of one round say. */
  readonly p99Times: number;
  /** Deliveries likewise. */
  readonly throughputPercent: number;
}

interface Half {
  readonly latencies: HookLatency[];
  readonly perS: number[];
}

/** The same endpoints, without and with black holes beside them, in turns: between two rounds the machine may be another one. */
export async function measureIsolation(
  world: BenchWorld,
  options: {
    readonly servers: HookServers;
    /** Of one turn. */
    readonly secondsPerHalf: number;
    readonly events: number;
  },
): Promise<Isolation> {
  const alone: Half = { latencies: [], perS: [] };
  const besideHoles: Half = { latencies: [], perS: [] };
  for (let round = 0; round < ROUNDS; round++) {
    const turns = [async () => turnOf(alone, 0), async () => turnOf(besideHoles, BLACK_HOLES)];
    // oxlint-disable-next-line no-await-in-loop -- one system at a time
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    console.error(
      `isolation, round ${round + 1}: alone ${said(alone)}, beside black holes ${said(besideHoles)}`,
    );
  }
  return {
    alone: middle(alone.latencies),
    besideHoles: middle(besideHoles.latencies),
    alonePerS: median(alone.perS),
    besideHolesPerS: median(besideHoles.perS),
    p99Times: median(
      besideHoles.latencies.map(({ p99Ms }, i) => p99Ms / (alone.latencies[i]?.p99Ms ?? Number.NaN)),
    ),
    throughputPercent: median(besideHoles.perS.map((perS, i) => (perS / (alone.perS[i] ?? 0)) * 100)),
  };

  async function turnOf({ latencies, perS }: Half, blackHoles: number): Promise<void> {
    const { servers, secondsPerHalf: seconds, events } = options;
    const run = `hook_${blackHoles}_${latencies.length}`;
    const endpoints = ENDPOINTS - BLACK_HOLES;
    latencies.push(await measureHookLatency(world, run, { seconds, endpoints, blackHoles }));
    perS.push(await drained(servers, events, endpoints, blackHoles));
  }
}

function middle(all: readonly HookLatency[]): HookLatency {
  return {
    p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
    maxMs: Math.max(...all.map(({ maxMs }) => maxMs)),
  };
}

function said({ latencies, perS }: Half): string {
  return `p99 ${latencies.at(-1)?.p99Ms.toFixed(1)} ms and ${Math.round(perS.at(-1) ?? 0)}/s`;
}
