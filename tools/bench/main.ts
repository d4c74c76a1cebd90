import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MissingToolError, requireJava } from '@pgstream/test-kit';
import type { Check } from '../product/screen.ts';
import { runFacts } from './committed-run.ts';
import { latencyCommand } from './latency/latency-command.ts';
import { micro } from './micro/count.ts';
import { mainPath, PARTS, type Figures, type Part } from './main-path.ts';
import { PEERS_USAGE, peersCommand } from './peers/compare-command.ts';
import { CRASH_USAGE, crashCommand } from './peers/crash-command.ts';
import { stolenCpuS } from './processes.ts';
import { isQuiet, type InRound } from './quiet-rounds.ts';
import { scaleCommand } from './scale/scale-command.ts';
import { webhooksCommand, WEBHOOKS_USAGE } from './webhooks/webhooks-command.ts';

const USAGE = `usage: npm run bench -- [main-path] [--only ${PARTS.join(' | ')}] [--json FILE]
       npm run bench -- latency [--rates 200,500] [--seconds N] [--json FILE]
       npm run bench -- scale [--quick] [--json FILE]
       npm run bench -- micro [--update] [--json FILE]
       ${WEBHOOKS_USAGE}
       npm run bench -- all [--json DIRECTORY]
       ${CRASH_USAGE}
       ${PEERS_USAGE}`;

/** Subcommands with a folder of their own: `undefined` for arguments that say nothing known, else what they do. */
const COMMANDS: Readonly<Record<string, (args: readonly string[]) => (() => Promise<Measured>) | undefined>> =
  { latency: latencyCommand, scale: scaleCommand, webhooks: webhooksCommand };

interface Measured {
  readonly figures: { readonly checks: readonly Check[] };
  readonly jsonFile: string | undefined;
}

interface Wanted {
  readonly what: 'main-path' | 'micro';
  readonly parts: readonly Part[];
  readonly update: boolean;
  readonly jsonFile: string | undefined;
}

/** `undefined` for a command line that says nothing known. */
function wantedBy(args: readonly string[]): Wanted | undefined {
  try {
    const options = {
      only: { type: 'string' },
      json: { type: 'string' },
      update: { type: 'boolean', default: false },
    } as const;
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const { only, json: jsonFile, update } = values;
    const [what = 'main-path', ...more] = positionals;
    const parts = PARTS.filter((part) => only === undefined || only === part);
    if (more.length > 0 || parts.length === 0) return undefined;
    if (what === 'micro' && only === undefined) return { what, parts, update, jsonFile };
    return what === 'main-path' && !update ? { what, parts, update, jsonFile } : undefined;
  } catch {
    return undefined;
  }
}

function measureMicro(update: boolean, jsonFile: string | undefined): number {
  console.log('bytes that a row allocates, counted, not timed: the same on every run of the same Node\n');
  const checks = micro(update);
  printChecks(checks);
  if (jsonFile !== undefined) writeFileSync(jsonFile, `${JSON.stringify({ checks }, null, 2)}\n`);
  return checks.every((check) => check.pass) ? 0 : 1;
}

/** What belongs to speed, one after the other, each a process of its own: none starts in the heap of the one before. */
const ALL = ['micro', 'main-path', 'latency', 'scale', 'peers'];

function everything(args: readonly string[]): number {
  let directory: string | undefined;
  try {
    directory = parseArgs({ args: [...args], options: { json: { type: 'string' } } }).values.json;
  } catch {
    console.error(USAGE);
    return 78;
  }
  if (directory !== undefined) mkdirSync(directory, { recursive: true });
  const failed = ALL.filter((what) => {
    console.log(`\n${what}`);
    const json = directory === undefined ? [] : ['--json', join(directory, `${what}.json`)];
    const flags = [...process.execArgv, import.meta.filename, what, ...json];
    return spawnSync(process.execPath, flags, { stdio: 'inherit' }).status !== 0;
  });
  if (failed.length > 0) console.log(`\nnot every target was met: ${failed.join(', ')}`);
  return failed.length > 0 ? 1 : 0;
}

async function main(): Promise<number> {
  const [what = '', ...args] = process.argv.slice(2);
  if (what === 'all') return everything(args);
  if (what === 'crash') return crashCommand(args);
  if (what === 'peers') return peersCommand(args);
  const command = COMMANDS[what];
  return command === undefined ? await measureMainPath(process.argv.slice(2)) : await run(command(args));
}

