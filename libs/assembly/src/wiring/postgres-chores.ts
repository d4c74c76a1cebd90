import {
  addMissingTables,
  Reconciler,
  type PostgresSource,
  type SchemaHistory,
  type Sql,
} from '@pgstream/postgres-source';
import { tableSelection } from '../config/table-filter.ts';
import type { RunContext } from '../runtime/run-context.ts';
import { repeat } from './repeat.ts';

interface HistoryParts {
  readonly source: PostgresSource;
  readonly history: SchemaHistory;
  readonly sql: Sql;
}

/** A process reads everything the server had when it looked: only then is the catalogue comparable with the history. */
const CAUGHT_UP_BYTES = 1_048_576n;

/** Finds schema changes that no event trigger recorded, and writes them into the schema log. */
export function watchSchemaHistory(context: RunContext, { source, history, sql }: HistoryParts): void {
  const { config, log, metrics } = context;
  const reconciler = new Reconciler(sql, history);
  repeat(
    context,
    config.postgres.reconcileIntervalMs,
    async () => {
      const { role, serverLsn, receivedLsn } = source.facts;
      if (role !== 'leader' || serverLsn - receivedLsn > CAUGHT_UP_BYTES) return;
      const written = await reconciler.round();
      if (written > 0)
        log.warn(
          { schemas: written },
          'schema changes that no trigger recorded were added to the schema log',
        );
    },
    (error) => {
      metrics.pgstream_retries_total.inc({ part: 'reconcile', code: error.code });
      log.warn(
        { code: error.code, detail: error.detail },
        'comparing the schema history with the catalogue failed',
      );
    },
  );
}

const LIST_INTERVAL_MS = 2000;

interface ListParts {
  readonly source: PostgresSource;
  readonly slot: string;
  readonly sql: Sql;
}

/** Without a publication for all tables: new tables are added to the lists soon after they are created. */
export function watchListMode(context: RunContext, { source, slot, sql }: ListParts): void {
  const { config, log, metrics } = context;
  const told = new Set<string>();
  repeat(
    context,
    LIST_INTERVAL_MS,
    async () => {
      if (source.facts.role !== 'leader') return;
      const { full, insertOnly, notOwned } = await addMissingTables(sql, {
        slot,
        filter: tableSelection(config),
      });
      for (const { schema, table } of full) log.info({ schema, table }, 'table added to the publication');
      for (const { schema, table } of insertOnly) {
        log.warn(
          { schema, table },
          'table added for INSERT and TRUNCATE only: it has no usable replica identity',
        );
      }
      for (const { schema, table, remedy } of notOwned) {
        const name = `${schema}.${table}`;
        if (told.has(name)) continue;
        told.add(name);
        log.warn({ schema, table, remedy }, 'table cannot be captured: this role does not own it');
      }
    },
    (error) => {
      metrics.pgstream_retries_total.inc({ part: 'publication', code: error.code });
      log.warn({ code: error.code, detail: error.detail }, 'adding tables to the publication failed');
    },
  );
}
