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

function itemsOf({ load }: Scene): string {
  return `${load.schemas[0]}.items`;
}

async function ok(asked: Promise<Response>): Promise<unknown> {
  const answer = await asked;
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text}`);
  return JSON.parse(text);
}

/** The index behind the alias of the first schema's items: other schemas may be in their indices before it is made. */
async function indexOf(scene: Scene): Promise<string> {
  const isMade = async () => (await scene.search('HEAD', `/_alias/${itemsOf(scene)}`)).ok;
  await scene.until('the index of the first schema to be made', isMade);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the answer names indices
  const [index] = Object.keys((await ok(scene.search('GET', `/_alias/${itemsOf(scene)}`))) as object);
  if (index === undefined) throw new Error('the table has no index');
  return index;
}

/** A setting of the index for a while. */
async function withSetting(scene: Scene, name: string, value: unknown): Promise<void> {
  const index = await indexOf(scene);
  await ok(scene.search('PUT', `/${index}/_settings`, { [name]: value }));
  await scene.untilCommitted(40);
  await ok(scene.search('PUT', `/${index}/_settings`, { [name]: null }));
}

/** By ids that no other table has: bulks address an index by an alias of its own. */
function isOdd(action: string): boolean {
  return /"_id":"900000[135]"/.test(action);
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
    name: 'search-503',
    group,
    summary: 'The store answers every request, bulks or not, with 503 for three seconds.',
    expects: resumes,
    async run(scene) {
      scene.links.store.rule = () => ({ kind: 'status', status: 503 });
      await scene.linger(3_000);
    },
  },
  {
    name: 'search-lost-answer',
    group,
    summary: 'The store carries bulks out and the connection is reset in place of its answer.',
    expects: resumes,
    run: async (scene) => bulksMeet(scene, { kind: 'lost-answer' }, 15),
  },
  {
    name: 'search-reset',
    group,
    summary: 'Bulks are reset before the store has seen them.',
    expects: resumes,
    run: async (scene) => bulksMeet(scene, { kind: 'reset' }, 15),
  },
  {
    name: 'search-partial',
    group,
    summary: 'Of each bulk, some items at random are turned away (429) and the others are taken.',
    expects: resumes,
    run: async (scene) =>
      bulksMeet(scene, { kind: 'partial', status: 429, refuse: () => scene.random.next() < 0.3 }, 20),
  },
  {
    name: 'search-bulk-too-large',
    group,
    summary: 'A proxy before the store refuses bulks above 12,000 bytes for their size (413).',
    expects: resumes,
    async run(scene) {
      // no document of the workload is larger: one that is refused alone would be parked, which is another promise
      const { store } = scene.links;
      store.rule = ({ isBulk, bytes }) =>
        isBulk && bytes > 12_000 ? { kind: 'status', status: 413 } : { kind: 'pass' };
      await scene.until('bulks to be refused', () => store.met >= 3);
      await scene.untilCommitted(40);
    },
  },
  {
    name: 'search-killed',
    group,
    summary: 'The node is killed with SIGKILL and started again.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      await own.stopSearch('SIGKILL');
      await own.startSearch();
    },
  },
  {
    name: 'search-asleep',
    group,
    summary: 'The node stands still (SIGSTOP) for eight seconds, and wakes up.',
    expects: resumes,
    servers: 'own',
    async run(scene) {
      const own = await scene.arena.own();
      process.kill(own.pids.search, 'SIGSTOP');
      await scene.linger(8_000);
      process.kill(own.pids.search, 'SIGCONT');
    },
  },
  {
    name: 'search-read-only',
    group,
    summary: 'An index does not take writes for a while (index.blocks.write).',
    expects: resumes,
    run: async (scene) => withSetting(scene, 'index.blocks.write', true),
  },
  {
    name: 'search-flood-stage',
    group,
    summary: 'The store makes an index read-only, as it does when its disk is nearly full.',
    expects: resumes,
    run: async (scene) => withSetting(scene, 'index.blocks.read_only_allow_delete', true),
  },
  {
    name: 'search-index-closed',
    group,
    summary: 'Somebody closes an index and opens it again.',
    expects: resumes,
    async run(scene) {
      const index = await indexOf(scene);
      await ok(scene.search('POST', `/${index}/_close`));
      await scene.untilCommitted(40);
      await ok(scene.search('POST', `/${index}/_open`));
    },
  },
  {
    name: 'search-index-deleted',
    group,
    summary: 'Somebody deletes the index of a table: it is made again, without the documents that are gone.',
    expects: { kind: 'resumes', reports: { counter: 'stale tables', table: 'items' } },
    async run(scene) {
      await ok(scene.search('DELETE', `/${await indexOf(scene)}`));
      await scene.untilCommitted(40);
    },
  },
  {
    name: 'search-alias-moved',
    group,
    summary: 'Somebody points the alias that readers use at another index for a while, and back.',
    expects: resumes,
    async run(scene) {
      const index = await indexOf(scene);
      const other = `${scene.system.prefix}_elsewhere`;
      await ok(scene.search('PUT', `/${other}`));
      const alias = itemsOf(scene);
      const move = async (from: string, to: string) => {
        const actions = [{ remove: { index: from, alias } }, { add: { index: to, alias } }];
        await ok(scene.search('POST', '/_aliases', { actions }));
      };
      await move(index, other);
      await scene.untilCommitted(40);
      await move(other, index);
    },
  },
  {
    name: 'search-mapping-conflict',
    group,
    summary: 'The store refuses some documents of a table for good, since they do not fit its mapping (400).',
    expects: { kind: 'resumes', parks: true },
    async run(scene) {
      const { sql, prefix } = scene.system;
      // a schema that the ledger does not compare: what is parked is missing from its index
      const table = `${prefix}_odd.odd`;
      await sql.query(
        `CREATE SCHEMA ${prefix}_odd; CREATE TABLE ${table} (id integer PRIMARY KEY, note text)`,
      );
      scene.links.store.rule = ({ isBulk }) =>
        isBulk ? { kind: 'partial', status: 400, refuse: isOdd } : { kind: 'pass' };
      await sql.query(`INSERT INTO ${table} SELECT i, 'note' FROM generate_series(9000001, 9000006) i`);
      await scene.until('three documents to be parked', async () => (await parked(scene)) >= 3);
      await scene.untilIndexed(5);
    },
  },
  {
    name: 'direct-search-lost-answer',
    group,
    summary:
      'Straight to the index: bulks are carried out and the connection is reset in place of the answer.',
    expects: resumes,
    route: 'direct',
    run: async (scene) => bulksMeet(scene, { kind: 'lost-answer' }, 15),
  },
];

async function parked(scene: Scene): Promise<number> {
  let sum = 0;
  for (const name of scene.crew.names) sum += await scene.metric(name, 'pgstream_dlq_records_total');
  return sum;
}
