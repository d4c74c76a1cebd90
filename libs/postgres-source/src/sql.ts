/**
 * Ordinary SQL over somebody else's connection: a `pg` pool, client or anything of that form. Values come as `pg` gives
 * them by default (bigint and numeric as text). The caller owns connection, transaction and errors; SQLSTATE stays
 * readable as `code` of what is thrown or of its causes.
 */
export interface Sql {
  query(text: string, params?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>;
}
