import { setTimeout as pause } from 'node:timers/promises';
import { waitFor } from '@pgstream/test-kit';
import { percentile } from '../../product/screen.ts';
import type { BenchWorld } from '../bench-world.ts';
import { HookSide } from './hook-side.ts';

const COMMITS_PER_S = 100;
/** Of what is not counted: connections open, caches fill. */
const WARM_UP_S = 10;
const PATIENCE_MS = 120_000;

export interface HookLatency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/**
 * Milliseconds from the commit of a row until each endpoint that answers has it, through WAL, Kafka and notifier.
 * @param blackHoles endpoints beside them that take connections and never answer.
 */
export async function measureHookLatency(
  world: BenchWorld,
  run: string,
  { seconds, endpoints, blackHoles = 0 }: { seconds: number; endpoints: number; blackHoles?: number },
): Promise<HookLatency> {
  const side = await HookSide.start(world, run, { endpoints, blackHoles });
  try {
    const committedMs = await writeSteadily(world, side.table, (WARM_UP_S + seconds) * COMMITS_PER_S);
    await waitFor(
      'the last row everywhere',
      () => side.arrived.every(({ size }) => size >= committedMs.length),
      PATIENCE_MS,
    );
    return latencyOf(side.arrived, committedMs);
  } finally {
    await side.close();
  }
}

function latencyOf(
  endpoints: readonly ReadonlyMap<number, number>[],
  committedMs: readonly number[],
): HookLatency {
  const counted = WARM_UP_S * COMMITS_PER_S;
  const waits = endpoints.flatMap((arrived) =>
    committedMs
      .slice(counted)
      .map((atMs, i) => Math.max(0, (arrived.get(counted + i + 1) ?? Number.NaN) - atMs)),
  );
  const sorted = waits.toSorted((x, y) => x - y);
  return {
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

/** When each commit was known, by id less one. */
async function writeSteadily({ sql }: BenchWorld, table: string, rows: number): Promise<number[]> {
  const from = performance.now();
  const committedMs: number[] = [];
  for (let id = 1; id <= rows; id++) {
    const dueMs = from + (id / COMMITS_PER_S) * 1000 - performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one at a time at its time
    if (dueMs > 0) await pause(dueMs);
    // oxlint-disable-next-line no-await-in-loop -- see above
    await sql.query(`INSERT INTO ${table} VALUES ($1, 'now')`, [id]);
    committedMs.push(performance.now());
  }
  return committedMs;
}
