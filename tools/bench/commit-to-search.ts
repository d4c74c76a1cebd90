import { Agent, request } from 'node:http';
import { percentile } from '../product/screen.ts';
import type { BenchWorld } from './bench-world.ts';
import { usageOf } from './processes.ts';

const COMMITS_PER_S = 100;
/** Commits before the first that count: the tables of the sink are read, the connections open. */
const WARM_UP = 1_000;
/** Commits of one window. What is reported is the median window: a stop of the machine is not the product's. */
const WINDOW = 1_500;
const WINDOWS = 3;
const POLL_EVERY_MS = 4;

/** One window. */
export interface Freshness {
  /** Tables that take turns, each with an index of its own. */
  readonly indices: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Cores that the search server was busy with meanwhile: refreshes, and the searcher's own requests. */
  readonly searchCores: number;
}

interface Round {
  readonly world: BenchWorld;
  /** Of its tables, and of their indices. */
  readonly prefix: string;
  readonly indices: number;
  readonly committedAt: Map<number, number>;
}

/** Commits one row at a time at a steady rate; a searcher asks for rows it has not seen and notes when they appear. */
export async function measureFreshness(world: BenchWorld, indices: number): Promise<readonly Freshness[]> {
  const round = { world, prefix: `fresh_${indices}_`, indices, committedAt: new Map<number, number>() };
  for (let i = 0; i < indices; i++)
    await world.sql.query(`CREATE TABLE ${round.prefix}${i} (id integer PRIMARY KEY, note text)`);
  const writing = write(round, WARM_UP + WINDOWS * WINDOW);
  await watch(round, { from: 0, to: WARM_UP });
  const windows: Freshness[] = [];
  for (let from = WARM_UP; windows.length < WINDOWS; from += WINDOW)
    windows.push(await measureWindow(round, { from, to: from + WINDOW }));
  await writing;
  return windows;
}

async function measureWindow(round: Round, range: { from: number; to: number }): Promise<Freshness> {
  const pid = round.world.stack.search?.pid ?? -1;
  const [cpuS, fromMs] = [usageOf(pid).cpuS, performance.now()];
  const sorted = (await watch(round, range)).toSorted((a, b) => a - b);
  const searchCores = (usageOf(pid).cpuS - cpuS) / ((performance.now() - fromMs) / 1000);
  const [p50Ms = 0, p90Ms = 0, p99Ms = 0] = [50, 90, 99].map((share) => percentile(sorted, share));
  const { indices } = round;
  return { indices, p50Ms, p90Ms, p99Ms, maxMs: sorted.at(-1) ?? Number.NaN, searchCores };
}

/** Milliseconds from its commit until a search finds it, of each row after `from` up to `to`. */
async function watch(round: Round, { from, to }: { from: number; to: number }): Promise<number[]> {
  const waits: number[] = [];
  for (let seen = from; seen < to;) {
    const ids = await visible(round, seen);
    const now = performance.now();
    for (const id of ids) {
      const at = round.committedAt.get(id);
      // a row may be found before its writer has heard of the commit: it waited for nothing
      if (id <= to) waits.push(at === undefined ? 0 : now - at);
      seen = Math.max(seen, id);
    }
    if (ids.length === 0) await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
  return waits;
}

async function write({ world, prefix, indices, committedAt }: Round, last: number): Promise<void> {
  const from = performance.now();
  for (let id = 1; id <= last; id++) {
    const dueMs = from + (id / COMMITS_PER_S) * 1000 - performance.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    await world.sql.query(`INSERT INTO ${prefix}${id % indices} VALUES ($1, 'now')`, [id]);
    committedAt.set(id, performance.now());
  }
}

async function visible({ world, prefix, indices }: Round, seen: number): Promise<number[]> {
  const body = {
    size: 500,
    _source: false,
    track_total_hits: false,
    query: { range: { id: { gt: seen } } },
    sort: [{ id: 'asc' }],
  };
  const where = indices === 1 ? `public.${prefix}0` : `public.${prefix}*`;
  const text = await post(`${world.searchUrl}/${where}/_search?filter_path=hits.hits.sort`, body);
  const ids = [...text.matchAll(/"sort":\[(\d+)\]/g)].map((match) => Number(match[1]));
  // a gap is a row that is not visible yet: ask again from before it
  const contiguous: number[] = [];
  for (const id of ids) {
    if (id !== seen + contiguous.length + 1) break;
    contiguous.push(id);
  }
  return contiguous;
}

/** One connection, kept: the searcher should cost the machine little. Empty where the answer is an error. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

async function post(url: string, body: object): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', agent, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(answer.statusCode === 200 ? text : ''));
      answer.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}
