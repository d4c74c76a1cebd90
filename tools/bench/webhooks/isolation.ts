import type { HookServers } from '../../webhooks/hook-environment.ts';
import type { BenchWorld } from '../bench-world.ts';
import { NoiseMeter } from '../noise.ts';
import { median } from '../processes.ts';
import { measureHookLatency, type HookLatency } from './freshness.ts';
import { quietRounds, type RoundCounts } from '../quiet-rounds.ts';
import { drained } from './throughput.ts';

/** Of twenty, this many never answer. */
const BLACK_HOLES = 5;
const ENDPOINTS = 20;

/** Of the rounds that count the median, member by member. */
export interface Isolation extends RoundCounts {
  readonly alone: HookLatency;
  readonly besideHoles: HookLatency;
  readonly alonePerS: number;
  readonly besideHolesPerS: number;
  /** p99 beside black holes in that without: the median of what the two turns of one round say. */
  readonly p99Times: number;
  /** Deliveries likewise. */
  readonly throughputPercent: number;
}

interface Turn {
  readonly latency: HookLatency;
  readonly perS: number;
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
  const { counted, made, noisy } = await quietRounds(
    () => new NoiseMeter(world.stack),
    async (round) => {
      const isAloneFirst = round % 2 === 0;
      const first = await turnOf(round, isAloneFirst ? 0 : BLACK_HOLES);
      const second = await turnOf(round, isAloneFirst ? BLACK_HOLES : 0);
      const [alone, beside] = isAloneFirst ? [first, second] : [second, first];
      console.error(
        `isolation, round ${round + 1}: alone ${said(alone)}, beside black holes ${said(beside)}`,
      );
      return { alone, beside };
    },
  );
  return {
    made,
    noisy,
    alone: middle(counted.map(({ alone }) => alone.latency)),
    besideHoles: middle(counted.map(({ beside }) => beside.latency)),
    alonePerS: median(counted.map(({ alone }) => alone.perS)),
    besideHolesPerS: median(counted.map(({ beside }) => beside.perS)),
    p99Times: median(counted.map(({ alone, beside }) => beside.latency.p99Ms / alone.latency.p99Ms)),
    throughputPercent: median(counted.map(({ alone, beside }) => (beside.perS / alone.perS) * 100)),
  };

  async function turnOf(round: number, blackHoles: number): Promise<Turn> {
    const { servers, secondsPerHalf: seconds, events } = options;
    const run = `hook_${blackHoles}_${round}`;
    const endpoints = ENDPOINTS - BLACK_HOLES;
    const latency = await measureHookLatency(world, run, { seconds, endpoints, blackHoles });
    return { latency, perS: await drained(servers, events, endpoints, blackHoles) };
  }
}

function middle(all: readonly HookLatency[]): HookLatency {
  return {
    p50Ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(all.map(({ p99Ms }) => p99Ms)),
    maxMs: Math.max(...all.map(({ maxMs }) => maxMs)),
  };
}

function said({ latency, perS }: Turn): string {
  return `p99 ${latency.p99Ms.toFixed(1)} ms and ${Math.round(perS)}/s`;
}
