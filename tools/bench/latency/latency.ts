import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor, workspaceRoot } from '@pgstream/test-kit';
import type { Check } from '../../product/screen.ts';
import type { BenchWorld } from '../bench-world.ts';
import { NoiseMeter } from '../noise.ts';
import { monotonicUs } from './clock.ts';
import { debeziumPath, productPath, SMALL_TABLE, type CommitPath } from './commit-path.ts';
import { latencyChecks, TARGETS } from './latency-checks.ts';
import {
  distribution,
  recoveryMs,
  timeline,
  type Distribution,
  type Moment,
  type Travel,
} from './percentiles.ts';
import { TopicWatch } from './topic-watch.ts';

export interface LatencyPlan {
  readonly ratesPerS: readonly number[];
  /** Measured at each rate. */
  readonly seconds: number;
  /** Before that, at the same rate, not counted. */
  readonly warmUpSeconds: number;
  /** Small transactions of a hundred rows before everything: a fresh broker takes twice the time for a batch. */
  readonly warmUpRows: number;
  /** Of the large transaction. */
  readonly bulkRows: number;
}

export const LATENCY_PLAN: LatencyPlan = {
  ratesPerS: [200, 500],
  seconds: 60,
  warmUpSeconds: 15,
  warmUpRows: 500_000,
  bulkRows: 1_000_000,
};

export interface RateFigures extends Distribution {
  readonly system: string;
  readonly commitsPerS: number;
  /** As the writer kept it up. */
  readonly reachedPerS: number;
  /** Cores that neither the servers, nor the system, nor the bench used meanwhile. */
  readonly noiseCores: number;
}

export interface Recovery {
  readonly commitsPerS: number;
  readonly bulkRows: number;
  /** From its COMMIT until its last row was in the topic. */
  readonly bulkSeconds: number;
  /** What counts as fast again: the 99th of a hundred at rest, at least 10 ms. */
  readonly limitMs: number;
  /** From the last row; `null` when it never was within the time that was watched. */
  readonly recoveryMs: number | null;
  readonly timeline: readonly Moment[];
  readonly noiseCores: number;
}

export interface LatencyFigures {
  readonly checks: readonly Check[];
  /** The product's first. */
  readonly rates: readonly RateFigures[];
  readonly recovery: Recovery;
}

const RECOVERY_RATE_PER_S = 200;
/** Small commits before and after the large transaction. */
const BEFORE_S = 3;
const AFTER_S = 10;
const STRETCH_S = 0.1;
const ARRIVAL_PATIENCE_MS = 300_000;
const TABLES = `CREATE SCHEMA bulk;
  CREATE TABLE ${SMALL_TABLE} (id integer PRIMARY KEY, mark text NOT NULL);
  CREATE TABLE bulk.rows (id integer PRIMARY KEY, acct int NOT NULL, mark text NOT NULL);`;

/** How long commits take into the topic of the product, and into that of Debezium, one after the other. */
export async function measureLatency(world: BenchWorld, plan: LatencyPlan): Promise<LatencyFigures> {
  await world.sql.query(TABLES);
  try {
    const own = await measurePath(world, plan, productPath(world, 'latency'), async (run, rates) => {
      console.error(`a transaction of ${plan.bulkRows} rows beside small ones …`);
      return await run.besideBulk(plan.bulkRows, rates[0]?.p99Ms ?? 0);
    });
    // the rows of one system are not those of the next
    await world.sql.query(`TRUNCATE ${SMALL_TABLE}, bulk.rows`);
    const peer = await measurePath(world, plan, await debeziumPath(world, 'latency_debezium'), () =>
      Promise.resolve(undefined),
    );
    const checks = latencyChecks(own.rates, peer.rates, own.more);
    return { checks, rates: [...own.rates, ...peer.rates], recovery: own.more };
  } finally {
    await world.sql.query(`DROP TABLE ${SMALL_TABLE}; DROP SCHEMA bulk CASCADE`);
  }
}

/** At every rate, then whatever `then` measures while the system still runs. */
async function measurePath<T>(
  world: BenchWorld,
  plan: LatencyPlan,
  path: CommitPath,
  then: (run: LatencyRun, rates: readonly RateFigures[]) => Promise<T>,
): Promise<{ readonly rates: readonly RateFigures[]; readonly more: T }> {
  const watch = new TopicWatch(world.broker, path.topic);
  try {
    await path.start();
    const run = new LatencyRun(world, watch);
    await run.warmUp(plan.warmUpRows);
    await watch.start();
    const rates: RateFigures[] = [];
    for (const ratePerS of plan.ratesPerS) {
      console.error(`${path.system}: commits at ${ratePerS} per second …`);
      // oxlint-disable-next-line no-await-in-loop -- one rate after the other
      rates.push({ system: path.system, ...(await run.atRate(ratePerS, plan)) });
    }
    return { rates, more: await then(run, rates) };
  } finally {
    await watch.close();
    await path.stop();
  }
}

