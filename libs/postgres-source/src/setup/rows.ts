/** Reads members of rows that `pg` types as unknown. A column that is missing reads as null. */
export type Row = Record<string, unknown>;

export function text(row: Row | undefined, column: string): string {
  return optionalText(row, column) ?? '';
}

export function optionalText(row: Row | undefined, column: string): string | null {
  const value = row?.[column];
  if (value === null || value === undefined) return null;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function flag(row: Row | undefined, column: string): boolean {
  return row?.[column] === true;
}

export function texts(row: Row | undefined, column: string): string[] {
  const value = row?.[column];
  return Array.isArray(value) ? value.map(String) : [];
}
