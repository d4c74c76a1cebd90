import { parseArgs } from 'node:util';
import { MissingToolError, requireJava } from '@pgstream/test-kit';
import { seconds } from '../product/screen.ts';
import { Arena } from './arena.ts';
import type { Fault } from './fault.ts';
import { FAULTS } from './matrix.ts';
import { checksOf, printFault, printHead, writeJson, writeMarkdown } from './report.ts';
import { passed, runFault, type FaultResult } from './run-fault.ts';

const USAGE = `usage: npm run faults [-- NAME … | GROUP …] [--seeds N] [--seed FIRST] [--parallel N] [--json FILE] [--logs DIR] [--markdown FILE] [--list]`;

interface Options {
  readonly faults: readonly Fault[];
  readonly seeds: readonly number[];
  /** Faults under way at a time, each with servers of its own. */
  readonly parallel: number;
  readonly json: string | undefined;
  readonly logs: string | undefined;
  readonly markdown: string | undefined;
  readonly list: boolean;
}

/** @throws {Error} for what is no option or no fault */
function optionsOf(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      seeds: { type: 'string', default: '3' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      parallel: { type: 'string', default: '1' },
      json: { type: 'string' },
      logs: { type: 'string' },
      markdown: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter(
    (name) => !FAULTS.some((fault) => fault.name === name || fault.group === name),
  );
  if (unknown.length > 0) throw new Error(`no fault or group is called ${unknown.join(', ')}; see --list`);
  const [count, first] = [Number(values.seeds), Number(values.seed)];
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(first))
    throw new Error('seeds are whole numbers');
  const parallel = Number(values.parallel);
  if (!Number.isInteger(parallel) || parallel < 1) throw new Error('--parallel is a whole number above 0');
  return {
    faults: FAULTS.filter(
      ({ name, group }) =>
        positionals.length === 0 || positionals.includes(name) || positionals.includes(group),
    ),
    seeds: Array.from({ length: count }, (_, i) => first + i),
    parallel,
    json: values.json,
    logs: values.logs,
    markdown: values.markdown,
    list: values.list,
  };
}

function note(text: string): void {
  console.error(text);
}

async function faults(options: Options): Promise<number> {
  const { faults: chosen, seeds, parallel, logs: logsDir } = options;
  requireJava();
  printHead(seeds);
  const startedAt = performance.now();
  const arenas = Array.from({ length: parallel }, () => new Arena({ usesEndpoints: false, logsDir, note }));
  const results: FaultResult[] = [];
  closeOnSignal(arenas);
  const queue = [...chosen.entries()];
  try {
    await Promise.all(arenas.map(async (arena) => drain(queue, arena, options, results)));
  } finally {
    await Promise.all(arenas.map(async (arena) => arena.close()));
  }
  const good = results.filter(passed).length;
  const took = seconds(performance.now() - startedAt);
  console.log(`\n${chosen.length} faults, ${good} of ${results.length} runs kept every promise, ${took}`);
  return good === results.length && good > 0 ? 0 : 1;
}

/** Takes one fault after the other, and runs it under every seed, until none is left. */
async function drain(
  queue: Array<[number, Fault]>,
  arena: Arena,
  { faults: { length }, seeds, json, markdown }: Options,
  results: FaultResult[],
): Promise<void> {
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const [i, fault] = next;
    const mine: FaultResult[] = [];
    for (const seed of seeds) {
      console.error(`[${i + 1}/${length}] ${fault.name}, seed ${seed} …`);
      // oxlint-disable-next-line no-await-in-loop -- a lane runs one at a time
      mine.push(await runFault(fault, seed, arena));
    }
    printFault(mine);
    results.push(...mine);
    if (json !== undefined) writeJson(json, checksOf(results));
    if (markdown !== undefined) writeMarkdown(markdown, results);
  }
}

/** Servers outlive a run that is interrupted unless it stops them. */
function closeOnSignal(arenas: readonly Arena[]): void {
  const close = async () => Promise.all(arenas.map(async (arena) => arena.close()));
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void close().finally(() => process.exit(1)));
}

async function main(): Promise<number> {
  let options: Options;
  try {
    options = optionsOf(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 78;
  }
  if (!options.list) return faults(options);
  for (const { name, group, summary } of options.faults)
    console.log(`${group.padEnd(9)}${name.padEnd(32)}${summary}`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = error instanceof MissingToolError ? 78 : 1;
}
