import type { SearchFault } from '@pgstream/test-kit';
import type { Fault } from '../faults/fault.ts';
import type { Scene } from '../faults/scene.ts';

const PROCESSES = ['producer', 'indexer-1', 'indexer-2'];

/** Counts over all eras. */
export class Tally {
  kills = 0;
  faults = 0;
}

type Action = (scene: Scene) => Promise<void>;

const LINK_ACTIONS: readonly Action[] = [
  async ({ links }) => links.postgres.cut(),
  async ({ links }) => links.producerKafka.each((proxy) => proxy.cut()),
  async ({ links }) => links.workerKafka.each((proxy) => proxy.cut()),
  async ({ links }) => links.search.cut(),
  async ({ links, random }) => links.postgres.resetAfter(random.int(100, 20_000), 'down'),
  async ({ links, random }) =>
    links.producerKafka.each((proxy) => proxy.resetAfter(random.int(100, 5_000), 'up')),
  async ({ links, random }) => links.producerKafka.cutProduceAnswers(() => random.next() < 0.2),
  async ({ links, random }) => links.search.resetAfter(random.int(100, 5_000), 'up'),
  async ({ links, random }) => links.search.delay(random.int(1, 300)),
  async ({ links }) => links.workerKafka.each((proxy) => proxy.pause()),
  async ({ links, random }) =>
    links.workerKafka.each((proxy) => proxy.resetAfter(random.int(1, 5_000), 'down')),
  async (scene) => bulksMeet(scene, { kind: 'status', status: 429 }),
  async (scene) => bulksMeet(scene, { kind: 'lost-answer' }),
  async (scene) =>
    bulksMeet(scene, { kind: 'partial', status: 429, refuse: () => scene.random.next() < 0.3 }),
];

async function bulksMeet({ links, random }: Scene, fault: SearchFault): Promise<void> {
  links.store.rule = ({ isBulk }) => (isBulk && random.next() < 0.5 ? fault : { kind: 'pass' });
}

/** A random mix for `ms`: two of three faults are a SIGKILL, the others last up to a second. */
export function era(ms: number, tally: Tally): Fault {
  return {
    name: 'soak',
    group: 'process',
    summary: 'A random mix of kills and of links that fail.',
    expects: { kind: 'resumes' },
    async run(scene) {
      const until = performance.now() + ms;
      while (performance.now() < until) {
        await mishap(scene, tally);
        await scene.linger(scene.random.int(50, 1_200));
      }
    },
  };
}

async function mishap(scene: Scene, tally: Tally): Promise<void> {
  const { random } = scene;
  if (random.next() < 0.67) {
    await scene.kill(random.pick(PROCESSES));
    tally.kills += 1;
    return;
  }
  await random.pick(LINK_ACTIONS)(scene);
  tally.faults += 1;
  await scene.linger(random.int(50, 1_000));
  scene.links.heal();
}

/** Processes that nobody kills, under a light load and failing links, for as long as `signal` lets them. */
export function steady(signal: AbortSignal): Fault {
  return {
    name: 'steady',
    group: 'process',
    summary: 'Processes that live for the whole soak, on links that fail now and then.',
    expects: { kind: 'resumes' },
    load: { pauseMs: 1_500, watchesProgress: false },
    async run(scene) {
      while (!signal.aborted) {
        await scene.linger(5_000);
        await scene.random.pick(LINK_ACTIONS)(scene);
        await scene.linger(500);
        scene.links.heal();
      }
    },
  };
}
