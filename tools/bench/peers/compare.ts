import { requireJava } from '@pgstream/test-kit';
import { Screen } from '../../product/screen.ts';
import { drain, type Drained } from './compare-drain.ts';
import { compareLoad, type CompareLoad, type LoadName } from './compare-load.ts';
import type { Reference } from './compare-reference.ts';
import { nameInSlots } from './names.ts';
import { dropSlot, initSlot } from './ours.ts';
import type { PeerSystem } from './peer.ts';
import { startPeerWorld, untilSlotFree, type PeerWorld } from './peer-world.ts';

const SETTINGS = {
  'message.timestamp.type': 'LogAppendTime',
  // gigabytes per system: they should not wait a minute for the next one
  'file.delete.delay.ms': '1000',
};

export interface CompareOptions {
  readonly rows: number;
  readonly rounds: number;
  readonly loads: readonly LoadName[];
  readonly references: readonly Reference[];
  readonly systems: readonly PeerSystem[];
  readonly libraries: readonly string[];
}

export interface CompareRun {
  readonly drains: readonly Drained[];
  /** Drains that came to no end, and why. */
  readonly broken: readonly string[];
}

/** One turn of one system. */
interface Turn {
  readonly system: PeerSystem | Reference;
  readonly round: number;
  /** Its slot and the prefix of its topic. */
  readonly name: string;
}

/** Every system drains the same WAL in turn, A B B A, round after round; then the next kind of WAL. */
export async function compare(options: CompareOptions): Promise<CompareRun> {
  requireJava();
  const screen = new Screen();
  const world = await startPeerWorld('peers', options.libraries);
  const run: { drains: Drained[]; broken: string[] } = { drains: [], broken: [] };
  try {
    for (const name of options.loads) {
      const load = compareLoad(name, options.rows);
      screen.title(`${name}: ${load.rows.toLocaleString('en-US')} rows, ${load.title}`);
      await new Comparison(world, load, screen).measure(turnsOf(load, options), run);
    }
  } finally {
    await world.close();
  }
  return run;
}

/** Round 0 warms the servers up with ours and the references; it is not counted. */
function turnsOf({ name }: CompareLoad, { references, systems, rounds }: CompareOptions): Turn[] {
  const all = [...references, ...systems];
  const turnIn = (round: number) => (system: PeerSystem | Reference) => {
    return { system, round, name: `${name}_${round}_${nameInSlots(system.name)}` };
  };
  const warmUp = all.filter((system) => !('plugin' in system) || system.plugin === 'own').map(turnIn(0));
  const counted = Array.from({ length: rounds }, (_, i) => {
    const turns = all.map(turnIn(i + 1));
    return i % 2 === 0 ? turns : turns.toReversed();
  });
  return [...warmUp, ...counted.flat()];
}

class Comparison {
  readonly #world: PeerWorld;
  readonly #load: CompareLoad;
  readonly #screen: Screen;
  #publication = '';

  constructor(world: PeerWorld, load: CompareLoad, screen: Screen) {
    this.#world = world;
    this.#load = load;
    this.#screen = screen;
  }

  async measure(
    turns: readonly Turn[],
    run: { readonly drains: Drained[]; readonly broken: string[] },
  ): Promise<void> {
    await this.#screen.step('writing the WAL', () => this.#write(turns));
    for (const turn of turns) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const drained = await this.#take(turn);
        this.#screen.note(inWords(drained));
        if (turn.round > 0) run.drains.push(drained);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        run.broken.push(`${turn.system.name}, ${this.#load.name}, round ${turn.round}: ${why}`);
        this.#screen.note(run.broken.at(-1) ?? '');
      }
    }
    await this.#world.sql.query('SELECT pg_drop_replication_slot($1)', [this.#frozen]);
  }

  get #frozen(): string {
    return `${this.#load.name}_frozen`;
  }

  /** Slots first: ours for each of its turns, which `init` makes, and one that stays where it is and is copied. */
  async #write(turns: readonly Turn[]): Promise<void> {
    const { sql } = this.#world;
    await sql.query(this.#load.create);
    for (const { system, name } of turns) {
      if (!('plugin' in system) || system.plugin !== 'own') continue;
      // oxlint-disable-next-line no-await-in-loop
      this.#publication = (await initSlot(this.#world, name)).publication;
    }
    await sql.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [this.#frozen]);
    // oxlint-disable-next-line no-await-in-loop -- in their order
    for (const statement of this.#load.write) await sql.query(statement);
    await sql.query('CHECKPOINT');
  }

  async #take({ system, round, name }: Turn): Promise<Drained> {
    const load = this.#load;
    if (!('plugin' in system)) {
      const place = { slot: name, publication: this.#publication };
      const read = () => system.read(this.#world, place, { system: system.name, load, round });
      return this.#withCopy(name, 'pgoutput', read);
    }
    const run = { name, table: load.name, publication: this.#publication };
    const topic = system.topicOf(run);
    const work = async () => {
      await this.#world.makeTopic(topic, SETTINGS);
      const peer = await system.open(this.#world, run);
      try {
        return await drain(this.#world, peer, { system: system.name, load, round });
      } finally {
        await this.#world.dropTopic(topic);
      }
    };
    if (system.plugin !== 'own') return this.#withCopy(name, system.plugin, work);
    try {
      return await work();
    } finally {
      await dropSlot(this.#world, name);
    }
  }

  async #withCopy<T>(name: string, plugin: string, work: () => Promise<T>): Promise<T> {
    const { sql } = this.#world;
    const copy = 'SELECT pg_copy_logical_replication_slot($1, $2, false, $3)';
    await sql.query(copy, [this.#frozen, name, plugin]);
    try {
      return await work();
    } finally {
      await untilSlotFree(this.#world, name);
      await sql.query('SELECT pg_drop_replication_slot($1)', [name]);
    }
  }
}

function inWords({ round, system, rowsPerS, cpuS, noise }: Drained): string {
  const figures = `${Math.round(rowsPerS).toLocaleString('en-US').padStart(9)} rows/s  ${cpuS.toFixed(1).padStart(6)} CPU s per million`;
  return `round ${round}  ${system.padEnd(24)}${figures}  noise ${(noise * 100).toFixed(0)} %`;
}
