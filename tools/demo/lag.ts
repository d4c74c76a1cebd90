import { LagReader, type PartitionLag } from '@pgstream/kafka-client';
import { waitFor } from '@pgstream/test-kit';
import type { Screen } from '../product/screen.ts';
import type { World } from './world.ts';

export const TOPIC = 'pgstream';
export const GROUP = 'pgstream-search';

/** Everything committed until now is confirmed to PostgreSQL, and the group has passed everything in the topic. */
export async function untilCaughtUp(world: World, timeoutMs: number): Promise<void> {
  const { rows } = await world.sql.query('SELECT pg_current_wal_lsn()::text AS lsn');
  const [wal] = rows;
  await waitFor(
    'the slot to pass what is committed',
    async () => {
      const slots = await world.sql.query(
        'SELECT bool_and(confirmed_flush_lsn >= $1::pg_lsn) AS passed FROM pg_replication_slots',
        [wal?.['lsn']],
      );
      return slots.rows[0]?.['passed'] === true;
    },
    timeoutMs,
  );
  const reader = readerOf(world);
  try {
    await waitFor('the group to pass the topic', async () => totalOf(await reader.read()) === 0, timeoutMs);
  } finally {
    await reader.close();
  }
}

export async function printLag(world: World, screen: Screen): Promise<void> {
  const reader = readerOf(world);
  try {
    const lag = await reader.read();
    const records = totalOf(lag);
    const ends = lag.map(({ partition, end }) => `${partition}:${end}`).join(' ');
    screen.note(`group ${GROUP}: lag ${records} records over ${lag.length} partitions (ends ${ends})`);
    screen.check(
      { name: 'consumer lag at the end', value: records, unit: 'records', target: 0 },
      records === 0,
    );
  } finally {
    await reader.close();
  }
}

function readerOf(world: World): LagReader {
  const connection = {
    brokers: [world.stack.kafka?.broker ?? ''],
    clientId: 'demo',
    connectionTimeoutMs: 10_000,
    requestTimeoutMs: 30_000,
  };
  return new LagReader({ connection, topic: TOPIC, groupId: GROUP });
}

function totalOf(lag: readonly PartitionLag[]): number {
  return lag.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
}
