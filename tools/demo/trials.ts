import { samplesOf, type Product, type RunningService } from '../product/product.ts';
import { percentile, seconds, type Screen } from '../product/screen.ts';
import type { World } from './world.ts';

const COMMITS = 200;

/** Commit to `_search`, one row at a time: what a user of the shop waits for. */
export async function measureLatency(world: World, screen: Screen): Promise<void> {
  screen.title('How fresh is it?');
  const waits: number[] = [];
  await world.sql.query('CREATE TABLE freshness (id integer PRIMARY KEY, note text)');
  await screen.step(`${COMMITS} single-row commits, each until _search finds it`, async () => {
    for (let id = 1; id <= COMMITS; id++) waits.push(await oneCommit(world, id));
  });
  // the first rows also wait for the new table's index to be made
  const sorted = waits.slice(5).toSorted((a, b) => a - b);
  const [p50, p99] = [percentile(sorted, 50), percentile(sorted, 99)];
  screen.note(`commit to _search: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`);
  screen.check({ name: 'commit to _search, p50', value: p50, unit: 'ms', target: 100 }, p50 <= 100);
  screen.check({ name: 'commit to _search, p99', value: p99, unit: 'ms', target: 500 }, p99 <= 500);
}

async function oneCommit(world: World, id: number): Promise<number> {
  await world.sql.query("INSERT INTO freshness VALUES ($1, 'now')", [id]);
  const committedAt = performance.now();
  for (;;) {
    const found = await world.find('public.freshness', { term: { id } });
    const waitedMs = performance.now() - committedAt;
    if (found.length === 1) return waitedMs;
    if (waitedMs > 30_000) throw new Error(`row ${id} was not found within 30 s`);
    // a searcher that never pauses would take a core from the engine it waits for
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}

export interface Workers {
  readonly product: Product;
  readonly indexers: RunningService[];
}

/** kill -9 of the indexer that owns the partition of `schema`, while rows of it are being written. */
export async function killOwner(
  world: World,
  workers: Workers,
  screen: Screen,
  schema: string,
): Promise<void> {
  screen.title('kill -9 of the indexer that owns the busiest partition, under load');
  const partition = await partitionOf(workers, schema);
  const owner = await ownerOf(workers.indexers, partition);
  screen.note(`${schema} lies in partition ${partition}, owned by ${owner.name}`);
  const load = writeFor(world, schema, 6_000);
  await screen.step(`kill -9 ${owner.name}`, async () => {
    owner.child.kill('SIGKILL');
    await owner.exited;
  });
  const survivors = workers.indexers.filter((indexer) => indexer !== owner);
  await screen.step('another indexer takes the partition over', async () => {
    await world.until('the partition to have a new owner', async () => {
      return (await ownersOf(survivors, partition)).length === 1;
    });
  });
  const rows = await load;
  await screen.step('every row written meanwhile is found', () => visited(world, schema, rows));
  workers.indexers.splice(workers.indexers.indexOf(owner), 1);
  workers.indexers.push(await workers.product.start('search-indexer', `${owner.name}-again`));
}

/** OpenSearch goes away under load and comes back. */
export async function stopOpenSearch(world: World, screen: Screen, schema: string): Promise<void> {
  screen.title('OpenSearch stops for ten seconds, under load');
  await screen.step('OpenSearch stopped', () => world.stopSearch());
  const rows = await screen.step('rows are written for ten seconds', async () =>
    writeFor(world, schema, 10_000),
  );
  await screen.step('OpenSearch started', () => world.startSearch());
  const from = performance.now();
  await screen.step(`the index catches up with ${rows} rows`, () => visited(world, schema, rows));
  const caughtUpMs = performance.now() - from;
  screen.note(`caught up ${seconds(caughtUpMs)} after it answered again`);
  screen.check(
    { name: 'catching up after the outage', value: caughtUpMs / 1000, unit: 's', target: 60 },
    caughtUpMs <= 60_000,
  );
}

/** Updates rows of a tenant in small transactions for a while; answers how many are now `visited`. */
async function writeFor(world: World, schema: string, durationMs: number): Promise<number> {
  const until = performance.now() + durationMs;
  while (performance.now() < until) {
    await world.sql.query(
      `UPDATE ${schema}.cities SET visited = true
        WHERE id IN (SELECT id FROM ${schema}.cities WHERE NOT visited ORDER BY id LIMIT 20)`,
    );
  }
  const { rows } = await world.sql.query(`SELECT count(*)::int AS n FROM ${schema}.cities WHERE visited`);
  return Number(rows[0]?.['n']);
}

async function visited(world: World, schema: string, rows: number): Promise<void> {
  await world.until(
    `${rows} visited cities in the index`,
    async () => {
      const answer = await world.ask(`/${schema}.cities/_count`, { query: { term: { visited: true } } });
      return Number(new Map(Object.entries(answer ?? {})).get('count')) === rows;
    },
    120_000,
  );
}

/** The partition that carries most records of the tenant, by the producer's own routing. */
async function partitionOf(workers: Workers, schema: string): Promise<number> {
  const { partitionOfKey } = await import('@pgstream/kafka-client');
  const [sample] = workers.indexers;
  if (sample === undefined) throw new Error('no indexer is running');
  return partitionOfKey(Buffer.from(schema), 12);
}

async function ownerOf(indexers: readonly RunningService[], partition: number): Promise<RunningService> {
  const [owner] = await ownersOf(indexers, partition);
  if (owner === undefined) throw new Error(`no indexer says that it owns partition ${partition}`);
  return owner;
}

async function ownersOf(indexers: readonly RunningService[], partition: number): Promise<RunningService[]> {
  const owners: RunningService[] = [];
  for (const indexer of indexers) {
    const lag = await samplesOf(indexer, 'pgstream_consumer_lag_records');
    if ([...lag.keys()].some((labels) => labels.includes(`partition="${partition}"`))) owners.push(indexer);
  }
  return owners;
}
