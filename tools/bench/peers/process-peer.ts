import type { Peer } from './peer.ts';
import { PeerProcess, type PeerCommand } from './peer-process.ts';
import { untilSlotFree, type PeerWorld } from './peer-world.ts';

export interface ProcessPlace {
  readonly slot: string;
  readonly topic: string;
}

/** A system that is one command. */
export class ProcessPeer implements Peer {
  readonly topic: string;
  readonly #world: PeerWorld;
  readonly #slot: string;
  readonly #process: PeerProcess;

  constructor(world: PeerWorld, { slot, topic }: ProcessPlace, command: PeerCommand) {
    this.topic = topic;
    this.#world = world;
    this.#slot = slot;
    this.#process = new PeerProcess(command);
  }

  get pid(): number {
    return this.#process.pid;
  }

  failure(): string | undefined {
    return this.#process.failure();
  }

  /** When its slot is free: not everybody waits for that. */
  async start(): Promise<void> {
    await untilSlotFree(this.#world, this.#slot);
    this.#process.start();
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }
}
