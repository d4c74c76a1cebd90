/** `schema.table`, either part with `*` for any characters. */
export interface TablePattern {
  readonly schema: string;
  readonly table: string;
}

export interface TableFilter {
  readonly include: readonly TablePattern[];
  readonly exclude: readonly TablePattern[];
}

/** `t` is `public.t`. */
export function parseTablePattern(text: string): TablePattern {
  const dot = text.indexOf('.');
  if (dot === -1) return text === '*' ? { schema: '*', table: '*' } : { schema: 'public', table: text };
  return { schema: text.slice(0, dot), table: text.slice(dot + 1) };
}

export function tableFilter(
  include: readonly string[] | null,
  exclude: readonly string[] | null,
): TableFilter {
  return {
    include: (include ?? ['*.*']).map(parseTablePattern),
    exclude: (exclude ?? []).map(parseTablePattern),
  };
}

/** Excluded wins over included. */
export function selects(filter: TableFilter, schema: string, table: string): boolean {
  const matches = (pattern: TablePattern) =>
    globMatches(pattern.schema, schema) && globMatches(pattern.table, table);
  return filter.include.some(matches) && !filter.exclude.some(matches);
}

function globMatches(glob: string, name: string): boolean {
  if (!glob.includes('*')) return glob === name;
  const parts = glob.split('*').map((part) => part.replaceAll(/[\\^$.+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(name);
}

/** The one table that can be selected, where the include list names exactly one. */
export function singleTable(filter: TableFilter): TablePattern | null {
  const [only, ...others] = filter.include;
  if (only === undefined || others.length > 0) return null;
  return only.schema.includes('*') || only.table.includes('*') ? null : only;
}
