import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '@pgstream/test-kit';
import { unevenReceivers } from './hook-receiver.ts';
import type { HookWorld } from './hook-world.ts';

const NOTIFIERS = ['notifier-1', 'notifier-2'];

export interface KillOptions {
  readonly rounds: number;
  readonly random: Random;
  /** Until everything must have come once nobody is killed any more. */
  readonly drainMs: number;
  readonly onRound?: (round: number) => void;
}

/** Two notifiers, five subscriptions of which three have endpoints that fail, a load, and SIGKILL at random moments. */
export async function killRounds(world: HookWorld, options: KillOptions): Promise<void> {
  const { rounds, random, drainMs, onRound } = options;
  for (const name of NOTIFIERS) await world.start(name);
  for (const receiver of await unevenReceivers(random)) {
    if (receiver.name !== 'updates') await world.subscribe(receiver);
    else {
      const filters = [{ operations: ['update'] }];
      await world.subscribe(receiver, { filters }, { wants: ({ operation }) => operation === 'update' });
    }
  }
  world.load.start();
  for (let round = 1; round <= rounds; round++) {
    // Long enough, now and then, for the group to come together and for the circuits to close again.
    await pause(random.int(20, random.next() < 0.2 ? 6_000 : 1_200));
    const name = random.pick(NOTIFIERS);
    await world.end(name);
    await world.launch(name);
    onRound?.(round);
  }
  await world.load.stop();
  await Promise.all(world.subscribed.map((one) => world.untilDelivered(one, drainMs)));
}
