import { consumerLag as readLag } from '@pgstream/kafka-client';
import { slotFacts } from '@pgstream/postgres-source';
import { slotNameOf } from '../config/postgres-urls.ts';
import type { PgstreamConfig } from '../config/settings.ts';
import { withDatabase } from '../database.ts';
import { lagOptions, lagRow, type LagRow } from '../wiring/group-lag.ts';

export interface SlotLag {
  readonly name: string;
  readonly active: boolean;
  /** Bytes of WAL between what is confirmed and the newest position. */
  readonly lagBytes: number;
  readonly retainedBytes: number | null;
}

export interface Lag {
  /** `null` where no database is configured, or the slot does not exist. */
  readonly slot: SlotLag | null;
  readonly partitions: readonly LagRow[];
}

/** How far the slot and the group are behind; whichever of the two is configured. */
export async function consumerLag(config: PgstreamConfig): Promise<Lag> {
  const { readerServers, writerServers } = config.kafka;
  return {
    slot: config.postgres.url === null ? null : await slotLag(config),
    partitions: readerServers === null && writerServers === null ? [] : await groupLag(config),
  };
}

async function slotLag(config: PgstreamConfig): Promise<SlotLag | null> {
  const name = slotNameOf(config);
  return await withDatabase(config, 'lag', async ({ pool }) => {
    const facts = await slotFacts(pool, name);
    if (facts === null) return null;
    const { rows } = await pool.query('SELECT (pg_current_wal_lsn() - $1::pg_lsn)::text AS lag', [
      facts.confirmedLsn,
    ]);
    return {
      name,
      active: facts.active,
      lagBytes: Number(rows[0]?.['lag']),
      retainedBytes: facts.retainedBytes,
    };
  });
}

async function groupLag(config: PgstreamConfig): Promise<LagRow[]> {
  const partitions = await readLag(lagOptions(config));
  return partitions.map((one) => lagRow(config, one));
}
