import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Random, waitFor, workspaceRoot } from '@pgstream/test-kit';
import { HookReceiver } from '../../webhooks/hook-receiver.ts';
import type { HookServers } from '../../webhooks/hook-environment.ts';
import { HookWorld, type Subscribed } from '../../webhooks/hook-world.ts';
import type { BenchWorld } from '../bench-world.ts';
import { NoiseMeter } from '../noise.ts';
import { median } from '../processes.ts';
import { quietRounds, type RoundCounts } from '../quiet-rounds.ts';

/** Requests in flight, of the product and of the loop. */
const IN_FLIGHT = 64;
/** Of one body: what the product sends for these rows. */
const BODY_BYTES = 280;
const BATCH = 1_000;
/** In each partition: events of one row wait for one another, and few rows would not let so many be in flight. */
const ROWS = 10_000;
const PATIENCE_MS = 3_600_000;

export interface Throughput extends RoundCounts {
  readonly deliveriesPerS: number;
  readonly bareRequestsPerS: number;
  /** Of deliveries in requests of the loop: the median of what the two turns of one round say. */
  readonly sharePercent: number;
}

/** Events that wait in the log, to one local receiver; beside it, turn and turn about, a loop around undici to the same. */
export async function measureThroughput(
  { stack }: BenchWorld,
  servers: HookServers,
  events: number,
): Promise<Throughput> {
  const { counted, made, noisy } = await quietRounds(
    () => new NoiseMeter(stack),
    async (round) => {
      let [ours, bare] = [0, 0];
      const turns = [
        async () => (bare = await bareLoop(events)),
        async () => (ours = await drained(servers, events, 1)),
      ];
      // oxlint-disable-next-line no-await-in-loop -- one system at a time
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
      console.error(`webhooks, round ${round + 1}: ${Math.round(ours)}/s, undici ${Math.round(bare)}/s`);
      return { ours, bare };
    },
  );
  return {
    made,
    noisy,
    deliveriesPerS: median(counted.map(({ ours }) => ours)),
    bareRequestsPerS: median(counted.map(({ bare }) => bare)),
    // Of the same round: between two rounds the machine may be another one.
    sharePercent: median(counted.map(({ ours, bare }) => (ours / bare) * 100)),
  };
}

/**
 * Deliveries per second of events that were written while no notifier ran, over all endpoints that answer.
 * @param blackHoles endpoints beside them that take connections and never answer.
 */
export async function drained(
  servers: HookServers,
  events: number,
  endpoints: number,
  blackHoles = 0,
): Promise<number> {
  const world = await HookWorld.open({ ...servers, settings: {} }, new Random(1), ROWS);
  try {
    await world.start('first');
    const healthy: Subscribed[] = [];
    const spec = { maxInFlight: Math.max(1, Math.floor(IN_FLIGHT / endpoints)) };
    for (let i = 0; i < endpoints + blackHoles; i++) {
      const isHole = i >= endpoints;
      const receiver = await HookReceiver.start(
        `${isHole ? 'hole' : 'healthy'}-${i}`,
        isHole ? () => 'hang' : () => 200,
      );
      const subscribed = await world.subscribe(receiver, spec);
      if (!isHole) healthy.push(subscribed);
    }
    await world.end('first', 'SIGTERM');
    for (let sent = 0; sent < events; sent += BATCH)
      await world.load.send((sent / BATCH) % 3, Math.min(BATCH, events - sent));
    await world.launch('second');
    const receivers = healthy.map(({ receiver }) => receiver);
    await waitFor(
      'everything to be delivered',
      () => receivers.every(({ acceptedIds }) => acceptedIds.size >= events),
      PATIENCE_MS,
    );
    // A fifth of them warms up, as it does for the loop.
    const warmUp = Math.floor(events / 5);
    const startedMs = Math.min(...receivers.map(({ arrivals }) => arrivals[warmUp]?.arrivedMs ?? 0));
    const endedMs = Math.max(...receivers.map(({ arrivals }) => arrivals.at(-1)?.arrivedMs ?? 0));
    return ((events - warmUp) * endpoints * 1000) / (endedMs - startedMs);
  } finally {
    await world.close();
  }
}

async function bareLoop(requests: number): Promise<number> {
  const receiver = await HookReceiver.start('bare');
  try {
    const script = join(workspaceRoot(), 'tools/bench/webhooks/bare-loop.ts');
    const args = [script, receiver.url, requests, IN_FLIGHT, BODY_BYTES].map(String);
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    child.stdout.on('data', (text) => (printed += String(text)));
    await new Promise((resolve) => child.on('close', resolve));
    const perS = Number(printed);
    if (child.exitCode !== 0 || !(perS > 0)) throw new Error('the loop around undici failed: see above');
    return perS;
  } finally {
    await receiver.close();
  }
}
