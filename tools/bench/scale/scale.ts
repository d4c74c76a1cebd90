import type { Check } from '../../product/screen.ts';
import type { BenchWorld } from '../bench-world.ts';
import { NoiseMeter } from '../noise.ts';
import { DrainedRun } from './drained-run.ts';
import { quietRounds } from '../quiet-rounds.ts';
import { FLAT_WITHIN, medianRound, steepness, type ScalePoint } from './flatness.ts';
import { measureManyTables, type ManyTables } from './many-tables.ts';
import { createTables, loadAtOnce, loadInTurn } from './tables.ts';

export interface ScalePlan {
  readonly isQuick: boolean;
  readonly rounds: number;
  readonly warmUpRows: number;
  /** Sizes of the backlog, one table, one partition. */
  readonly rows: readonly number[];
  /** Below it a backlog is drained in bursts of one producer, from it on each has a producer of its own. */
  readonly burstsBelowRows: number;
  /** Rows of each point of the curves below, and of the large transaction. */
  readonly pointRows: number;
  readonly tables: readonly number[];
  readonly partitions: readonly number[];
  /** A schema is the key: so many of them fill the partitions. */
  readonly schemasForPartitions: number;
  readonly manyTables: { readonly schemas: number; readonly tablesEach: number };
}

export const FULL_PLAN: ScalePlan = {
  isQuick: false,
  rounds: 3,
  warmUpRows: 200_000,
  rows: [10_000, 100_000, 1_000_000, 10_000_000],
  burstsBelowRows: 1_000_000,
  pointRows: 1_000_000,
  tables: [1, 10, 100, 1_000],
  partitions: [1, 3, 12, 24, 48],
  schemasForPartitions: 96,
  manyTables: { schemas: 1_000, tablesEach: 5 },
};

/** For trying the bench out: its figures say nothing. */
export const QUICK_PLAN: ScalePlan = {
  isQuick: true,
  rounds: 1,
  warmUpRows: 4_000,
  rows: [1_000, 20_000],
  burstsBelowRows: 10_000,
  pointRows: 20_000,
  tables: [1, 10],
  partitions: [1, 6],
  schemasForPartitions: 12,
  manyTables: { schemas: 20, tablesEach: 5 },
};

export interface Curves {
  readonly rows: readonly ScalePoint[];
  readonly tables: readonly ScalePoint[];
  readonly partitions: readonly ScalePoint[];
}

export interface LargeTransaction extends ScalePoint {
  /** Until its first row: the server gathers a transaction before it sends it. */
  readonly waitS: number;
  /** Of the same number of rows in small transactions, in the same run. */
  readonly smallRowsPerS: number;
}

export interface ScaleFigures {
  readonly checks: readonly Check[];
  readonly isQuick: boolean;
  readonly curves: Curves;
  readonly transaction: LargeTransaction;
  readonly manyTables: ManyTables;
  /** Cores that others kept busy. */
  readonly noiseCores: number;
}

export async function measureScale(
  world: BenchWorld,
  plan: ScalePlan,
  topicOf: (run: string) => string = (run) => run,
): Promise<ScaleFigures> {
  const noise = new NoiseMeter(world.stack);
  const run = new ScaleRun(world, plan, topicOf);
  const [table = ''] = await createTables(world.sql, 'one', { tables: 1, perSchema: 1 });
  const rows = await run.rowsCurve(table);
  const transaction = await run.largeTransaction(table);
  const tables = await run.tablesCurve();
  const partitions = await run.partitionsCurve();
  const manyTables = await measureManyTables(world, plan.manyTables, topicOf('scale_many'));
  const curves = { rows, tables, partitions };
  const checks = checksOf(curves, transaction, manyTables);
  return { checks, isQuick: plan.isQuick, curves, transaction, manyTables, noiseCores: noise.cores() };
}

class ScaleRun {
  readonly #world: BenchWorld;
  readonly #plan: ScalePlan;
  readonly #topicOf: (run: string) => string;
  #runs = 0;

  constructor(world: BenchWorld, plan: ScalePlan, topicOf: (run: string) => string) {
    this.#world = world;
    this.#plan = plan;
    this.#topicOf = topicOf;
  }

  async rowsCurve(table: string): Promise<ScalePoint[]> {
    const { burstsBelowRows } = this.#plan;
    return await inTurn(this.#plan.rows, async (rows) => {
      const point = async () =>
        rows < burstsBelowRows
          ? (await this.#prepare([table], 1)).bursts(rows, Math.min(50, Math.ceil(burstsBelowRows / rows)))
          : this.#smallTransactions([table], 1, rows);
      // the largest takes as long as all the others, and its length evens it out
      return await this.#rounds(`${rows} rows`, rows > this.#plan.pointRows ? 1 : this.#plan.rounds, point);
    });
  }

