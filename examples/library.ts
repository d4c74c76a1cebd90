// pgstream as a library: a replication slot as the source, a function of your own as the sink. `pgstream init` made the slot.
import { recordsSink, runPipeline } from '@pgstream/pipeline';
import { createPool, parseConnectionUrl, sessionConfig } from '@pgstream/postgres-client';
import { checkBeforeStart, PostgresSource, SchemaHistory } from '@pgstream/postgres-source';
import type { ChangeRecord } from '@pgstream/wal-event';

/** Hands every committed change to `handle`; what it has returned from is confirmed, and nothing else. */
export async function follow(
  url: string,
  slot: string,
  handle: (records: readonly ChangeRecord[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const connection = () => sessionConfig(parseConnectionUrl(url, 'url'), { applicationName: 'my app' });
  const sql = createPool(await connection());
  const { state } = await checkBeforeStart(sql, { slot });
  const { systemId, epoch, publications } = state;
  const history = new SchemaHistory({ sql, slot, systemId, epoch });
  const source = new PostgresSource({ connection, slot, publications, epoch, history, instance: 'my app' });
  await runPipeline({ source, sink: recordsSink('my sink', handle), signal });
  await sql.end();
}
