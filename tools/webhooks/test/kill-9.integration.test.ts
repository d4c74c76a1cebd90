import { endpoints, Random } from '@pgstream/test-kit';
import { HookWorld } from '../hook-world.ts';
import { killRounds } from '../kill-rounds.ts';

const SEED = Date.now() % 1_000_000;

test('notifiers are killed forty times under load: nothing is lost, rows stay in order, only what was not stored comes twice', async () => {
  console.log(`seed ${SEED}`);
  const { postgresUrl, kafkaBrokers } = endpoints();
  const random = new Random(SEED);
  const servers = { postgresUrl, broker: kafkaBrokers[0] ?? '', sessionTimeout: '6s' };
  const world = await HookWorld.open(servers, random);
  try {
    await killRounds(world, { rounds: 40, random, drainMs: 120_000 });
    expect(world.violations()).toEqual([]);
    expect(world.deserters).toEqual([]);
    const { rows } = await world.sql.query(
      'SELECT count(*)::int AS letters FROM pgstream.webhook_dead_letter',
    );
    expect(rows).toEqual([{ letters: 0 }]);
    console.log(`${world.load.sent.length} events, ${world.repeated} of them came twice`);
    expect(world.load.sent.length).toBeGreaterThan(1_000);
    // Else nobody died at a moment that matters.
    expect(world.repeated).toBeGreaterThan(0);
  } finally {
    await world.close();
  }
}, 600_000);
