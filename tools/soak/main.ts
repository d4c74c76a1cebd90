import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  CHECKS,
  MissingToolError,
  requireJava,
  type CheckLetter,
  type ResourceWatch,
} from '@pgstream/test-kit';
import { runFacts } from '../bench/committed-run.ts';
import { Arena } from '../faults/arena.ts';
import { passed, runFault, violationsOf, type FaultResult } from '../faults/run-fault.ts';
import { Screen } from '../product/screen.ts';
import type { CommittedSoak } from './committed-soak.ts';
import { era, steady, Tally } from './era.ts';
import { byMinute, growthMib, slopeMibPerHour } from './slope.ts';
import { soakWebhooks, WEBHOOKS_USAGE } from './webhooks.ts';

const USAGE = `usage: npm run soak [-- --minutes N] [--seed N] [--json FILE] [--logs DIR]
       ${WEBHOOKS_USAGE}`;
const ERA_MS = 60_000;
/** What a process may grow by, and what a slope of a run that is long enough to have one may be. */
const GROWTH_MIB = 20;
const SLOPE_MIB_PER_HOUR = 10;
const SLOPE_NEEDS_MINUTES = 30;

const screen = new Screen();

interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly json: string | undefined;
  readonly logs: string | undefined;
}

function optionsOf(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      json: { type: 'string' },
      logs: { type: 'string' },
    },
  });
  const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
  if (!(minutes > 0) || !Number.isInteger(seed)) throw new Error('minutes is a number, seed a whole one');
  return { minutes, seed, json: values.json, logs: values.logs };
}

async function soak({ minutes, seed, json, logs }: Options): Promise<number> {
  requireJava();
  screen.title(`A random mix of faults for ${minutes} minutes, first seed ${seed}`);
  const arena = new Arena({ usesEndpoints: false, logsDir: logs, note: (text) => screen.note(text) });
  const stop = new AbortController();
  const tally = new Tally();
  const results: FaultResult[] = [];
  let watch: ResourceWatch | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void arena.close().finally(() => process.exit(1)));
  try {
    await arena.own();
    const until = performance.now() + minutes * 60_000;
    const steadyRun = runFault(steady(stop.signal), seed, arena, (scene) => (watch = scene.resources));
    for (let i = 1; performance.now() < until; i++) {
      const ms = Math.min(ERA_MS, until - performance.now());
      const result = await runFault(era(ms, tally), seed + i, arena);
      results.push(result);
      report(result, tally, performance.now() / 60_000);
    }
    stop.abort();
    const lived = await steadyRun;
    if (!passed(lived)) complain(lived);
    results.push(lived);
  } finally {
    await arena.close();
  }
  checks({ minutes, tally, results, watch });
  const good = screen.summary();
  if (json !== undefined) {
    const run = written({ minutes, tally, results, watch }, seed);
    writeFileSync(json, `${JSON.stringify(run, null, 2)}\n`);
  }
  return good ? 0 : 1;
}

function written({ minutes, tally, results, watch }: Outcome, seed: number): CommittedSoak {
  const sum = (figure: 'transactions' | 'records') => results.reduce((all, one) => all + one[figure], 0);
  return {
    ...runFacts(),
    checks: screen.checks,
    minutes,
    seed,
    eras: results.length - 1, // the last one is of the processes that nobody kills
    transactions: sum('transactions'),
    records: sum('records'),
    kills: tally.kills,
    faults: tally.faults,
    memory: [...(watch?.samples ?? [])].map(([name, samples]) => ({ name, points: byMinute(samples) })),
  };
}

function report(result: FaultResult, { kills, faults }: Tally, minute: number): void {
  const { seed, transactions, records } = result;
  const mark = passed(result) ? '✔' : '✘';
  screen.note(
    `${mark} minute ${minute.toFixed(0)}, seed ${seed}: ${transactions} transactions, ${records} records; ${kills} kills and ${faults} other faults so far`,
  );
  // At once: a soak that is stopped before its end has still said what was wrong.
  if (!passed(result)) complain(result);
}

function complain(result: FaultResult): void {
  console.log(`seed ${result.seed} (${result.fault.name}): ${result.broken ?? ''}`);
  for (const { check, violations } of result.findings)
    for (const text of violations) console.log(`    ${check}: ${text}`);
}

interface Outcome {
  readonly minutes: number;
  readonly tally: Tally;
  readonly results: readonly FaultResult[];
  readonly watch: ResourceWatch | undefined;
}

function checks({ minutes, tally, results, watch }: Outcome): void {
  for (const [letter, name] of Object.entries(CHECKS)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of a Record
    const value = results.reduce((sum, one) => sum + violationsOf(one, letter as CheckLetter).length, 0);
    screen.check({ name: `${letter} ${name}`, value, unit: 'violations', target: 0 }, value === 0);
  }
  const broken = results.filter((result) => result.broken !== null).length;
  screen.check(
    { name: 'eras that could not be judged', value: broken, unit: 'eras', target: 0 },
    broken === 0,
  );
  const { kills } = tally;
  screen.check(
    { name: 'SIGKILL, then all of the above', value: kills, unit: 'rounds', target: 1 },
    kills > 0,
  );
  for (const [name, samples] of watch?.samples ?? []) {
    const growth = growthMib(samples);
    const isSteady = growth <= GROWTH_MIB;
    screen.check(
      { name: `${name}: memory grew by`, value: growth, unit: 'MiB', target: GROWTH_MIB },
      isSteady,
    );
    if (minutes < SLOPE_NEEDS_MINUTES) continue;
    const slope = slopeMibPerHour(samples.slice(Math.floor(samples.length / 3))) ?? Number.NaN;
    const target = SLOPE_MIB_PER_HOUR;
    screen.check({ name: `${name}: RSS slope`, value: slope, unit: 'MiB/h', target }, slope <= target);
  }
}

async function main(): Promise<number> {
  let options: Options;
  if (process.argv[2] === 'webhooks') return soakWebhooks(process.argv.slice(3));
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 78;
  }
  return soak(options);
}

try {
  // What a fault left behind, a client that looks for its server without rest, must not hold or load the machine.
  process.exit(await main());
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = error instanceof MissingToolError ? 78 : 1;
}