class LatencyRun {
  readonly #world: BenchWorld;
  readonly #watch: TopicWatch;
  #nextId = 1;

  constructor(world: BenchWorld, watch: TopicWatch) {
    this.#world = world;
    this.#watch = watch;
  }

  async warmUp(rows: number): Promise<void> {
    console.error('warming up …');
    await this.#world.sql.query(`DO $$ BEGIN FOR t IN 1..${Math.ceil(rows / 100)} LOOP
      INSERT INTO bulk.rows SELECT -t * 100 - g, g, 'x' FROM generate_series(0, 99) g; COMMIT; END LOOP; END $$`);
  }

  async atRate(
    ratePerS: number,
    { seconds, warmUpSeconds }: LatencyPlan,
  ): Promise<Omit<RateFigures, 'system'>> {
    await this.#commits(ratePerS, warmUpSeconds);
    const noise = new NoiseMeter(this.#world.stack);
    const travels = await this.#commits(ratePerS, seconds);
    const noiseCores = noise.cores();
    const [from, to] = [travels.at(0)?.committedUs ?? 0, travels.at(-1)?.committedUs ?? 0];
    const reachedPerS = (travels.length - 1) / ((to - from) / 1e6);
    return { commitsPerS: ratePerS, reachedPerS, ...distribution(travels), noiseCores };
  }

  /** The large transaction is of another schema: nothing but the way to the topic is shared. */
  async besideBulk(bulkRows: number, restP99Ms: number): Promise<Recovery> {
    const noise = new NoiseMeter(this.#world.stack);
    const writer = this.#startWriter(RECOVERY_RATE_PER_S, Number.POSITIVE_INFINITY);
    await sleep(BEFORE_S * 1000);
    await this.#world.sql.query(`INSERT INTO bulk.rows
      SELECT g, g % 1000, CASE WHEN g = ${bulkRows} THEN 'bulk-1;' ELSE 'x' END FROM generate_series(1, ${bulkRows}) g`);
    const committedUs = monotonicUs();
    const lastRowUs = await this.#arrivalOf(this.#watch.bulks, 1);
    await sleep(AFTER_S * 1000);
    const travels = await this.#travelsOf(writer);
    const limitMs = Math.max(TARGETS.p99Ms, restP99Ms);
    return {
      commitsPerS: RECOVERY_RATE_PER_S,
      bulkRows,
      bulkSeconds: (lastRowUs - committedUs) / 1e6,
      limitMs,
      recoveryMs: recoveryMs(travels, lastRowUs, limitMs) ?? null,
      timeline: timeline(travels, lastRowUs, STRETCH_S),
      noiseCores: noise.cores(),
    };
  }

  async #commits(ratePerS: number, seconds: number): Promise<Travel[]> {
    const writer = this.#startWriter(ratePerS, ratePerS * seconds);
    await writer.ended;
    return this.#travelsOf(writer);
  }

  #startWriter(ratePerS: number, commits: number): Writer {
    const script = join(workspaceRoot(), 'tools/bench/latency/commit-writer.ts');
    const flags = ['--disable-warning=ExperimentalWarning', script, this.#world.url];
    const child = spawn(
      process.execPath,
      [...flags, String(this.#nextId), String(ratePerS), String(commits)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    return { firstId: this.#nextId, stop: () => child.stdin.end(), ended: outputOf(child) };
  }

  /** Of every commit of the writer, once all of them have arrived. @throws {Error} when one does not */
  async #travelsOf({ firstId, stop, ended }: Writer): Promise<Travel[]> {
    stop();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the writer's own line
    const committedUs = JSON.parse(await ended) as number[];
    this.#nextId = firstId + committedUs.length + 1;
    await this.#arrivalOf(this.#watch.commits, firstId + committedUs.length - 1);
    const { commits } = this.#watch;
    return committedUs.map((at, i) => {
      const arrivedUs = commits.get(firstId + i);
      if (arrivedUs === undefined) throw new Error(`commit ${firstId + i} never reached the topic`);
      return { committedUs: at, arrivedUs };
    });
  }

  async #arrivalOf(seen: ReadonlyMap<number, number>, id: number): Promise<number> {
    return await waitFor(
      `row ${id} to reach the topic`,
      () => {
        this.#watch.assertRuns();
        return seen.get(id);
      },
      ARRIVAL_PATIENCE_MS,
    );
  }
}

interface Writer {
  readonly firstId: number;
  readonly stop: () => void;
  readonly ended: Promise<string>;
}

async function outputOf(child: ChildProcessByStdio<Writable, Readable, null>): Promise<string> {
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(`the writer of commits ended with ${child.exitCode}`);
  return text;
}
