import { spawnSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { once } from 'node:events';
import { readDocuments, workspaceRoot } from '@pgstream/test-kit';
import type { BenchWorld } from './bench-world.ts';
import { usageOf } from './processes.ts';
import { pidOf } from './slot-to-kafka.ts';
import type { Workload } from './workload.ts';

export interface Indexing {
  readonly system: string;
  readonly docsPerS: number;
  readonly cpuUsPerDoc: number;
  /** Of the search server and of the broker, CPU microseconds a document meanwhile. */
  readonly searchUsPerDoc: number;
  readonly brokerUsPerDoc: number;
}

/** CPU seconds of the servers by now. */
function serversNow({ stack }: BenchWorld): { readonly searchS: number; readonly brokerS: number } {
  const [search, broker] = [stack.search, stack.kafka].map((server) => usageOf(server?.pid ?? -1).cpuS);
  return { searchS: search ?? Number.NaN, brokerS: broker ?? Number.NaN };
}

const ALIAS = 'public.wide';

/** One worker draining the topic of `run` into fresh indices, from the first document that counts to the last. */
export async function indexWithProduct(
  world: BenchWorld,
  run: string,
  workload: Workload,
): Promise<Indexing> {
  const product = world.product(run);
  const indexer = await product.start('search-indexer', `indexer-${run}-${Date.now().toString(36)}`);
  try {
    const first = await countAtLeast(world, workload.warmUpRows);
    const [before, serversBefore] = [usageOf(pidOf(indexer)), serversNow(world)];
    const last = await countAtLeast(world, workload.rows);
    const [after, servers] = [usageOf(pidOf(indexer)), serversNow(world)];
    const docs = last.count - first.count;
    return {
      system: 'pgstream',
      docsPerS: docs / ((last.at - first.at) / 1000),
      cpuUsPerDoc: ((after.cpuS - before.cpuS) / docs) * 1e6,
      searchUsPerDoc: ((servers.searchS - serversBefore.searchS) / docs) * 1e6,
      brokerUsPerDoc: ((servers.brokerS - serversBefore.brokerS) / docs) * 1e6,
    };
  } finally {
    await product.stopAll();
  }
}

/** The documents that the product made, as bodies for the bare loop: the same bytes into the same mapping. */
export async function exportDocuments(world: BenchWorld): Promise<string> {
  const file = join(world.dir, 'documents.tsv');
  const out = createWriteStream(file);
  for await (const document of readDocuments(world.searchUrl, ALIAS)) {
    const members = [...document].map(([name, text]) => `${JSON.stringify(name)}:${text}`);
    if (!out.write(`${document.get('id')}\t{${members.join(',')}}\n`)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'finish');
  return file;
}

/** The bare loop into a fresh index with the mapping and settings of the product's. */
export async function indexWithLoop(
  world: BenchWorld,
  file: string,
  { rows: all, warmUpRows }: Workload,
): Promise<Indexing> {
  const index = `loop-${Date.now().toString(36)}`;
  await call(world, 'PUT', `/${index}`, await definition(world));
  const script = join(workspaceRoot(), 'tools/bench/bulk-loop.ts');
  const flags = [
    '--disable-warning=ExperimentalWarning',
    script,
    world.searchUrl,
    index,
    file,
    String(warmUpRows),
  ];
  const before = serversNow(world);
  const result = spawnSync(process.execPath, flags, { encoding: 'utf8' });
  const after = serversNow(world);
  if (result.status !== 0) throw new Error(`the bulk loop failed\n${result.stderr}`);
  await call(world, 'DELETE', `/${index}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the loop's own line
  const { rows, seconds, cpuS } = JSON.parse(result.stdout) as {
    rows: number;
    seconds: number;
    cpuS: number;
  };
  return {
    system: '_bulk loop',
    docsPerS: rows / seconds,
    cpuUsPerDoc: (cpuS / rows) * 1e6,
    // Of all that it sent, what is not counted included.
    searchUsPerDoc: ((after.searchS - before.searchS) / all) * 1e6,
    brokerUsPerDoc: ((after.brokerS - before.brokerS) / all) * 1e6,
  };
}

/** Removes what the product indexed, so that the next round starts from nothing. @param prefix of what is meant */
export async function dropIndices(world: BenchWorld, prefix = ''): Promise<void> {
  const indices = await call(world, 'GET', '/_cat/indices?format=json');
  if (!Array.isArray(indices)) return;
  for (const entry of indices) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the cat API's own answer
    const { index } = entry as { index: string };
    if (!index.startsWith('.') && index.startsWith(prefix))
      await call(world, 'DELETE', `/${encodeURIComponent(index)}`);
  }
}

async function definition(world: BenchWorld): Promise<unknown> {
  const answer = await call(world, 'GET', `/${ALIAS}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the index API's own answer
  const [made] = Object.values(answer as Record<string, IndexDefinition>);
  if (made === undefined) throw new Error(`${ALIAS} is not there`);
  const {
    number_of_shards: shards,
    number_of_replicas: replicas,
    refresh_interval: refresh,
  } = made.settings.index;
  return {
    mappings: made.mappings,
    settings: {
      number_of_shards: shards,
      number_of_replicas: replicas,
      ...(refresh === undefined ? {} : { refresh_interval: refresh }),
    },
  };
}

interface IndexDefinition {
  readonly mappings: unknown;
  readonly settings: { readonly index: Readonly<Record<string, string | undefined>> };
}

/** By the index statistics: what was indexed, refreshed or not. */
async function countAtLeast(world: BenchWorld, wanted: number): Promise<{ count: number; at: number }> {
  for (;;) {
    const answer = await call(
      world,
      'GET',
      `/${ALIAS}/_stats/indexing?filter_path=_all.primaries.indexing.index_total`,
      undefined,
      true,
    );
    const count = Number(/index_total":(\d+)/.exec(JSON.stringify(answer ?? {}))?.[1] ?? 0);
    if (count >= wanted) return { count, at: performance.now() };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// oxlint-disable-next-line max-params -- one door to the REST API
async function call(
  world: BenchWorld,
  method: string,
  path: string,
  body?: unknown,
  absent = false,
): Promise<unknown> {
  const answer = await fetch(`${world.searchUrl}${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok && !(absent && answer.status === 404))
    throw new Error(`${method} ${path}: ${text.slice(0, 300)}`);
  return answer.ok ? JSON.parse(text) : undefined;
}
