import { byQuery, refreshIndices, type SearchStore } from '@pgstream/search-store';
import type { ShapeChange } from '@pgstream/wal-event';
import { classifyType, convertText } from './document/index.ts';
import { BY_QUERY_TIMEOUT_MS, olderThan, type Fence } from './fence.ts';
import type { TableIndex } from './table-index.ts';

interface Rewrite {
  readonly table: TableIndex;
  readonly change: Extract<ShapeChange, { kind: 'table_altered' }>;
  readonly fence: Fence;
  readonly fieldOf: (column: { readonly id: string; readonly name: string }) => string;
}

/**
 * Brings documents up to a change of the table that rewrote rows without row events: constant defaults of new columns,
 * new names, dropped columns. Runs any number of times with the same result, and never touches a newer document.
 * @returns reasons for which documents stay as they are: `renamed` where names were swapped
 */
export async function rewriteRows(
  options: { readonly store: SearchStore; readonly shared: boolean },
  rewrite: Rewrite,
  signal: AbortSignal,
): Promise<string[]> {
  const { table, fence } = rewrite;
  const { params, stale } = paramsOf(rewrite);
  const nothing = params.renames.length + params.removed.length + params.defaults.length === 0;
  if (nothing) return stale;
  await refreshIndices(options.store, [table.index.writeAlias], { signal });
  await byQuery(
    options.store,
    {
      path: `/${encodeURIComponent(table.index.writeAlias)}/_update_by_query`,
      feature: 'ADD COLUMN with a default, RENAME and DROP COLUMN (modules reindex and lang-painless)',
      body: bodyOf(olderThan(table, fence, options.shared), params),
      refresh: true,
    },
    { signal, timeoutMs: BY_QUERY_TIMEOUT_MS },
  );
  return stale;
}

interface Params {
  readonly renames: ReadonlyArray<{ readonly from: string; readonly to: string }>;
  readonly removed: readonly string[];
  readonly defaults: ReadonlyArray<{ readonly field: string; readonly json: string }>;
}

function paramsOf({ change, fieldOf }: Rewrite): { params: Params; stale: string[] } {
  const moved = change.renamed
    .map(({ id, from, to }) => ({ from: fieldOf({ id, name: from }), to: fieldOf({ id, name: to }) }))
    .filter(({ from, to }) => from !== to);
  const sources = new Set(moved.map(({ from }) => from));
  // Swapped names cannot be told from names that were swapped already.
  const renames = moved.filter(({ to }) => !sources.has(to));
  const targets = new Set(change.table.columns.map(fieldOf));
  return {
    params: {
      renames,
      removed: change.dropped.map(fieldOf).filter((field) => !targets.has(field)),
      defaults: change.added
        .filter(({ constant_default: constant }) => constant !== null)
        .map((column) => ({ field: fieldOf(column), json: defaultOf(change, column) })),
    },
    stale: renames.length === moved.length ? [] : ['renamed'],
  };
}

function defaultOf(
  change: Rewrite['change'],
  column: { readonly id: string; readonly type: string; readonly constant_default: string | null },
): string {
  const shape = change.table.columns.find(({ id }) => id === column.id);
  return convertText(classifyType(column.type, shape), column.constant_default ?? '', { lossy: false });
}

/** The defaults are JSON already, with every digit: they go in as text. */
function bodyOf(query: object, { renames, removed, defaults }: Params): string {
  const values = defaults.map(({ field, json }) => `{"field":${JSON.stringify(field)},"value":${json}}`);
  const params = `"renames":${JSON.stringify(renames)},"removed":${JSON.stringify(removed)},"defaults":[${values.join(',')}]`;
  return `{"query":${JSON.stringify(query)},"script":{"lang":"painless","source":${JSON.stringify(REWRITE)},"params":{${params}}}}`;
}

const REWRITE = `
boolean changed = false;
for (def r : params.renames) {
  if (ctx._source.containsKey(r.from) && !ctx._source.containsKey(r.to)) {
    ctx._source[r.to] = ctx._source.remove(r.from);
    changed = true;
  }
}
for (String f : params.removed) {
  if (ctx._source.containsKey(f)) { ctx._source.remove(f); changed = true; }
}
for (def d : params.defaults) {
  if (!ctx._source.containsKey(d.field)) { ctx._source[d.field] = d.value; changed = true; }
}
if (!changed) ctx.op = 'noop';`;
