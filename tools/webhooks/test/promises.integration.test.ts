import { setTimeout as pause } from 'node:timers/promises';
import { endpoints, Random, waitFor } from '@pgstream/test-kit';
import { HookReceiver } from '../hook-receiver.ts';
import { REFRESH_MS } from '../hook-environment.ts';
import { HookWorld, type Subscribed } from '../hook-world.ts';

const SEED = Date.now() % 1_000_000;
/** What another process needs to hear of a change, and a request to be over. */
const SETTLE_MS = REFRESH_MS + 2_000;
const ROUNDS = 6;

/** While `work` runs a third notifier comes and goes: the group is never at rest. @returns how often it changed. */
async function duringRebalances(world: HookWorld, work: () => Promise<void>): Promise<number> {
  const over = new AbortController();
  const churning = churn(world, over.signal);
  try {
    await work();
  } finally {
    over.abort();
  }
  return await churning;
}

async function churn(world: HookWorld, over: AbortSignal): Promise<number> {
  let changes = 0;
  while (!over.aborted) {
    await world.launch('visitor');
    await pause(1_500);
    await world.end('visitor', 'SIGTERM');
    changes += 2;
  }
  return changes;
}

test('under load and during rebalances, a subscription that answered 201 misses nothing, and one that answered 204 hears no more', async () => {
  console.log(`seed ${SEED}`);
  const { postgresUrl, kafkaBrokers } = endpoints();
  const random = new Random(SEED);
  const world = await HookWorld.open(
    { postgresUrl, broker: kafkaBrokers[0] ?? '', sessionTimeout: '6s' },
    random,
  );
  try {
    await world.start('notifier-1');
    await world.start('notifier-2');
    await world.subscribe(await HookReceiver.start('always'));
    world.load.start();
    const removed: { readonly one: Subscribed; readonly quietFromMs: number }[] = [];
    const rebalances = await duringRebalances(world, async () => {
      for (let round = 0; round < ROUNDS; round++) {
        const one = await world.subscribe(await HookReceiver.start(`round-${round}`));
        await waitFor('some load', () => world.load.sent.length > one.fromIndex + 50);
        const toIndex = world.load.sent.length;
        await world.untilDelivered(one, 120_000);
        expect((await world.ask('DELETE', `/v1/subscriptions/${one.id}`)).status).toBe(204);
        removed.push({ one, quietFromMs: performance.now() + SETTLE_MS });
        // What was sent behind that may have come or not.
        world.release(one, toIndex);
      }
    });
    expect(rebalances).toBeGreaterThanOrEqual(2);
    const last = removed.at(-1)!.quietFromMs;
    const from = world.load.sent.length;
    await waitFor(
      'load after the last removal',
      () => performance.now() > last + 1_000 && world.load.sent.length > from + 50,
    );
    await world.load.stop();
    await Promise.all(world.subscribed.map((one) => world.untilDelivered(one, 120_000)));
    for (const { one, quietFromMs } of removed) {
      const late = one.receiver.arrivals.filter(({ arrivedMs }) => arrivedMs > quietFromMs);
      expect([one.receiver.name, late]).toEqual([one.receiver.name, []]);
    }
    expect(world.violations()).toEqual([]);
    expect(world.deserters).toEqual([]);
  } finally {
    await world.close();
  }
}, 600_000);
