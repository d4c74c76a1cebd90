import { waitFor } from '@pgstream/test-kit';
import type { Product, RunningService } from '../../product/product.ts';
import type { BenchWorld } from '../bench-world.ts';
import { usageOf } from '../processes.ts';
import { pidOf } from '../slot-to-kafka.ts';
import type { ScalePoint } from './flatness.ts';
import { loadInTurn } from './tables.ts';
import { TopicEnd } from './topic-end.ts';

export interface RunOptions {
  /** Names the slot and the topic. */
  readonly run: string;
  readonly topic: string;
  readonly tables: readonly string[];
  readonly partitions: number;
  /** Drained before anything counts: code is compiled and every table has been met. */
  readonly warmUpRows: number;
}

const LOOK_EVERY_MS = 20;

/** A slot, what is written behind it, and a producer that drains it from some moment on. */
export class DrainedRun {
  readonly #world: BenchWorld;
  readonly #options: RunOptions;
  readonly #product: Product;

  private constructor(world: BenchWorld, options: RunOptions) {
    this.#world = world;
    this.#options = options;
    const partitions = { PGSTREAM_KAFKA_TOPIC_PARTITIONS: String(options.partitions) };
    this.#product = world.product(options.run).withEnvironment(partitions);
  }

  /** The slot with the warm-up behind it; nothing reads it yet. */
  static async prepare(world: BenchWorld, options: RunOptions): Promise<DrainedRun> {
    const run = new DrainedRun(world, options);
    await run.#product.run('init', '--keyless=full');
    await loadInTurn(world.sql, options.tables, options.warmUpRows);
    return run;
  }

  /** One backlog behind the warm-up, drained as a whole. */
  async backlog(rows: number, load: () => Promise<void>): Promise<ScalePoint & { readonly waitS: number }> {
    await load();
    return await this.#drained(async (producer, end) => {
      const { warmUpRows } = this.#options;
      const warm = await end.atLeast(warmUpRows, LOOK_EVERY_MS);
      const before = usageOf(pidOf(producer));
      // a large transaction is gathered by the server first: its rate counts from its first rows
      const first = await end.atLeast(warm.records + rows / 1000, LOOK_EVERY_MS);
      const last = await end.atLeast(warmUpRows + rows, LOOK_EVERY_MS);
      const { cpuS, peakRssMb } = usageOf(pidOf(producer));
      const counted = last.records - warm.records;
      return {
        of: rows,
        rows: counted,
        rowsPerS: (last.records - first.records) / ((last.atMs - first.atMs) / 1000),
        cpuUsPerRow: ((cpuS - before.cpuS) / counted) * 1e6,
        peakRssMb,
        waitS: (first.atMs - warm.atMs) / 1000,
      };
    });
  }

  /** Backlogs too short to be measured one by one: each is written while the producer stands still, then drained. */
  async bursts(rows: number, count: number): Promise<ScalePoint> {
    return await this.#drained(async (producer, end) => {
      await end.atLeast(this.#options.warmUpRows, LOOK_EVERY_MS);
      const before = usageOf(pidOf(producer));
      let drainedMs = 0;
      for (let burst = 0; burst < count; burst++) {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        drainedMs += await this.#burst(producer, end, rows);
      }
      const { cpuS, peakRssMb } = usageOf(pidOf(producer));
      const counted = rows * count;
      return {
        of: rows,
        rows: counted,
        rowsPerS: counted / (drainedMs / 1000),
        cpuUsPerRow: ((cpuS - before.cpuS) / counted) * 1e6,
        peakRssMb,
      };
    });
  }

  async #burst({ child }: RunningService, end: TopicEnd, rows: number): Promise<number> {
    const before = await end.records();
    child.kill('SIGSTOP');
    await loadInTurn(this.#world.sql, this.#options.tables, rows);
    const fromMs = performance.now();
    child.kill('SIGCONT');
    return (await end.atLeast(before + rows, LOOK_EVERY_MS)).atMs - fromMs;
  }

  async #drained<T>(measure: (producer: RunningService, end: TopicEnd) => Promise<T>): Promise<T> {
    const { topic, run } = this.#options;
    const producer = await this.#product.start('wal-producer', `producer-${run}`);
    const end = await waitFor(`topic ${topic}`, () => TopicEnd.open(this.#world.broker, topic));
    try {
      return await measure(producer, end);
    } finally {
      end.close();
      await this.#product.stopAll();
      await this.#product.run('tear-down', '--slot-only');
    }
  }
}