  async tablesCurve(): Promise<ScalePoint[]> {
    const most = Math.max(...this.#plan.tables);
    const names = await createTables(this.#world.sql, 'several', { tables: most, perSchema: most });
    return await inTurn(this.#plan.tables, async (of) => {
      const point = () => this.#smallTransactions(names.slice(0, of), 1, this.#plan.pointRows);
      return { ...(await this.#rounds(`${of} tables`, this.#plan.rounds, point)), of };
    });
  }

  async partitionsCurve(): Promise<ScalePoint[]> {
    const tables = this.#plan.schemasForPartitions;
    const names = await createTables(this.#world.sql, 'spread', { tables, perSchema: 1 });
    return await inTurn(this.#plan.partitions, async (of) => {
      const point = () => this.#smallTransactions(names, of, this.#plan.pointRows);
      return { ...(await this.#rounds(`${of} partitions`, this.#plan.rounds, point)), of };
    });
  }

  async largeTransaction(table: string): Promise<LargeTransaction> {
    const rows = this.#plan.pointRows;
    console.error(`one transaction of ${rows} rows …`);
    const { sql } = this.#world;
    const small = await this.#smallTransactions([table], 1, rows);
    const large = await (await this.#prepare([table], 1)).backlog(rows, () => loadAtOnce(sql, table, rows));
    return { ...large, smallRowsPerS: small.rowsPerS };
  }

  async #smallTransactions(tables: readonly string[], partitions: number, rows: number): Promise<ScalePoint> {
    const run = await this.#prepare(tables, partitions);
    const { waitS: _, ...point } = await run.backlog(rows, () => loadInTurn(this.#world.sql, tables, rows));
    return point;
  }

  async #prepare(tables: readonly string[], partitions: number): Promise<DrainedRun> {
    const run = `scale_${(this.#runs += 1)}`;
    // every table twice at least, a hundred rows each time
    const warmUpRows = Math.max(this.#plan.warmUpRows, tables.length * 200);
    return await DrainedRun.prepare(this.#world, {
      run,
      topic: this.#topicOf(run),
      tables,
      partitions,
      warmUpRows,
    });
  }

  async #rounds(what: string, count: number, point: () => Promise<ScalePoint>): Promise<ScalePoint> {
    const noise = () => new NoiseMeter(this.#world.stack);
    const wanted = { quiet: count, most: 2 * count };
    const { counted, made, noisy } = await quietRounds(noise, point, wanted);
    const { cpuUsPerRow, rowsPerS, peakRssMb } = medianRound(counted);
    console.error(
      `${what}: ${cpuUsPerRow.toFixed(2)} µs/row, ${Math.round(rowsPerS)} rows/s, ${peakRssMb.toFixed(0)} MB`,
    );
    return { ...medianRound(counted), made, noisy };
  }
}

/** One after the other: they would share the cores. */
async function inTurn<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  // oxlint-disable-next-line no-await-in-loop -- see above
  for (const one of all) results.push(await work(one));
  return results;
}

const TARGETS = { transactionRssMb: 256, transactionShare: 0.8, startS: 5, manyTablesRssMb: 400 };

function checksOf(curves: Curves, transaction: LargeTransaction, manyTables: ManyTables): Check[] {
  const flat = Object.entries(curves).map(([name, points]: [string, readonly ScalePoint[]]) => {
    const span = `${points.at(0)?.of} to ${points.at(-1)?.of} ${name}`;
    return atMost(`dearest row over cheapest, ${span}`, steepness(points), 'x', FLAT_WITHIN);
  });
  const share = transaction.rowsPerS / transaction.smallRowsPerS;
  const { of: rows } = transaction;
  const many = `${manyTables.tables} tables in ${manyTables.schemas} schemas`;
  return [
    ...flat,
    atMost(
      `one transaction of ${rows} rows, peak RSS`,
      transaction.peakRssMb,
      'MB',
      TARGETS.transactionRssMb,
    ),
    {
      name: `one transaction of ${rows} rows, rate against small ones`,
      value: share,
      unit: 'x',
      target: TARGETS.transactionShare,
      pass: share >= TARGETS.transactionShare,
    },
    atMost(`${many}, from the start to the first record`, manyTables.startS, 's', TARGETS.startS),
    atMost(`${many}, peak RSS`, manyTables.peakRssMb, 'MB', TARGETS.manyTablesRssMb),
  ];
}

function atMost(name: string, value: number, unit: string, target: number): Check {
  return { name, value, unit, target, pass: value <= target };
}
