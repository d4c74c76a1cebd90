import type { SearchStore } from '@pgstream/search-store';
import { formatPosition, type Position, type SchemaChange } from '@pgstream/wal-event';
import type { SystemNames } from './system-indices.ts';

/** Makes a schema change searchable in the index `pgstream`: who changed what, and the shape after it. Idempotent. */
export async function writeHistory(
  store: SearchStore,
  names: SystemNames,
  entry: { readonly change: SchemaChange; readonly position: Position; readonly version: bigint },
): Promise<void> {
  const { change, position, version } = entry;
  const { schema_log: log } = change;
  const id =
    log?.id ?? `${position.commitLsn.toString(16).padStart(16, '0')}-${position.seq}-${position.sub}`;
  await store.request('PUT', `/${names.history}/_doc/${encodeURIComponent(id)}`, {
    query: { version: String(version), version_type: 'external_gte', refresh: true },
    body: {
      id,
      version: log?.version ?? null,
      schema_name: change.schema_name,
      schema: log?.schema ?? null,
      created_at: isoOf(log?.created_at),
      // The record is in the log, or it would not have come here.
      acked: true,
      ddl: change.ddl,
      command_tag: change.command_tag,
      source: change.source,
      position: formatPosition(position),
      tables: tablesOf(change),
      kinds: change.changes.map(({ kind }) => kind),
      changes: change.changes,
    },
    answers: [409],
  });
}

function tablesOf(change: SchemaChange): string[] {
  return change.changes.flatMap((one) => {
    if ('table' in one) return [`${one.table.schema}.${one.table.name}`];
    return 'name' in one ? [`${one.schema}.${one.name}`] : [];
  });
}

/** PostgreSQL's text, in UTC, as ISO 8601. */
function isoOf(timestamp: string | undefined): string | null {
  if (timestamp === undefined) return null;
  return timestamp.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00');
}
