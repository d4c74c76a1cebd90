import { setTimeout as sleep } from 'node:timers/promises';
import { killPoints, type CrashLoad } from './crash-load.ts';
import type { Peer, PeerSystem } from './peer.ts';
import { RowLedger, type Findings } from './row-ledger.ts';
import { TopicLog } from './topic-log.ts';

/** One system that drained one load and was killed meanwhile. */
export interface CrashResult extends Findings {
  readonly system: string;
  readonly load: string;
  readonly rows: number;
  /** Size of the log at each SIGKILL, in records; only kills that found work left to do. */
  readonly killedAt: readonly number[];
  /** From the first start to the last row in the log, restarts included. */
  readonly seconds: number;
  /** The last row came; where it did not, what was missing is counted as lost. */
  readonly ended: boolean;
}

export interface CrashDrain {
  readonly system: PeerSystem;
  readonly peer: Peer;
  readonly load: CrashLoad;
  readonly kills: number;
  readonly broker: string;
  /** Records in the log so far. */
  readonly onProgress: (records: number) => void;
}

/** Asking for the size of a log costs its broker nothing, and a fast system writes thousands of records meanwhile. */
const LOOK_EVERY_MS = 10;
/** A log that does not grow for so long has ended, one way or another. */
const STALLED_MS = 600_000;

/** Drains, kills and starts again, then reads the log back from its first record to its last. */
export async function drainAndKill(drain: CrashDrain): Promise<CrashResult> {
  const { peer, load, broker, system } = drain;
  const log = await TopicLog.open(broker, peer.topic);
  const ledger = new RowLedger(load.keys);
  const read = async (size: number) =>
    log.readTo(size, ({ value }) => {
      const row = value === null ? undefined : system.rowOf(value.toString(), load.table);
      if (row !== undefined) ledger.note(row);
    });
  const from = performance.now();
  try {
    await peer.start();
    const killedAt = await killAlong(drain, log);
    for await (const { size, rests } of looks(drain, log)) {
      if (rests) await read(size);
      if (ledger.isEnded) break;
    }
    const seconds = (performance.now() - from) / 1000;
    await peer.stop();
    await read(await log.size());
    const facts = { system: system.name, load: load.title, rows: load.rows, killedAt, seconds };
    return { ...facts, ...ledger.findings(), ended: ledger.isEnded };
  } finally {
    await peer.stop();
    log.close();
  }
}

/** SIGKILL at each point, and a new process at once. */
async function killAlong(drain: CrashDrain, log: TopicLog): Promise<number[]> {
  const { peer, load, kills } = drain;
  const killedAt: number[] = [];
  for (const point of killPoints(load.rows, kills)) {
    for await (const { size } of looks(drain, log)) if (size >= point) break;
    await peer.kill();
    const size = await log.size();
    if (size < load.rows) killedAt.push(size);
    await peer.start();
  }
  return killedAt;
}

interface Look {
  /** Records in the log. */
  readonly size: number;
  /** As many as at the look before: reading now takes no time from the system that writes. */
  readonly rests: boolean;
}

/** The log as it grows, until it stands still for good. @throws {Error} when the system ended by itself. */
async function* looks({ peer, onProgress }: CrashDrain, log: TopicLog): AsyncGenerator<Look> {
  let [last, grewAt] = [-1, performance.now()];
  while (performance.now() - grewAt < STALLED_MS) {
    const size = await log.size();
    onProgress(size);
    yield { size, rests: size === last };
    const failure = peer.failure();
    if (failure !== undefined) throw new Error(failure);
    if (size !== last) [last, grewAt] = [size, performance.now()];
    await sleep(LOOK_EVERY_MS);
  }
}
