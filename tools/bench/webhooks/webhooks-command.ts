import { parseArgs } from 'node:util';
import type { Check } from '../../product/screen.ts';
import { startBenchWorld } from '../bench-world.ts';
import { imageNodeOptions } from '../image-options.ts';
import { measureHookLatency, type HookLatency } from './freshness.ts';
import { measureIsolation, type Isolation } from './isolation.ts';
import { measureOutage, type Outage } from './outage.ts';
import { measureThroughput, type Throughput } from './throughput.ts';

const ONLY = ['throughput', 'latency', 'isolation', 'memory'] as const;
type Part = (typeof ONLY)[number];
export const WEBHOOKS_USAGE = `npm run bench -- webhooks [--quick] [--only ${ONLY.join(' | ')}] [--json FILE]`;

interface Plan {
  readonly throughputEvents: number;
  readonly latencySeconds: number;
  readonly isolationEvents: number;
  readonly outageEvents: number;
}
const FULL: Plan = {
  throughputEvents: 200_000,
  latencySeconds: 60,
  isolationEvents: 10_000,
  outageEvents: 1_000_000,
};
const QUICK: Plan = {
  throughputEvents: 3_000,
  latencySeconds: 5,
  isolationEvents: 1_000,
  outageEvents: 10_000,
};

const MAX_PARKED = 1_000;

export interface WebhookFigures {
  readonly checks: readonly Check[];
  readonly throughput?: Throughput;
  readonly latency?: HookLatency;
  readonly isolation?: Isolation;
  readonly outage?: Outage;
}

interface Measured {
  readonly figures: WebhookFigures;
  readonly jsonFile: string | undefined;
}

/** @returns `undefined` for arguments that say nothing known */
export function webhooksCommand(args: readonly string[]): (() => Promise<Measured>) | undefined {
  try {
    const options = {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      json: { type: 'string' },
    } as const;
    const { quick, only, json } = parseArgs({ args: [...args], options }).values;
    const parts = ONLY.filter((part) => only === undefined || only === part);
    return parts.length === 0 ? undefined : () => measure(quick ? QUICK : FULL, parts, json);
  } catch {
    return undefined;
  }
}

async function measure(plan: Plan, parts: readonly Part[], jsonFile: string | undefined): Promise<Measured> {
  // Of every Node that is started from here on: the product's, and the loop beside it.
  process.env['NODE_OPTIONS'] = imageNodeOptions();
  const world = await startBenchWorld();
  try {
    const servers = { postgresUrl: world.url, broker: world.broker, sessionTimeout: '6s' };
    const has = (part: Part) => parts.includes(part);
    const throughput = has('throughput')
      ? await measureThroughput(world, servers, plan.throughputEvents)
      : undefined;
    const latency = has('latency')
      ? await measureHookLatency(world, 'hook_one', { seconds: plan.latencySeconds, endpoints: 1 })
      : undefined;
    const isolation = has('isolation')
      ? await measureIsolation(world, {
          servers,
          secondsPerHalf: Math.ceil(plan.latencySeconds / 5),
          events: plan.isolationEvents,
        })
      : undefined;
    const outage = has('memory') ? await measureOutage(servers, plan.outageEvents) : undefined;
    const found = {
      ...(throughput && { throughput }),
      ...(latency && { latency }),
      ...(isolation && { isolation }),
      ...(outage && { outage }),
    };
    return { figures: { checks: checksOf(found), ...found }, jsonFile };
  } finally {
    await world.close();
  }
}

function checksOf({ throughput, latency, isolation, outage }: Omit<WebhookFigures, 'checks'>): Check[] {
  return [
    ...(throughput === undefined
      ? []
      : [
          atLeast(
            'deliveries per second, of a bare undici loop in this run',
            60,
            throughput.sharePercent,
            '%',
          ),
        ]),
    ...(latency === undefined
      ? []
      : [atMost('commit to delivery at 100 commits/s, p99', 50, latency.p99Ms, 'ms')]),
    ...(isolation === undefined
      ? []
      : [
          atMost(
            'p99 of 15 endpoints beside 5 black holes, of that without',
            1.5,
            isolation.p99Times,
            'times',
          ),
          atLeast('throughput of 15 endpoints beside 5 black holes', 90, isolation.throughputPercent, '%'),
        ]),
    ...(outage === undefined
      ? []
      : [
          atMost(
            `memory grew over ${outage.events} events with one endpoint down`,
            10,
            outage.memoryGrowthPercent,
            '%',
          ),
          atMost('parked events of a subscription, at most', MAX_PARKED, outage.mostParked, 'rows'),
          atMost('promises not kept once it was back', 0, outage.violations.length, 'violations'),
        ]),
  ];
}

function atLeast(name: string, target: number, value: number, unit: string): Check {
  return { name, value, unit, target, pass: value >= target };
}

function atMost(name: string, target: number, value: number, unit: string): Check {
  return { name, value, unit, target, pass: value <= target };
}
