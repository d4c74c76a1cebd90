import { waitFor } from '@pgstream/test-kit';
import type { BenchWorld } from '../bench-world.ts';
import { usageOf } from '../processes.ts';
import { pidOf } from '../slot-to-kafka.ts';
import { createTables, loadInTurn, ROWS_PER_TRANSACTION } from './tables.ts';
import { TopicEnd } from './topic-end.ts';

export interface ManyTables {
  readonly schemas: number;
  readonly tables: number;
  /** `pgstream init`, once in the life of a slot. */
  readonly initS: number;
  /** From the start of the process until it was ready, and until the first record was in its topic. */
  readonly readyS: number;
  readonly startS: number;
  /** After rows of every table. */
  readonly peakRssMb: number;
}

const LOOK_EVERY_MS = 20;
/** What an operator who has a thousand schemas would take: the default of a topic that is created. */
const PARTITIONS = 12;

/** The producer starts in a database of many tables, each with rows to be sent. */
export async function measureManyTables(
  world: BenchWorld,
  { schemas, tablesEach }: { readonly schemas: number; readonly tablesEach: number },
  topic: string,
): Promise<ManyTables> {
  const tables = schemas * tablesEach;
  console.error(`${tables} tables in ${schemas} schemas …`);
  const names = await createTables(world.sql, 'many', { tables, perSchema: tablesEach });
  const product = world
    .product('scale_many')
    .withEnvironment({ PGSTREAM_KAFKA_TOPIC_PARTITIONS: String(PARTITIONS) });
  const initFromMs = performance.now();
  await product.run('init', '--keyless=full');
  const initS = secondsSince(initFromMs);
  const rows = tables * ROWS_PER_TRANSACTION;
  await loadInTurn(world.sql, names, rows);
  const fromMs = performance.now();
  const producer = await product.start('wal-producer', 'producer-many');
  try {
    const readyS = secondsSince(fromMs);
    const end = await waitFor(`topic ${topic}`, () => TopicEnd.open(world.broker, topic));
    // each partition begins with a heartbeat
    const first = await end.atLeast(PARTITIONS + 1, LOOK_EVERY_MS);
    await end.atLeast(rows, LOOK_EVERY_MS);
    end.close();
    const { peakRssMb } = usageOf(pidOf(producer));
    return { schemas, tables, initS, readyS, startS: (first.atMs - fromMs) / 1000, peakRssMb };
  } finally {
    await product.stopAll();
    await product.run('tear-down', '--slot-only');
  }
}

function secondsSince(fromMs: number): number {
  return (performance.now() - fromMs) / 1000;
}
