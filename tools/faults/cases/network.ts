import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'network';

/** Nothing arrives for `ms`, and then the connections go on or are gone. */
async function silence(scene: Scene, begin: () => void, ms: number): Promise<void> {
  begin();
  await scene.linger(ms);
  scene.links.heal();
  await scene.untilIndexed(5);
}

/** Between any two parts, in every way a network fails. */
export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: 'pg-cut',
    group,
    summary: 'The connections between producer and PostgreSQL are reset, three times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 3; i++) {
        scene.links.postgres.cut();
        await scene.untilIndexed(5);
      }
    },
  },
  {
    name: 'pg-reset-mid-frame',
    group,
    summary: 'The replication connection is reset in the middle of a frame, three times.',
    expects: resumes,
    async run(scene) {
      const { links, random } = scene;
      const { postgres } = links;
      for (let i = 0; i < 3; i++) {
        const before = postgres.ended;
        postgres.resetAfter(random.int(500, 5_000), 'down');
        await scene.until('a connection to be reset', () => postgres.ended > before);
      }
    },
  },
  {
    name: 'pg-trickle',
    group,
    summary: 'PostgreSQL’s bytes come 300 at a time, a hundred times a second.',
    expects: resumes,
    async run(scene) {
      scene.links.postgres.shape(300, 10, 'down');
      await scene.linger(4_000);
    },
  },
  {
    name: 'pg-delay',
    group,
    summary: 'Every byte to and from PostgreSQL takes 150 ms.',
    expects: resumes,
    async run(scene) {
      scene.links.postgres.delay(150);
      await scene.untilIndexed(20);
    },
  },
  {
    name: 'pg-answers-vanish',
    group,
    summary:
      'What PostgreSQL sends vanishes for six seconds, longer than wal_sender_timeout; what it is sent arrives.',
    expects: resumes,
    database: { wal_sender_timeout: '3s' },
    run: async (scene) => silence(scene, () => scene.links.postgres.blackHole('down'), 6_000),
  },
  {
    name: 'pg-requests-vanish',
    group,
    summary:
      'What PostgreSQL is sent vanishes for six seconds, longer than wal_sender_timeout; what it sends arrives.',
    expects: resumes,
    database: { wal_sender_timeout: '3s' },
    run: async (scene) => silence(scene, () => scene.links.postgres.blackHole('up'), 6_000),
  },
  {
    name: 'pg-refused',
    group,
    summary: 'PostgreSQL refuses every connection for three seconds.',
    expects: resumes,
    run: async (scene) => silence(scene, () => scene.links.postgres.refuse(), 3_000),
  },
  {
    name: 'kafka-answer-cut',
    group,
    summary:
      'Brokers append what was produced, and the connection is cut in place of their answer, ten times.',
    expects: resumes,
    async run(scene) {
      const { producerKafka } = scene.links;
      producerKafka.cutProduceAnswers(() => producerKafka.cutAnswers < 10 && scene.random.next() < 0.3);
      await scene.until('ten answers to be cut off', () => producerKafka.cutAnswers >= 10);
    },
  },
  {
    name: 'kafka-producer-cut',
    group,
    summary: 'The connections between producer and brokers are reset, five times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 5; i++) {
        scene.links.producerKafka.each((proxy) => proxy.cut());
        await scene.untilCommitted(8);
      }
    },
  },
  {
    name: 'kafka-producer-reset-mid-frame',
    group,
    summary: 'Produce requests are reset when a part of them has arrived, five times.',
    expects: resumes,
    run: async (scene) =>
      resetMidFrame(scene, scene.links.producerKafka, { times: 5, way: 'up', fromByte: 100 }),
  },
  {
    name: 'kafka-producer-paused',
    group,
    summary: 'Nothing passes between producer and brokers for five seconds; then everything does.',
    expects: resumes,
    run: async (scene) =>
      silence(scene, () => scene.links.producerKafka.each((proxy) => proxy.pause()), 5_000),
  },
  {
    name: 'kafka-producer-answers-vanish',
    group,
    summary: 'What brokers answer the producer vanishes for five seconds, and then the connections end.',
    expects: resumes,
    run: async (scene) =>
      silence(scene, () => scene.links.producerKafka.each((proxy) => proxy.blackHole('down')), 5_000),
  },
  {
    name: 'kafka-worker-cut',
    group,
    summary: 'The connections between workers and brokers are reset, five times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 5; i++) {
        scene.links.workerKafka.each((proxy) => proxy.cut());
        await scene.untilCommitted(8);
      }
    },
  },
  {
    name: 'kafka-worker-reset-mid-frame',
    group,
    summary: 'Answers of brokers to workers are reset when a part of them has arrived, ten times.',
    expects: resumes,
    run: async (scene) =>
      resetMidFrame(scene, scene.links.workerKafka, { times: 10, way: 'down', fromByte: 1, commits: 2 }),
  },
  {
    name: 'kafka-worker-paused',
    group,
    summary: 'Nothing passes between workers and brokers for eight seconds, longer than their session.',
    expects: resumes,
    run: async (scene) => silence(scene, () => scene.links.workerKafka.each((proxy) => proxy.pause()), 8_000),
  },
  {
    name: 'kafka-worker-requests-vanish',
    group,
    summary: 'What workers send to brokers vanishes for eight seconds, longer than their session.',
    expects: resumes,
    run: async (scene) =>
      silence(scene, () => scene.links.workerKafka.each((proxy) => proxy.blackHole('up')), 8_000),
  },
  {
    name: 'kafka-narrow',
    group,
    summary: 'Both sides of Kafka have a bandwidth of 200 KB/s.',
    expects: resumes,
    async run(scene) {
      const { producerKafka, workerKafka } = scene.links;
      for (const side of [producerKafka, workerKafka]) side.each((proxy) => proxy.shape(4_000, 20));
      await scene.linger(4_000);
    },
  },
  {
    name: 'search-cut',
    group,
    summary: 'The connections between workers and search store are reset, five times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 5; i++) {
        scene.links.search.cut();
        await scene.untilCommitted(8);
      }
    },
  },
  {
    name: 'search-reset-mid-bulk',
    group,
    summary: 'Bulks are reset when a part of them has arrived, five times.',
    expects: resumes,
    async run(scene) {
      const { random } = scene;
      const { search } = scene.links;
      for (let i = 0; i < 5; i++) {
        const before = search.ended;
        search.resetAfter(random.int(300, 3_000), 'up');
        await scene.until('a bulk to be reset', () => search.ended > before);
        search.heal();
      }
    },
  },
  {
    name: 'search-answers-vanish',
    group,
    summary: 'What the search store answers vanishes for four seconds, and then the connections end.',
    expects: resumes,
    run: async (scene) => silence(scene, () => scene.links.search.blackHole('down'), 4_000),
  },
  {
    name: 'search-delay',
    group,
    summary: 'Every byte to and from the search store takes 300 ms.',
    expects: resumes,
    async run(scene) {
      scene.links.search.delay(300);
      await scene.untilIndexed(20);
    },
  },
  {
    name: 'every-link-cut',
    group,
    summary: 'All connections of all parts are reset at once, three times.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 3; i++) {
        for (const proxy of scene.links.all) proxy.cut();
        await scene.untilIndexed(5);
      }
    },
  },
];

interface Resets {
  readonly times: number;
  /** Requests go up, answers come down. */
  readonly way: 'up' | 'down';
  /** Of what goes through after the link is armed, the first at which it may break; within 2,000. */
  readonly fromByte: number;
  /** Transactions after each. */
  readonly commits?: number;
}

async function resetMidFrame(
  scene: Scene,
  links: Scene['links']['producerKafka'],
  { times, way, fromByte, commits = 0 }: Resets,
): Promise<void> {
  const ended = () => links.proxies.reduce((sum, proxy) => sum + proxy.ended, 0);
  for (let i = 0; i < times; i++) {
    const before = ended();
    links.each((proxy) => proxy.resetAfter(scene.random.int(fromByte, 2_000), way));
    await scene.until('a connection to be reset', () => ended() > before);
    links.heal();
    if (commits > 0) await scene.untilCommitted(commits);
  }
}
