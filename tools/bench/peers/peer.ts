import type { PeerWorld } from './peer-world.ts';

/** What one system drains and under which names. */
export interface PeerRun {
  /** Lower-case letters, digits and underscores: its slot, the prefix of its topic, its folder and log. */
  readonly name: string;
  /** In schema `public`. */
  readonly table: string;
  /** Of all tables, made before the WAL was written. */
  readonly publication: string;
}

/** A key and the state of its row: every change of a row counts its `version` up by one, from 1. */
export interface Row {
  readonly id: number;
  readonly version: number;
}

/** One system as a process that drains a slot into a topic of one partition. */
export interface Peer {
  readonly topic: string;
  /** Of the process that runs, -1 before the first start. */
  readonly pid: number;
  /** Why it is not running any more though nobody ended it; `undefined` while all is well. */
  failure(): string | undefined;
  /**
   * Starts it, or starts it again with what it remembers.
   * @throws {Error} with the end of its log where it ends or refuses to work.
   */
  start(): Promise<void>;
  /** SIGKILL. Resolves when the process is gone. */
  kill(): Promise<void>;
  /** An orderly stop. Idempotent. */
  stop(): Promise<void>;
}

/** A system that can be compared. */
export interface PeerSystem {
  readonly name: string;
  /** Why it takes no part and what would change that; `undefined` when it can be started. */
  readonly leftOut: string | undefined;
  /** Output plugin that its slot needs; `own` for the slot that `pgstream init` made. */
  readonly plugin: 'own' | 'pgoutput' | 'wal2json';
  topicOf(run: PeerRun): string;
  open(world: PeerWorld, run: PeerRun): Promise<Peer>;
  /** The row that a record of its topic carries; `undefined` for records that carry none of the table. */
  rowOf(value: string, table: string): Row | undefined;
}
