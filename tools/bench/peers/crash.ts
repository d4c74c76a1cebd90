import { requireJava } from '@pgstream/test-kit';
import { Screen, seconds } from '../../product/screen.ts';
import { drainAndKill, type CrashResult } from './crash-drain.ts';
import { crashLoads, type CrashLoad } from './crash-load.ts';
import { nameInSlots } from './names.ts';
import type { PeerRun, PeerSystem } from './peer.ts';
import { startPeerWorld, type PeerWorld } from './peer-world.ts';
import { dropSlot, initSlot, OURS } from './ours.ts';

/** The broker packs what a system wrote so that the reader, which knows no lz4, can read it back. */
const READABLE = { 'compression.type': 'zstd' };

export interface CrashOptions {
  readonly rows: number;
  readonly kills: number;
  readonly systems: readonly PeerSystem[];
  /** Folders with output plugins that the local server lacks. */
  readonly libraries: readonly string[];
}

export interface CrashRun {
  readonly screen: Screen;
  readonly results: readonly CrashResult[];
  /** Systems that could not be run to the end, and why. */
  readonly broken: readonly string[];
}

/** Every system drains the same WAL from a copy of the same slot, is killed on the way, and its log is counted. */
export async function crash(options: CrashOptions): Promise<CrashRun> {
  requireJava();
  const screen = new Screen();
  const world = await startPeerWorld('crash', options.libraries);
  const results: CrashResult[] = [];
  const broken: string[] = [];
  try {
    for (const load of crashLoads(options.rows)) {
      screen.title(`${load.rows.toLocaleString('en-US')} rows, ${load.title}, ${options.kills} kills`);
      const publication = await screen.step('writing the WAL', () => write(world, load));
      for (const system of options.systems) {
        try {
          const run = { name: nameOf(system, load), table: load.table, publication };
          results.push(await one(screen, world, { ...options, system, load, run }));
        } catch (error) {
          if (system === OURS) throw error;
          broken.push(
            `${system.name}, ${load.title}: ${error instanceof Error ? error.message : String(error)}`,
          );
        }
      }
      await dropSlot(world, load.table);
    }
  } finally {
    await world.close();
  }
  return { screen, results, broken };
}

/** Ours drains the slot that it made; its name is that of the table. The others come first, with copies. */
function nameOf(system: PeerSystem, load: CrashLoad): string {
  if (system === OURS) return load.table;
  return `${load.table}_${nameInSlots(system.name)}`;
}

/** The slot is made first and stands at the start of it. */
async function write(world: PeerWorld, load: CrashLoad): Promise<string> {
  await world.sql.query(load.create);
  const { publication } = await initSlot(world, load.table);
  for (const statement of load.write) await world.sql.query(statement);
  return publication;
}

interface One extends CrashOptions {
  readonly system: PeerSystem;
  readonly load: CrashLoad;
  readonly run: PeerRun;
}

async function one(
  screen: Screen,
  world: PeerWorld,
  { system, load, run, kills }: One,
): Promise<CrashResult> {
  await world.makeTopic(system.topicOf(run), READABLE);
  const copied = system.plugin !== 'own';
  if (copied) {
    const copy = 'SELECT pg_copy_logical_replication_slot($1, $2, false, $3)';
    await world.sql.query(copy, [load.table, run.name, system.plugin]);
  }
  const peer = await system.open(world, run);
  const onProgress = screen.progress(system.name.padEnd(16), load.rows);
  const drain = { system, peer, load, kills, broker: world.broker, onProgress };
  const result = await drainAndKill(drain);
  onProgress(load.rows);
  screen.note(inWords(result));
  if (copied) await world.sql.query('SELECT pg_drop_replication_slot($1)', [run.name]);
  return result;
}

function inWords({ system, lost, duplicates, misordered, killedAt, ...result }: CrashResult): string {
  const places = killedAt.map((size) => `${Math.round((size / result.rows) * 100)} %`).join(', ');
  const counts = `${lost} lost, ${duplicates} duplicates, ${misordered} out of order`;
  return `${system}: ${counts}; killed at ${places || 'no point'}; ${seconds(result.seconds * 1000)}`;
}
