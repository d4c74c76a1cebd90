import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'process';

async function killAtRandom(scene: Scene, names: readonly string[], times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await scene.linger(scene.random.int(20, 1_500));
    await scene.kill(scene.random.pick(names));
  }
}

/** Stops a process for longer than its peers wait for it, and lets it go on. */
async function sleepAndWake(
  scene: Scene,
  name: string,
  ms: number,
  meanwhile?: () => Promise<void>,
): Promise<void> {
  scene.signal(name, 'SIGSTOP');
  await meanwhile?.();
  await scene.linger(ms);
  scene.signal(name, 'SIGCONT');
}

/** What happens to processes of the product. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'producer-kill',
    group,
    summary: 'The producer is killed with SIGKILL and started again, four times at random moments.',
    expects: resumes,
    run: async (scene) => killAtRandom(scene, ['producer'], 4),
  },
  {
    name: 'indexer-kill',
    group,
    summary: 'Workers are killed with SIGKILL and started again, four times at random moments.',
    expects: resumes,
    run: async (scene) => killAtRandom(scene, ['indexer-1', 'indexer-2'], 4),
  },
  {
    name: 'all-kill',
    group,
    summary: 'Any process is killed with SIGKILL and started again, eight times at random moments.',
    expects: resumes,
    run: async (scene) => killAtRandom(scene, ['producer', 'indexer-1', 'indexer-2'], 8),
  },
  {
    name: 'direct-kill',
    group,
    summary: 'Straight from the database to the index: the process is killed with SIGKILL, four times.',
    expects: resumes,
    route: 'direct',
    run: async (scene) => killAtRandom(scene, ['direct'], 4),
  },
  {
    name: 'producer-asleep',
    group,
    summary: 'The producer stands still (SIGSTOP) for longer than wal_sender_timeout, twice.',
    expects: resumes,
    database: { wal_sender_timeout: '2s' },
    async run(scene) {
      for (let i = 0; i < 2; i++) {
        await sleepAndWake(scene, 'producer', 3_500);
        await scene.untilIndexed(5);
      }
    },
  },
  {
    name: 'producer-asleep-while-replaced',
    group,
    summary: 'A producer stands still while a second one takes the slot over, and wakes up behind it.',
    expects: { kind: 'resumes', restarts: true },
    database: { wal_sender_timeout: '2s' },
    async run(scene) {
      await scene.launch('producer-2');
      await scene.until('a standby', async () => scene.logOf('producer-2').includes('"role":"standby"'));
      await sleepAndWake(scene, 'producer', 1_000, async () => {
        await scene.until('the second producer to lead', async () => {
          return (await scene.metric('producer-2', 'pgstream_producer_leader')) === 1;
        });
        await scene.untilIndexed(5);
      });
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'producers-rival',
    group,
    summary: 'Two producers want the slot; the one that leads is killed, three times.',
    expects: resumes,
    async run(scene) {
      await scene.launch('producer-2');
      for (let i = 0; i < 3; i++) {
        const leader = await leaderOf(scene);
        await scene.kill(leader);
        await scene.untilIndexed(3);
      }
    },
  },
  {
    name: 'indexer-asleep',
    group,
    summary:
      'A worker stands still for longer than its session, and wakes up when others have its partitions.',
    expects: resumes,
    async run(scene) {
      await sleepAndWake(scene, 'indexer-1', 8_000);
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'direct-asleep',
    group,
    summary: 'Straight to the index: the process stands still for longer than wal_sender_timeout.',
    expects: resumes,
    route: 'direct',
    database: { wal_sender_timeout: '2s' },
    async run(scene) {
      await sleepAndWake(scene, 'direct', 4_000);
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'orderly-restarts',
    group,
    summary: 'Every process is stopped with SIGTERM, ends with 0 and is started again, under load.',
    expects: resumes,
    async run(scene) {
      for (const name of ['producer', 'indexer-1', 'indexer-2']) {
        const exitCode = await scene.crew.stop(name);
        if (exitCode !== 0) throw new Error(`${name} ended with ${exitCode} after SIGTERM`);
        await scene.launch(name);
        await scene.untilIndexed(3);
      }
    },
  },
  {
    name: 'workers-come-and-go',
    group,
    summary: 'A third and a fourth worker join the group and leave it again, one orderly and one by SIGKILL.',
    expects: resumes,
    async run(scene) {
      await scene.launch('indexer-3');
      await scene.launch('indexer-4');
      await scene.untilIndexed(10);
      await scene.crew.stop('indexer-3');
      await scene.crew.stop('indexer-4', 'SIGKILL');
      await scene.untilIndexed(5);
    },
  },
];

async function leaderOf(scene: Scene): Promise<string> {
  const names = ['producer', 'producer-2'];
  let leader = 'producer';
  await scene.until('a producer to lead', async () => {
    for (const name of names) {
      if ((await scene.metric(name, 'pgstream_producer_leader')) === 1) {
        leader = name;
        return true;
      }
    }
    return false;
  });
  return leader;
}
