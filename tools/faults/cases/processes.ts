import type { Fault } from '../fault.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'process';

/** What happens to processes of the product. */
export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: 'producer-kill',
    group,
    summary: 'The producer is killed with SIGKILL and started again, four times at random moments.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 4; i++) {
        await scene.linger(scene.random.int(20, 1_500));
        await scene.kill('producer');
      }
    },
  },
  {
    name: 'indexer-kill',
    group,
    summary: 'Workers are killed with SIGKILL and started again, four times at random moments.',
    expects: resumes,
    async run(scene) {
      for (let i = 0; i < 4; i++) {
        await scene.linger(scene.random.int(20, 1_500));
        await scene.kill(scene.random.pick(['indexer-1', 'indexer-2']));
      }
    },
  },
  {
    name: 'direct-kill',
    group,
    summary: 'Straight from the database to the index: the process is killed with SIGKILL, four times.',
    expects: resumes,
    route: 'direct',
    async run(scene) {
      for (let i = 0; i < 4; i++) {
        await scene.linger(scene.random.int(20, 1_500));
        await scene.kill('direct');
      }
    },
  },
];
