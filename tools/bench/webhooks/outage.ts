import { Random, waitFor } from '@pgstream/test-kit';
import { HookReceiver } from '../../webhooks/hook-receiver.ts';
import type { HookServers } from '../../webhooks/hook-environment.ts';
import { HookWorld } from '../../webhooks/hook-world.ts';
import { usageOf } from '../processes.ts';

const BATCH = 1_000;
const PATIENCE_MS = 3_600_000;
/** The first third is left out: caches fill. */
const SETTLED_FROM = 1 / 3;

export interface Outage {
  readonly events: number;
  /** Between the middle and the last third of the run, of the resident size of the notifier. */
  readonly memoryGrowthPercent: number;
  /** Rows of the table of parked events, at most. */
  readonly mostParked: number;
  /** Promises that were not kept in the end, once the endpoint was back. */
  readonly violations: readonly string[];
}

/** One endpoint refuses connections, or every event, while another takes them all; at the end it is back and drains. */
export async function measureOutage(servers: HookServers, events: number): Promise<Outage> {
  const world = await HookWorld.open({ ...servers, settings: SHORT_CIRCUIT }, new Random(2));
  let isBack = false;
  try {
    const notifier = await world.start('notifier');
    await world.subscribe(await HookReceiver.start('healthy'), { maxInFlight: 32 });
    await world.subscribe(await HookReceiver.start('down', () => (isBack ? 200 : 503)), { maxInFlight: 32 });
    await world.subscribe(await HookReceiver.start('refusing', () => (isBack ? 200 : 422)), {
      maxInFlight: 32,
    });
    const [healthy] = world.subscribed;
    const rssMb: number[] = [];
    let mostParked = 0;
    for (let sent = 0; sent < events; sent += BATCH) {
      await world.load.send((sent / BATCH) % 3, Math.min(BATCH, events - sent));
      // As fast as the healthy one takes them, a few batches ahead.
      await waitFor(
        'the healthy endpoint',
        () => (healthy?.receiver.acceptedIds.size ?? 0) > sent - 5 * BATCH,
        PATIENCE_MS,
      );
      rssMb.push(usageOf(notifier.child.pid ?? 0).rssMb);
      mostParked = Math.max(mostParked, await parkedIn(world));
    }
    isBack = true;
    for (const one of world.subscribed) await world.untilDelivered(one, PATIENCE_MS);
    return { events, memoryGrowthPercent: growthPercent(rssMb), mostParked, violations: world.violations() };
  } finally {
    await world.close();
  }
}

/** With the default five minutes the run would mostly wait. */
const SHORT_CIRCUIT = {
  PGSTREAM_WEBHOOK_CIRCUIT_MAX_OPEN: '5s',
  PGSTREAM_WEBHOOK_PARKED_SCHEDULE: Array.from({ length: 1_000 }, () => '5s').join(','),
};

async function parkedIn(world: HookWorld): Promise<number> {
  const { rows } = await world.sql.query(
    'SELECT max(parked)::int AS most FROM (SELECT count(*) AS parked FROM pgstream.webhook_retry GROUP BY subscription_id) AS each',
  );
  return Number(rows[0]?.['most'] ?? 0);
}

export function growthPercent(rssMb: readonly number[]): number {
  const settled = rssMb.slice(Math.floor(rssMb.length * SETTLED_FROM));
  const half = Math.floor(settled.length / 2);
  return (mean(settled.slice(half)) / mean(settled.slice(0, half)) - 1) * 100;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
