import { FAILPOINTS, type FailpointName } from '@pgstream/failure';
import { endpoints, Random, waitFor } from '@pgstream/test-kit';
import { HookReceiver } from '../hook-receiver.ts';
import { HookWorld, type NotifierProcess } from '../hook-world.ts';

const SEED = Date.now() % 1_000_000;
/** Without Kafka only: the tests of direct mode kill there. */
const DIRECT: ReadonlySet<string> = new Set<FailpointName>(['webhook.keeping', 'webhook.kept']);
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the table are the names
const POINTS = (Object.keys(FAILPOINTS) as FailpointName[]).filter(
  (name) => name.startsWith('webhook.') && !DIRECT.has(name),
);
/** Where a process passes once, or seldom, it is killed at the first pass, elsewhere in the middle of work. */
const ONCE = /claimed|given-up|detaching|attaching|released|subscribed|park/;

/** What makes a process come to a point that the load alone does not bring it to. */
const PROVOKE: Partial<Record<FailpointName, (world: HookWorld, victim: NotifierProcess) => Promise<void>>> =
  {
    'webhook.given-up': async ({ load }) => load.send(0, 1, 'x'.repeat(20_000)),
    'webhook.released': async (world, victim) => {
      await waitFor(
        'it to own partitions',
        async () => (await fetch(`${victim.healthUrl}/readyz`)).ok,
        60_000,
      );
      await world.launch('visitor');
    },
    'webhook.subscribed': async (world, victim) => {
      await waitFor(
        'its API',
        async () => (await fetch(`${victim.apiUrl}/v1/subscriptions`)).status === 401,
        60_000,
      );
      // It dies before it answers: nobody was promised anything.
      const body = { url: 'http://127.0.0.1:1/' };
      await world.ask('POST', '/v1/subscriptions', body, victim).catch(() => undefined);
    },
  };

test('a notifier that is killed at each of its points loses nothing and keeps the order of rows', async () => {
  console.log(`seed ${SEED}`);
  const { postgresUrl, kafkaBrokers } = endpoints();
  const random = new Random(SEED);
  const world = await HookWorld.open(
    { postgresUrl, broker: kafkaBrokers[0] ?? '', sessionTimeout: '6s' },
    random,
  );
  try {
    await world.start('notifier');
    const steady = await HookReceiver.start('steady');
    const limited = await HookReceiver.start('limited');
    // Refuses some events for longer than it takes to park them, and is away at times.
    const fickle = await HookReceiver.start('fickle', (id) => {
      const phase = performance.now() % 3_000;
      if (phase < 800) return 503;
      return phase < 2_200 && /[08]-[^-]*$/.test(id) ? 422 : 200;
    });
    await world.subscribe(steady);
    await world.subscribe(fickle);
    // What is above its limit is a dead letter: it is owed the rest.
    const large = new Set<string>();
    await world.subscribe(limited, { maxPayloadBytes: 5_000 }, { wants: ({ id }) => !large.has(id) });
    world.load.start();
    await world.end('notifier');
    for (const point of POINTS) {
      const settings = { PGSTREAM_FAILPOINTS: `${point}:kill:${ONCE.test(point) ? 0 : 5}` };
      const victim = await world.launch('notifier', settings);
      await Promise.all([PROVOKE[point]?.(world, victim), untilKilled(world, victim, point)]);
      if (world.members.includes('visitor')) await world.end('visitor', 'SIGTERM');
    }
    await world.launch('notifier');
    await world.load.stop();
    const { rows } = await world.sql.query('SELECT event_id FROM pgstream.webhook_dead_letter');
    for (const row of rows) large.add(String(row['event_id']));
    await Promise.all(world.subscribed.map((one) => world.untilDelivered(one, 120_000)));
    expect(world.violations()).toEqual([]);
    expect(world.deserters).toEqual([]);
    expect(rows.length).toBe(1);
  } finally {
    await world.close();
  }
}, 900_000);

async function untilKilled(world: HookWorld, victim: NotifierProcess, point: string): Promise<void> {
  const end = await world.absorbEnd(victim, 120_000).catch((cause: unknown) => {
    throw new Error(`${point} was not reached\n${world.logOf(victim.name)}`, { cause });
  });
  if (end !== 'SIGKILL') throw new Error(`${point}: ended with ${end}\n${world.logOf(victim.name)}`);
}
