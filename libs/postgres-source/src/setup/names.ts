import { PipelineError } from '@pgstream/failure';

/** A table by its names, unquoted. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** `NAMEDATALEN - 1`: PostgreSQL cuts longer names off silently. */
const MAX_NAME = 63;

/** `pgstream_<database>_slot` in lower case; whatever a slot name may not hold becomes `_`. */
export function defaultSlotName(database: string): string {
  const safe = database.toLowerCase().replace(/[^a-z0-9_]/g, '_');
  return `pgstream_${safe.slice(0, MAX_NAME - 'pgstream__slot'.length)}_slot`;
}

/** @throws {PipelineError} CONFIG_INVALID naming `setting`. */
export function assertSlotName(name: string, setting: string): void {
  if (/^[a-z0-9_]{1,63}$/.test(name)) return;
  throw new PipelineError('CONFIG_INVALID', {
    detail: `${setting}: a slot name has 1 to 63 lower-case letters, digits and underscores.`,
  });
}

export interface PublicationNames {
  /** All events. */
  readonly full: string;
  /** List mode: tables without identity, `publish = 'insert, truncate'`. */
  readonly insertOnly: string;
}

export function publicationNames(slot: string): PublicationNames {
  const base = slot.slice(0, MAX_NAME - '_pub_ins'.length);
  return { full: `${base}_pub`, insertOnly: `${base}_pub_ins` };
}

export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** Quoted, for SQL. */
export function qualified({ schema, table }: TableName): string {
  return `${quoteIdent(schema)}.${quoteIdent(table)}`;
}
