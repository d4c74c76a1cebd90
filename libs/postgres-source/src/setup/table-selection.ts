import type { TableName } from './names.ts';

/**
 * Which tables are wanted: `schema.table`, `schema.*`, `*.*`, globs with `*` and `?`; a name without a dot lies in
 * `public`. Excluded wins; an empty include list means every table.
 */
export interface TableSelection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export const EVERY_TABLE: TableSelection = { include: [], exclude: [] };

export function selectionIncludes(filter: TableSelection, name: TableName): boolean {
  const matches = (pattern: string) => matchesPattern(pattern, name);
  if (filter.exclude.some(matches)) return false;
  return filter.include.length === 0 || filter.include.some(matches);
}

/** What a publication can be limited to. Globs and excluded tables cannot be expressed there: the reader filters them. */
export type PublicationScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'list'; readonly tables: readonly TableName[]; readonly schemas: readonly string[] };

export function publicationScope(filter: TableSelection): PublicationScope {
  const tables: TableName[] = [];
  const schemas: string[] = [];
  for (const pattern of filter.include) {
    const name = splitPattern(pattern);
    if (/[*?]/.test(name.schema)) return { kind: 'all' };
    if (name.table === '*') schemas.push(name.schema);
    else if (/[*?]/.test(name.table)) return { kind: 'all' };
    else tables.push(name);
  }
  if (filter.include.length === 0) return { kind: 'all' };
  return { kind: 'list', tables: tables.filter((name) => !schemas.includes(name.schema)), schemas };
}

function matchesPattern(pattern: string, name: TableName): boolean {
  const { schema, table } = splitPattern(pattern);
  return globMatches(schema, name.schema) && globMatches(table, name.table);
}

function splitPattern(pattern: string): TableName {
  const at = pattern.indexOf('.');
  return at < 0
    ? { schema: 'public', table: pattern }
    : { schema: pattern.slice(0, at), table: pattern.slice(at + 1) };
}

function globMatches(glob: string, text: string): boolean {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's').test(text);
}
