/** Which tables are emitted. Asked once per RELATION message, not per row. */
export interface TableFilter {
  includes(schema: string, table: string): boolean;
}

export const ALL_TABLES: TableFilter = { includes: () => true };
