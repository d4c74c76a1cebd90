import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Check } from '../../product/screen.ts';
import { machineFacts } from '../machine.ts';
import { compare, type CompareRun } from './compare.ts';
import { checksOf } from './compare-checks.ts';
import type { Drained } from './compare-drain.ts';
import { LOAD_NAMES, type LoadName } from './compare-load.ts';
import type { CommittedComparison } from './compare-page.ts';
import { EAGER_READER, recvlogical } from './compare-reference.ts';
import { comparisonTables } from './compare-table.ts';
import { debezium } from './debezium/debezium.ts';
import { goPgstream, takeGoPlaces, type GoPlaces } from './go-pgstream.ts';
import {
  DEFAULT_DEBEZIUM,
  GO_PGSTREAM,
  nameInSlots,
  PGSTREAM,
  PRODUCER_PERF,
  RECVLOGICAL,
  REFERENCE,
  TUNED_DEBEZIUM,
  UNPACKED_PGSTREAM,
} from './names.ts';
import { otherPeer } from './other-peer.ts';
import { OURS, ours } from './ours.ts';
import type { PeerSystem } from './peer.ts';
import { closeOnSignal } from './peer-world.ts';
import { producerPerf } from './producer-perf.ts';

export const PEERS_USAGE = `npm run bench -- peers [--rows N] [--rounds N] [--load ${LOAD_NAMES.join(' | ')}] [--peer NAME=COMMAND] … [--json FILE]`;

const MIN_ROWS = 20_000;
const KNOWN_NAMES = [
  PGSTREAM,
  UNPACKED_PGSTREAM,
  TUNED_DEBEZIUM,
  DEFAULT_DEBEZIUM,
  REFERENCE,
  GO_PGSTREAM,
  RECVLOGICAL,
  PRODUCER_PERF,
];
const UNPACKED = ours(UNPACKED_PGSTREAM, { PGSTREAM_KAFKA_WRITER_COMPRESSION: 'none' });

interface Wanted {
  readonly rows: number;
  readonly rounds: number;
  readonly loads: readonly LoadName[];
  readonly others: readonly PeerSystem[];
  readonly jsonFile: string | undefined;
}

/** @throws {Error} naming the option that makes no sense. */
function wantedBy(args: readonly string[]): Wanted {
  const options = {
    rows: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '4' },
    load: { type: 'string' },
    peer: { type: 'string', multiple: true },
    json: { type: 'string' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  const [rows, rounds] = [Number(values.rows), Number(values.rounds)];
  if (!Number.isInteger(rows) || rows < MIN_ROWS)
    throw new Error(`--rows ${values.rows}: a whole number of at least ${MIN_ROWS} is needed`);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20)
    throw new Error(`--rounds ${values.rounds}: a whole number from 1 to 20 is needed`);
  const loads = LOAD_NAMES.filter((name) => values.load === undefined || values.load === name);
  if (loads.length === 0) throw new Error(`--load ${values.load}: one of ${LOAD_NAMES.join(', ')} is needed`);
  return { rows, rounds, loads, others: othersOf(values.peer ?? []), jsonFile: values.json };
}

/** @throws {Error} for a name that is taken: slots and topics are named after it. */
function othersOf(texts: readonly string[]): PeerSystem[] {
  const others = texts.map(otherPeer);
  const names = [...KNOWN_NAMES, ...others.map(({ name }) => name)].map(nameInSlots);
  const taken = others.find(({ name }) => names.filter((one) => one === nameInSlots(name)).length > 1);
  if (taken !== undefined) throw new Error(`--peer ${taken.name}=…: the name is taken`);
  return others;
}

/** `npm run bench -- peers`: 0 when every target was met, 1 otherwise, 78 for a wrong call. */
export async function peersCommand(args: readonly string[]): Promise<number> {
  const places = takeGoPlaces(process.env);
  let wanted: Wanted;
  try {
    wanted = wantedBy(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\nusage: ${PEERS_USAGE}`);
    return 78;
  }
  closeOnSignal('peers');
  const libraries = places.pluginDir === undefined ? [] : [places.pluginDir];
  const { PG_BIN: binDir = '' } = process.env;
  const references = [EAGER_READER, ...(binDir === '' ? [] : [recvlogical(binDir)])];
  const run = await compare({ ...wanted, references, systems: systemsOf(places, wanted), libraries });
  return report(run, wanted);
}

function systemsOf(places: GoPlaces, { others, rows }: Wanted): PeerSystem[] {
  const all = [
    OURS,
    UNPACKED,
    producerPerf(rows),
    debezium('tuned'),
    debezium('default'),
    goPgstream(places),
    ...others,
  ];
  for (const { name, leftOut } of all)
    if (leftOut !== undefined) console.error(`${name} is left out: ${leftOut}`);
  return all.filter(({ leftOut }) => leftOut === undefined);
}

function report({ drains, broken }: CompareRun, { rows, rounds, jsonFile }: Wanted): number {
  printTables(drains);
  for (const text of broken) console.log(`could not be run: ${text}`);
  const checks = checksOf(drains);
  console.log();
  printChecks(checks);
  if (jsonFile !== undefined) {
    const measuredOn = new Date().toISOString().slice(0, 10);
    const run: CommittedComparison = {
      measuredOn,
      rows,
      rounds,
      checks,
      drains,
      broken,
      machine: machineFacts(),
    };
    writeFileSync(jsonFile, `${JSON.stringify(run, null, 2)}\n`);
  }
  return checks.length > 0 && broken.length === 0 && checks.every(({ pass }) => pass) ? 0 : 1;
}

function printTables(drains: readonly Drained[]): void {
  for (const { load, head, rows } of comparisonTables(drains)) {
    console.log();
    for (const [name = '', ...cells] of [[load, ...head], ...rows])
      console.log(`${name.padEnd(20)}${cells.map((cell) => cell.padStart(13)).join('')}`);
  }
}

function printChecks(checks: readonly Check[]): void {
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  for (const { name, value, unit, target, pass } of checks)
    console.log(
      `${pass ? '✔' : '✘'} ${name.padEnd(width)} ${value.toFixed(2).padStart(8)} ${unit}  (target ${target})`,
    );
}
