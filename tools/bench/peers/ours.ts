import { readFileSync } from 'node:fs';
import { Product, type RunningService } from '../../product/product.ts';
import { PGSTREAM } from './names.ts';
import type { Peer, PeerRun, PeerSystem } from './peer.ts';
import type { PeerWorld } from './peer-world.ts';
import { pgstreamRow } from './row-of.ts';

type Settings = Readonly<Record<string, string>>;

/** Ours, on the slot that `pgstream init` made. @param settings beside what names its servers and its topic */
export function ours(name: string, settings: Settings): PeerSystem {
  return {
    name,
    leftOut: undefined,
    plugin: 'own',
    topicOf,
    open: (world, run) => Promise.resolve(new Ours(world, run, settings)),
    rowOf: pgstreamRow,
  };
}

/** With its default settings. */
export const OURS = ours(PGSTREAM, {});

function topicOf({ name }: PeerRun): string {
  return name;
}

class Ours implements Peer {
  readonly topic: string;
  readonly #product: Product;
  #service: RunningService | undefined;
  #isMeantToEnd = false;

  constructor(world: PeerWorld, run: PeerRun, settings: Settings) {
    this.topic = topicOf(run);
    this.#product = productOf(world, run.name).withEnvironment(settings);
  }

  get pid(): number {
    return this.#service?.child.pid ?? -1;
  }

  failure(): string | undefined {
    const { child, logFile } = this.#service ?? {};
    if (child === undefined || logFile === undefined || this.#isMeantToEnd) return undefined;
    if (child.exitCode === null && child.signalCode === null) return undefined;
    const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15);
    return `pgstream ended by itself (${child.exitCode ?? child.signalCode})\n${lines.join('\n')}`;
  }

  /** Not waited for until it is ready: what it writes says so, and a kill may come before that. */
  async start(): Promise<void> {
    this.#service = await this.#product.launch('wal-producer', 'pgstream');
    this.#isMeantToEnd = false;
  }

  async kill(): Promise<void> {
    this.#isMeantToEnd = true;
    this.#service?.child.kill('SIGKILL');
    await this.#service?.exited;
  }

  async stop(): Promise<void> {
    this.#isMeantToEnd = true;
    await this.#product.stopAll();
  }
}

/** `pgstream init` for this slot: with it come the publication and the slot that the others copy. */
export async function initSlot(world: PeerWorld, name: string): Promise<{ readonly publication: string }> {
  await productOf(world, name).run('init', '--keyless=full');
  return { publication: `${name}_pub` };
}

export async function dropSlot(world: PeerWorld, name: string): Promise<void> {
  await productOf(world, name).run('tear-down', '--slot-only');
}

function productOf(world: PeerWorld, name: string): Product {
  return new Product({
    dir: world.folder(name),
    environment: {
      PGSTREAM_POSTGRES_LISTENER_URL: world.url,
      PGSTREAM_POSTGRES_REPLICATION_SLOT_NAME: name,
      PGSTREAM_KAFKA_SERVERS: world.broker,
      PGSTREAM_KAFKA_TOPIC_NAME: name,
      PGSTREAM_KAFKA_TOPIC_PARTITIONS: '1',
    },
  });
}
