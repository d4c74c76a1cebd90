import { selectionIncludes, type TableSelection } from '@pgstream/postgres-source';
import type { PgstreamConfig } from './settings.ts';

/** The two lists of the configuration. `*` alone is every table, as with the original. */
export function tableSelection({ filter }: Pick<PgstreamConfig, 'filter'>): TableSelection {
  return { include: (filter.include ?? []).map(whole), exclude: (filter.exclude ?? []).map(whole) };
}

function whole(pattern: string): string {
  return pattern === '*' ? '*.*' : pattern;
}

/** Excluded wins over included. */
export function selects(selection: TableSelection, schema: string, table: string): boolean {
  return selectionIncludes(selection, { schema, table });
}

/** Whether the include list names exactly one table: ids in a pinned index then need no prefix. */
export function selectsOneTable({ include }: TableSelection): boolean {
  const [only, ...others] = include;
  return only !== undefined && others.length === 0 && !/[*?]/.test(only);
}
