import { Agent, request } from 'node:http';
import { percentile } from '../product/screen.ts';
import type { BenchWorld } from './bench-world.ts';
import { NoiseMeter } from './noise.ts';
import { usageOf } from './processes.ts';
import { figuresOfRounds, type InRound } from './quiet-rounds.ts';

const COMMITS_PER_S = 100;
/** Commits before the first that count: the tables of the sink are read, the connections open. */
const WARM_UP = 1_000;
/** Commits of one window. What is reported is the median window: a stop of the machine is not the product's. */
const WINDOW = 1_500;
const WINDOWS = { quiet: 3, most: 6 };
/** Windows in front that are not counted, at most: a JVM that meets so many indices for the first time compiles for a minute. */
const WARM_UP_WINDOWS = 6;
const POLL_EVERY_MS = 4;

/** One window. */
export interface Freshness extends InRound {
  /** Tables that take turns, each with an index of its own. */
  readonly indices: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Cores that the search server was busy with meanwhile: refreshes, and the searcher's own requests. */
  readonly searchCores: number;
  /** Of one index each, and how long the server took for one. */
  readonly refreshesPerS: number;
  readonly refreshMs: number;
}

interface Round {
  readonly world: BenchWorld;
  /** Of its tables, and of their indices. */
  readonly prefix: string;
  readonly indices: number;
  readonly committedAt: Map<number, number>;
  /** Milliseconds from its commit until a search found it, by row. */
  readonly waits: Map<number, number>;
  /** Every row up to this one was found. */
  foundTo: number;
  /** The last window was measured: the writer may stop. */
  isOver: boolean;
}

/** Commits one row at a time at a steady rate; a searcher asks for rows it has not seen and notes when they appear. */
export async function measureFreshness(world: BenchWorld, indices: number): Promise<readonly Freshness[]> {
  const prefix = `fresh_${indices}_`;
  const maps = { committedAt: new Map<number, number>(), waits: new Map<number, number>() };
  const round: Round = { world, prefix, indices, ...maps, foundTo: 0, isOver: false };
  for (let i = 0; i < indices; i++)
    await world.sql.query(`CREATE TABLE ${prefix}${i} (id integer PRIMARY KEY, note text)`);
  const writing = write(round);
  let from = WARM_UP;
  const window = async () => measureWindow(round, { from, to: (from += WINDOW) });
  const once = async () => [await window()];
  try {
    await watch(round, WARM_UP);
    await untilNoFaster(window);
    return await figuresOfRounds(() => new NoiseMeter(world.stack), once, WINDOWS);
  } finally {
    round.isOver = true;
    await writing;
  }
}

/** Until two windows in a row bring no more than a twentieth over the best before. */
async function untilNoFaster(window: () => Promise<{ readonly p50Ms: number }>): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let [i, idle] = [0, 0]; i < WARM_UP_WINDOWS && idle < 2; i++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { p50Ms } = await window();
    console.error(`  warming up: p50 ${p50Ms.toFixed(1)} ms`);
    idle = p50Ms > best * 0.95 ? idle + 1 : 0;
    best = Math.min(best, p50Ms);
  }
}

async function measureWindow(
  round: Round,
  { from, to }: { from: number; to: number },
): Promise<Omit<Freshness, 'noiseCores'>> {
  const pid = round.world.stack.search?.pid ?? -1;
  const before = await refreshesOf(round);
  const [cpuS, fromMs] = [usageOf(pid).cpuS, performance.now()];
  await watch(round, to);
  const seconds = (performance.now() - fromMs) / 1000;
  const searchCores = (usageOf(pid).cpuS - cpuS) / seconds;
  const after = await refreshesOf(round);
  const refreshes = after.count - before.count;
  const waits = Array.from({ length: to - from }, (_, i) => round.waits.get(from + i + 1) ?? Number.NaN);
  const sorted = waits.toSorted((a, b) => a - b);
  const [p50Ms = 0, p90Ms = 0, p99Ms = 0] = [50, 90, 99].map((share) => percentile(sorted, share));
  const { indices } = round;
  return {
    indices,
    p50Ms,
    p90Ms,
    p99Ms,
    maxMs: sorted.at(-1) ?? Number.NaN,
    searchCores,
    refreshesPerS: refreshes / seconds,
    refreshMs: (after.ms - before.ms) / refreshes,
  };
}

/** So far, of all indices of the round, as the server counts those that show documents to searches. */
async function refreshesOf({
  world,
  prefix,
}: Round): Promise<{ readonly count: number; readonly ms: number }> {
  const answer = await fetch(
    `${world.searchUrl}/public.${prefix}*/_stats/refresh?filter_path=_all.primaries.refresh`,
  );
  const text = await answer.text();
  const [count, ms] = ['external_total', 'external_total_time_in_millis'].map((name) =>
    Number(new RegExp(`"${name}":(\\d+)`).exec(text)?.[1] ?? 0),
  );
  return { count: count ?? 0, ms: ms ?? 0 };
}

/** Until every row up to `to` was found: each counts when it is first found itself, whatever of the others is missing. */
async function watch(round: Round, to: number): Promise<void> {
  const { committedAt, waits } = round;
  while (round.foundTo < to) {
    const missing = missingOf(round);
    const found = missing.length === 0 ? [] : await visible(round, missing);
    const now = performance.now();
    const fresh = found.filter((id) => !waits.has(id) && committedAt.has(id));
    for (const id of fresh) waits.set(id, now - (committedAt.get(id) ?? now));
    while (waits.has(round.foundTo + 1)) round.foundTo++;
    if (fresh.length === 0) await new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
  }
}

/** Rows that are committed and were not found, in the order of their ids. */
function missingOf({ committedAt, waits, foundTo }: Round): number[] {
  const missing: number[] = [];
  for (let id = foundTo + 1; committedAt.has(id); id++) if (!waits.has(id)) missing.push(id);
  return missing;
}

async function write(round: Round): Promise<void> {
  const { world, prefix, indices, committedAt } = round;
  const from = performance.now();
  for (let id = 1; !round.isOver; id++) {
    const dueMs = from + (id / COMMITS_PER_S) * 1000 - performance.now();
    if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
    await world.sql.query(`INSERT INTO ${prefix}${id % indices} VALUES ($1, 'now')`, [id]);
    committedAt.set(id, performance.now());
  }
}

/** Which rows a search finds, of the indices that one is missing from. */
async function visible({ world, prefix, indices }: Round, missing: readonly number[]): Promise<number[]> {
  const body = {
    size: 500,
    _source: false,
    track_total_hits: false,
    query: { range: { id: { gte: missing[0] } } },
    sort: [{ id: 'asc' }],
  };
  const asked = new Set(missing.map((id) => `public.${prefix}${id % indices}`));
  const text = await post(
    `${world.searchUrl}/${[...asked].join(',')}/_search?filter_path=hits.hits.sort&ignore_unavailable=true`,
    body,
  );
  return [...text.matchAll(/"sort":\[(\d+)\]/g)].map((match) => Number(match[1]));
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
