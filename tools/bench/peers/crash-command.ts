import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Check } from '../../product/screen.ts';
import { machineFacts } from '../machine.ts';
import { crash, type CrashRun } from './crash.ts';
import type { CrashResult } from './crash-drain.ts';
import type { CommittedCrash } from './crash-page.ts';
import { debezium } from './debezium/debezium.ts';
import { goPgstream, takeGoPlaces, type GoPlaces } from './go-pgstream.ts';
import { OURS } from './ours.ts';
import type { PeerSystem } from './peer.ts';
import { closeOnSignal } from './peer-world.ts';

const NAMES = ['pgstream', 'debezium', 'go-pgstream'] as const;
const MIN_ROWS = 10_000;

export const CRASH_USAGE = `npm run bench -- crash [--rows N] [--kills N] [--only ${NAMES.join(' | ')}] [--json FILE]`;

interface Wanted {
  readonly rows: number;
  readonly kills: number;
  readonly only: string | undefined;
  readonly jsonFile: string | undefined;
}

/** @throws {Error} naming the option that makes no sense. */
function wantedBy(args: readonly string[]): Wanted {
  const options = {
    rows: { type: 'string', default: '1000000' },
    kills: { type: 'string', default: '2' },
    only: { type: 'string' },
    json: { type: 'string' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const [rows, kills] = [Number(values.rows), Number(values.kills)];
  if (!Number.isInteger(rows) || rows < MIN_ROWS)
    throw new Error(`--rows ${values.rows}: a whole number of at least ${MIN_ROWS} is needed`);
  if (!Number.isInteger(kills) || kills < 0 || kills > 50)
    throw new Error(`--kills ${values.kills}: a whole number from 0 to 50 is needed`);
  const { only } = values;
  if (only !== undefined && !NAMES.some((name) => name === only))
    throw new Error(`--only ${only}: one of ${NAMES.join(', ')} is needed`);
  return { rows, kills, only, jsonFile: values.json };
}

/** `npm run bench -- crash`: 0 when ours lost, doubled and misplaced nothing, 1 otherwise, 78 for a wrong call. */
export async function crashCommand(args: readonly string[]): Promise<number> {
  const places = takeGoPlaces(process.env);
  let wanted: Wanted;
  try {
    wanted = wantedBy(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${CRASH_USAGE}`);
    return 78;
  }
  const systems = systemsOf(wanted.only, places);
  if (systems.length === 0) return 78;
  closeOnSignal('crash');
  const libraries = places.pluginDir === undefined ? [] : [places.pluginDir];
  return report(await crash({ ...wanted, systems, libraries }), wanted);
}

function report({ screen, results, broken }: CrashRun, { rows, kills, jsonFile }: Wanted): number {
  print(results, broken);
  const ours = results.filter(({ system }) => system === OURS.name);
  for (const check of ours.flatMap((result) => checksOf(result, kills))) screen.check(check, check.pass);
  const passed = screen.checks.length === 0 || screen.summary();
  if (jsonFile !== undefined) {
    const { checks } = screen;
    const measuredOn = new Date().toISOString().slice(0, 10);
    const run: CommittedCrash = { measuredOn, rows, kills, checks, results, broken, machine: machineFacts() };
    writeFileSync(jsonFile, `${JSON.stringify(run, null, 2)}\n`);
  }
  return passed && broken.length === 0 ? 0 : 1;
}

/** Those that can run; of the others it says why not, and how they could. Ours comes last: the others copy its slot. */
function systemsOf(only: string | undefined, places: GoPlaces): PeerSystem[] {
  const all: ReadonlyArray<readonly [string, PeerSystem]> = [
    ['debezium', debezium('tuned')],
    ['go-pgstream', goPgstream(places)],
    ['pgstream', OURS],
  ];
  const chosen = all.filter(([name]) => only === undefined || name === only).map(([, system]) => system);
  for (const { name, leftOut } of chosen)
    if (leftOut !== undefined) console.error(`${name} is left out: ${leftOut}`);
  return chosen.filter(({ leftOut }) => leftOut === undefined);
}

/** A kill that came when everything was written says nothing. */
function checksOf({ load, lost, duplicates, misordered, killedAt }: CrashResult, kills: number): Check[] {
  const exactly = (name: string, value: number, target: number, unit: string): Check => {
    return { name: `${name}, ${load}`, value, unit, target, pass: value === target };
  };
  return [
    exactly('pgstream: rows lost', lost, 0, 'rows'),
    exactly('pgstream: duplicates', duplicates, 0, 'records'),
    exactly('pgstream: rows out of order', misordered, 0, 'rows'),
    exactly('pgstream: killed before the end', killedAt.length, kills, 'kills'),
  ];
}

function print(results: readonly CrashResult[], broken: readonly string[]): void {
  const head = ['system', 'rows', 'lost', 'duplicates', 'out of order', 'kills', 'seconds'];
  console.log(`\n${row(head)}load`);
  for (const { system, rows, lost, duplicates, misordered, killedAt, seconds, ended, load } of results) {
    const counts = [rows, lost, duplicates, misordered].map((count) => count.toLocaleString('en-US'));
    const end = ended ? '' : '  its last row never came';
    console.log(`${row([system, ...counts, String(killedAt.length), seconds.toFixed(1)])}${load}${end}`);
  }
  for (const text of broken) console.log(`could not be run: ${text}`);
}

function row([name = '', ...cells]: readonly string[]): string {
  return `${name.padEnd(18)}${cells.map((cell) => cell.padStart(14)).join('')}   `;
}
