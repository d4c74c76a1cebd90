import { Arena } from '../arena.ts';
import { FAULTS } from '../matrix.ts';
import { runFault } from '../run-fault.ts';

/** One of each kind, one seed each; `npm run faults` runs them all, three times. */
const SUBSET = [
  'pg-reset-mid-frame',
  'kafka-answer-cut',
  'kafka-worker-cut',
  'search-partial',
  'producer-kill',
  'indexer-kill',
  'direct-kill',
  'pg-slot-dropped',
  'kafka-retention-overtakes',
  'search-read-only',
  'search-mapping-conflict',
];

const SEED = Date.now() % 1_000_000;
const arena = new Arena({ usesEndpoints: true });

beforeAll(() => console.log(`seed ${SEED}: npm run faults -- NAME --seed ${SEED} --seeds 1`));
afterAll(async () => arena.close());

test.each(SUBSET)(
  '%s: every promise is kept',
  async (name) => {
    const fault = FAULTS.find((one) => one.name === name);
    if (fault === undefined) throw new Error(`there is no fault ${name}`);
    const { broken, findings } = await runFault(fault, SEED, arena);
    expect({ broken, violated: findings.filter(({ violations }) => violations.length > 0) }).toEqual({
      broken: null,
      violated: [],
    });
    expect(findings).toHaveLength(8);
  },
  180_000,
);
