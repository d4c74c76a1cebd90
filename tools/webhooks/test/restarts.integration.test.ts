import { rmSync } from 'node:fs';
import {
  Random,
  removeCluster,
  startKafka,
  startPostgres,
  stopKafka,
  stopPostgres,
  waitFor,
  type KafkaServer,
  type PostgresServer,
} from '@pgstream/test-kit';
import { unevenReceivers } from '../hook-receiver.ts';
import { HookWorld } from '../hook-world.ts';

const SEED = Date.now() % 1_000_000;
const PARTITIONS = [0, 1, 2];

let postgres: PostgresServer;
let kafka: KafkaServer;

beforeAll(async () => {
  postgres = await startPostgres({ major: 17 });
  kafka = await startKafka({ heapMb: 512, properties: ['group.min.session.timeout.ms=1000'] });
}, 120_000);

afterAll(async () => {
  await stopPostgres(postgres);
  removeCluster(postgres);
  await stopKafka(kafka, 'SIGKILL');
  rmSync(kafka.dir, { recursive: true, force: true });
}, 60_000);

/** More than any receiver takes at once. */
async function backlog(world: HookWorld): Promise<void> {
  for (let round = 0; round < 40; round++) {
    for (const partition of PARTITIONS) await world.load.send(partition, 5);
  }
}

async function restartPostgres(): Promise<void> {
  await stopPostgres(postgres, 'SIGQUIT'); // without a checkpoint, and without a word to anybody
  const { major, port, dataDir } = postgres;
  postgres = await startPostgres({ major, port, dataDir });
}

async function restartKafka(): Promise<void> {
  await stopKafka(kafka, 'SIGKILL');
  kafka = await startKafka({ dir: kafka.dir, heapMb: 512 });
}

test('notifiers outlive restarts of PostgreSQL and Kafka under deliveries: nothing is lost, rows stay in order', async () => {
  console.log(`seed ${SEED}`);
  const random = new Random(SEED);
  const servers = { postgresUrl: postgres.url, broker: kafka.broker, sessionTimeout: '3s' };
  const world = await HookWorld.open(servers, random);
  try {
    await world.start('notifier-1');
    await world.start('notifier-2');
    for (const receiver of await unevenReceivers(random)) {
      await world.subscribe(receiver);
    }
    for (const restart of [restartPostgres, restartKafka, restartPostgres, restartKafka]) {
      await backlog(world);
      const steady = world.subscribed[0]!;
      const before = steady.receiver.acceptedIds.size;
      await waitFor('deliveries', () => steady.receiver.acceptedIds.size > before, 60_000);
      // It is no test of a restart when everything has come already.
      const owed = world.subscribed.reduce((sum, one) => sum + world.owedTo(one).length, 0);
      const accepted = world.subscribed.reduce((sum, { receiver }) => sum + receiver.acceptedIds.size, 0);
      expect(accepted).toBeLessThan(owed);
      await restart();
      await world.readStore();
    }
    await backlog(world);
    await Promise.all(world.subscribed.map((one) => world.untilDelivered(one, 120_000)));
    expect(world.violations()).toEqual([]);
    expect(world.deserters).toEqual([]);
  } finally {
    await world.close();
  }
}, 600_000);
