import { createIndex, invalidAnswer, isObject, objectOf, type SearchStore } from '@pgstream/search-store';
import type { TableState } from './table-index.ts';

/** Our own indices: `pgstream` (schema history), `pgstream-tables` (state), `pgstream-parked` (dead letters). */
export interface SystemNames {
  readonly history: string;
  readonly tables: string;
  readonly parked: string;
}

export function systemNames(prefix = 'pgstream'): SystemNames {
  return { history: prefix, tables: `${prefix}-tables`, parked: `${prefix}-parked` };
}

const KEYWORD = { type: 'keyword' };
const LONG = { type: 'long' };
const STORED = { type: 'object', enabled: false };

/** Letters of single records, and entries of parked keys (`kind` is `key`). */
export const PARKED_PROPERTIES = {
  kind: KEYWORD,
  sink: KEYWORD,
  code: KEYWORD,
  reason: { type: 'text' },
  last_reason: { type: 'text' },
  schema: KEYWORD,
  table: KEYWORD,
  table_id: KEYWORD,
  identity: { ...KEYWORD, ignore_above: 8192 },
  index: KEYWORD,
  epoch: LONG,
  position: KEYWORD,
  first_position: KEYWORD,
  commit_lsn: KEYWORD,
  seq: LONG,
  version: KEYWORD,
  coalesced: LONG,
  attempts: LONG,
  generation: LONG,
  product: KEYWORD,
  edited: { type: 'boolean' },
  is_delete: { type: 'boolean' },
  parked_at: { type: 'date' },
  changed_at: { type: 'date' },
  document: { type: 'keyword', index: false, doc_values: false },
  record: { type: 'keyword', index: false, doc_values: false },
} as const;

const PROPERTIES = {
  history: {
    id: KEYWORD,
    version: LONG,
    schema_name: KEYWORD,
    created_at: { type: 'date', ignore_malformed: true },
    acked: { type: 'boolean' },
    ddl: { type: 'text' },
    command_tag: KEYWORD,
    source: KEYWORD,
    position: KEYWORD,
    tables: KEYWORD,
    kinds: KEYWORD,
    schema: STORED,
    changes: STORED,
  },
  tables: {
    table_id: KEYWORD,
    schema: KEYWORD,
    table: KEYWORD,
    names: KEYWORD,
    alias: KEYWORD,
    index: KEYWORD,
    version: LONG,
    epoch: LONG,
    generation: LONG,
    stale: KEYWORD,
    dropped: { type: 'boolean' },
    columns: STORED,
  },
  parked: PARKED_PROPERTIES,
} as const;

/** Creates one of our indices where it is missing. Idempotent. */
export async function ensureSystemIndex(
  store: SearchStore,
  which: keyof SystemNames,
  names: SystemNames,
  settings: object,
): Promise<void> {
  await createIndex(store, names[which], {
    settings,
    mappings: { dynamic: false, _meta: { pgstream: { system: which } }, properties: PROPERTIES[which] },
    aliases: [],
  });
}

export async function readTableState(
  store: SearchStore,
  names: SystemNames,
  tableId: string,
): Promise<TableState | null> {
  const { status, text } = await store.request(
    'GET',
    `/${names.tables}/_doc/${encodeURIComponent(tableId)}`,
    {
      query: await store.newest(),
      answers: [404],
    },
  );
  if (status === 404) return null;
  const { _source: state } = objectOf(text, names.tables);
  if (!isObject(state)) throw invalidAnswer(names.tables, text);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by writeTableState
  return state as unknown as TableState;
}

/** `false` where the store has a newer state. */
export async function writeTableState(
  store: SearchStore,
  names: SystemNames,
  state: TableState,
): Promise<boolean> {
  const { status } = await store.request(
    'PUT',
    `/${names.tables}/_doc/${encodeURIComponent(state.table_id)}`,
    {
      query: { version: state.version, version_type: 'external_gte' },
      body: state,
      answers: [409],
    },
  );
  return status !== 409;
}

/** States of the tables of a schema, dropped ones included. At most 10,000. */
export async function findTableStates(
  store: SearchStore,
  names: SystemNames,
  schema: string,
): Promise<TableState[]> {
  await store.request('POST', `/${names.tables}/_refresh`);
  const answer = await store.json<{ hits: { hits: ReadonlyArray<{ _source: TableState }> } }>(
    'POST',
    `/${names.tables}/_search`,
    {
      isAnswer: ({ hits }) =>
        isObject(hits) &&
        Array.isArray(hits['hits']) &&
        hits['hits'].every((hit) => isObject(hit) && isObject(hit['_source'])),
      body: {
        size: 10_000,
        query: { bool: { filter: [{ term: { schema } }, { term: { dropped: false } }] } },
      },
    },
  );
  return answer.hits.hits.map((hit) => hit._source);
}
