import type { SearchFault } from '@pgstream/test-kit';
import type { Fault } from '../fault.ts';
import type { Scene } from '../scene.ts';

const resumes = { kind: 'resumes' } as const;
const group = 'search';

/** Two of three bulks meet the fault until it has been met so often. */
async function bulksMeet(scene: Scene, fault: SearchFault, times: number): Promise<void> {
  const { store } = scene.links;
  const goal = store.met + times;
  store.rule = ({ isBulk }) =>
    isBulk && store.met < goal && scene.random.next() < 0.67 ? fault : { kind: 'pass' };
  await scene.until(`${times} bulks to meet the fault`, () => store.met >= goal);
}

/** What happens to the search store. */
export const SEARCH_FAULTS: readonly Fault[] = [
  {
    name: 'search-429',
    group,
    summary: 'The store turns bulks away for load (429).',
    expects: resumes,
    run: async (scene) => bulksMeet(scene, { kind: 'status', status: 429 }, 15),
  },
  {
    name: 'search-lost-answer',
    group,
    summary: 'The store carries bulks out and the connection is reset in place of its answer.',
    expects: resumes,
    run: async (scene) => bulksMeet(scene, { kind: 'lost-answer' }, 15),
  },
];
