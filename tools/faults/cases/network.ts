import type { Fault } from '../fault.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'network';

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
];
