import { formatLsn, type Lsn } from '@pgstream/wal-event';

/**
 * START_REPLICATION; publication names keep their case. The server goes on from the slot's position where that is ahead of
 * `from`, and skips silently everything below `from`: only ever pass what is confirmed on this very cluster.
 */
export function startSql(slot: string, publications: readonly string[], from: Lsn): string {
  const names = publications.map(identifier).join(',').replaceAll("'", "''");
  return `START_REPLICATION SLOT ${identifier(slot)} LOGICAL ${formatLsn(from)} (proto_version '1', publication_names '${names}', messages 'true')`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
