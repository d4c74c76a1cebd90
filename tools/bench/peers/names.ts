/** Names of the systems that checks are about, in tables and in what is committed. */
export const PGSTREAM = 'pgstream';
export const UNPACKED_PGSTREAM = 'pgstream, no zstd';
export const DEFAULT_DEBEZIUM = 'Debezium default';
export const TUNED_DEBEZIUM = 'Debezium tuned';
export const REFERENCE = 'reference reader';
export const GO_PGSTREAM = 'go-pgstream';
export const RECVLOGICAL = 'pg_recvlogical';
export const PRODUCER_PERF = 'kafka-producer-perf';

/** For slots, topics and folders. */
export function nameInSlots(system: string): string {
  return system.toLowerCase().replace(/[^a-z0-9]+/g, '_');
}