async function run(work: (() => Promise<Measured>) | undefined): Promise<number> {
  if (work === undefined) {
    console.error(USAGE);
    return 78;
  }
  requireJava();
  const stolen = stolenSince();
  const { figures, jsonFile } = await work();
  printChecks(figures.checks);
  return ended({ figures, jsonFile, stolenCores: stolen() });
}

/** Cores that the host takes from now on until the answer is asked. */
function stolenSince(): () => number {
  const [fromS, fromMs] = [stolenCpuS(), performance.now()];
  return () => (stolenCpuS() - fromS) / ((performance.now() - fromMs) / 1000);
}

function ended({ figures, jsonFile, stolenCores }: Measured & { readonly stolenCores: number }): number {
  console.log(`\nthe host took ${stolenCores.toFixed(2)} cores meanwhile`);
  if (jsonFile !== undefined) writeRun(jsonFile, { ...figures, stolenCores });
  return figures.checks.every((check) => check.pass) ? 0 : 1;
}

function writeRun(file: string, figures: object): void {
  const { measuredOn, machine } = runFacts();
  writeFileSync(file, `${JSON.stringify({ measuredOn, ...figures, machine }, null, 2)}\n`);
}

async function measureMainPath(args: readonly string[]): Promise<number> {
  const wanted = wantedBy(args);
  if (wanted === undefined) {
    console.error(USAGE);
    return 78;
  }
  const { what, parts, update, jsonFile } = wanted;
  if (what === 'micro') return measureMicro(update, jsonFile);
  requireJava();
  const stolen = stolenSince();
  const figures = await mainPath(parts);
  print(figures);
  return ended({ figures, jsonFile, stolenCores: stolen() });
}

function print({ drains, indexing, workers, freshness, checks }: Figures): void {
  if (drains.length > 0) console.log('\nslot to Kafka (narrow)   rows/s   CPU µs/row   peak RSS MB   noise');
  for (const drain of drains) {
    const rss = Number.isNaN(drain.peakRssMb) ? '–' : drain.peakRssMb.toFixed(0);
    console.log(
      row(drain.system, drain.rowsPerS.toFixed(0), drain.cpuUsPerRow.toFixed(2), rss, noise(drain)),
    );
  }
  if (indexing.length > 0) console.log('\nKafka to search (wide)   docs/s   CPU µs/doc   noise');
  for (const entry of indexing)
    console.log(row(entry.system, entry.docsPerS.toFixed(0), entry.cpuUsPerDoc.toFixed(2), noise(entry)));
  if (workers.length > 0) console.log('\nworkers, store µs/doc     docs/s   CPU µs/doc   noise');
  for (const one of workers) {
    const name = `${one.workers}, ${one.storeUsPerDoc}`;
    console.log(row(name, one.docsPerS.toFixed(0), one.cpuUsPerDoc.toFixed(2), noise(one)));
  }
  if (freshness.length > 0)
    console.log(
      '\ncommit to _search at 100/s   p50     p90     p99     max ms   cores of the search server   noise',
    );
  for (const { indices, p50Ms, p90Ms, p99Ms, maxMs, searchCores, noiseCores } of freshness) {
    const times = [p50Ms, p90Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1).padStart(6));
    console.log(
      `${`${indices} indices`.padEnd(24)}${times.join('  ')}${searchCores.toFixed(2).padStart(11)}  ${noise({ noiseCores })}`,
    );
  }
  console.log();
  printChecks(checks);
}

/** Cores that others had in the round; those of noisy rounds are left out of what is checked. */
function noise(one: InRound): string {
  return `${one.noiseCores.toFixed(2)}${isQuiet(one) ? '' : ' noisy'}`;
}

function printChecks(checks: readonly Check[]): void {
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, value, unit, target, pass } of checks) {
    const figure = value.toFixed(2).padStart(8);
    console.log(`${pass ? '✔' : '✘'} ${name.padEnd(width)} ${figure} ${unit}  (target ${target})`);
  }
}

function row(name: string, ...figures: readonly string[]): string {
  return `${name.padEnd(22)}${figures.map((figure) => figure.padStart(10)).join('  ')}`;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof MissingToolError ? error.message : error);
  process.exitCode = 1;
}
